//! Views that are old, and events that never come: nothing is created, changed or deleted by what is not
//! so any more.

mod lagging;
mod missed;
mod old;
mod relist;

use std::fmt;

use interposer::Collection;

use crate::harness::{Asked, Matrix};

/// They mostly wait.
const AT_A_TIME: usize = 16;

pub async fn matrices(asked: &Asked) -> Vec<Matrix> {
    let mut matrices = vec![lagging::matrix(), missed::echoes_matrix(), missed::matrix(), relist::matrix()];
    matrices.extend(old::matrices(asked).await);
    matrices
}

/// What is seen late.
#[derive(Clone, Copy, Debug)]
enum Viewed {
    Resources,
    Secrets,
    Everything,
}

impl Viewed {
    const ALL: [Self; 3] = [Self::Resources, Self::Secrets, Self::Everything];

    fn collection(self) -> Collection {
        match self {
            Self::Resources => Collection::of("webhookoperator.dev", "webhookendpoints"),
            Self::Secrets => Collection::of("", "secrets"),
            Self::Everything => Collection::all(),
        }
    }
}

impl fmt::Display for Viewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resources => "the resources",
            Self::Secrets => "the Secrets",
            Self::Everything => "everything",
        })
    }
}
