//! The operator is denied its Secrets for a simulated hour: bounded creates, at most one live endpoint at
//! any time, and nothing lost once the denial ends.

mod check;
mod hour;
mod imposed;
mod rights;
mod row;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::sync::Semaphore;

use imposed::Denial;
use row::{Moment, Process, Row};

use crate::support::tell;

/// How many operators run at a time.
const AT_A_TIME: usize = 8;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_hour_without_secrets_loses_nothing() {
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    let runs = rows().into_iter().map(|row| {
        let turns = Arc::clone(&turns);
        tokio::spawn(async move {
            let _turn = turns.acquire().await;
            let run = AssertUnwindSafe(row.run()).catch_unwind().await;
            (row, run.unwrap_or_else(|_| Err("it panicked: see above".to_owned())))
        })
    });
    let mut failures = Vec::new();
    let mut count = 0;
    println!("{}", row::HEAD);
    for run in join_all(runs).await {
        let (row, run) = run.expect("a row's panic is caught");
        count += 1;
        match run {
            Ok(counts) => println!("{row} {counts} well"),
            Err(why) => {
                println!("{row} ended wrong");
                failures.push(format!("{row}: {why}"));
            }
        }
    }
    tell(&format!("denial: {count} rows, {} ended wrong", failures.len()));
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
