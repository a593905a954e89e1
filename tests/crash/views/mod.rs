//! Views that are old, and events that never come: nothing is created, changed or deleted by what is not
//! so any more.

mod lagging;
mod missed;
mod old;
mod relist;

use std::fmt;

use interposer::Collection;
use tokio::sync::Semaphore;

use crate::worlds;

/// They mostly wait.
static AT_A_TIME: Semaphore = Semaphore::const_new(16);

/// How many lists of the network an operator gets while its view is old. One comes every second, and two more
/// for an unanswered create, which settles within nine seconds: what it would do by that view it has tried.
const LOOKS: usize = 13;

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

async fn all_well<F>(what: &str, worlds: Vec<(String, F)>)
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    worlds::all_well(&format!("views, {what}"), &AT_A_TIME, worlds).await;
}
