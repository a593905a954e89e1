//! Classes of trouble between the operator and the remote API, at each of its calls.

mod cell;
mod class;
pub mod lag;
mod row;

use simulator::Operation;

use cell::Cell;
use class::CLASSES;

use crate::harness::{Matrix, tell};

/// How many cells are under way at a time.
const AT_A_TIME: usize = 14;

pub fn matrices() -> Vec<Matrix> {
    tell(row::HEAD);
    let calls = [
        Operation::Create,
        Operation::Patch,
        Operation::Delete,
        Operation::List,
        Operation::Get,
        Operation::Token,
    ];
    calls.map(every_class).into()
}

fn every_class(call: Operation) -> Matrix {
    let mut matrix = Matrix::new(format!("network/{call}"), AT_A_TIME);
    let classes =
        CLASSES.iter().filter(|class| call == Operation::Create || class.name != "2xx without secret");
    for class in classes {
        matrix
            .add([class.name], async move || Cell::run(call, class).await.map(|row| tell(&row.to_string())));
    }
    assert!(matrix.len() + 1 >= CLASSES.len(), "{call}: {} of {} classes", matrix.len(), CLASSES.len());
    matrix
}
