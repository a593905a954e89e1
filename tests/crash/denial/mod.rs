//! The operator is denied its Secrets for a simulated hour: bounded creates, at most one live endpoint at
//! any time, and nothing lost once the denial ends.

mod check;
mod hour;
pub mod hurried;
mod imposed;
mod rights;
mod row;

use imposed::Denial;
use row::{Moment, Process, Row};

use crate::harness::{Matrix, tell};

fn rows() -> Vec<Row> {
    let all = [Denial::Rbac, Denial::Quota, Denial::Policy, Denial::Foreign];
    // A quota lets an existing Secret be changed, and a Secret that is ours is not foreign.
    let of_changes = [Denial::Rbac, Denial::Policy];
    let moments = [
        (Moment::Before, &all[..]),
        (Moment::InHand, &all),
        (Moment::Renamed, &all),
        (Moment::Recreated, &of_changes),
        (Moment::Dressed, &of_changes),
    ];
    let cells = moments.iter().flat_map(|(moment, denials)| denials.iter().map(|denial| (*moment, *denial)));
    cells
        .flat_map(|(moment, denial)| {
            [Process::LivesThrough, Process::Killed].map(|process| Row { denial, moment, process })
        })
        .collect()
}

pub fn matrix() -> Matrix {
    tell(row::HEAD);
    let mut matrix = Matrix::new("denial", 8);
    for row in rows() {
        matrix.add([&row.to_string()], move || row.run());
    }
    matrix
}
