//! Every single point of every scenario.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use tokio::sync::Semaphore;

use crate::learnt::learn;
use crate::matrix::crash;
use crate::scenario::{self, Scenario};

/// How many worlds, each with its own operator, run at a time.
static AT_A_TIME: Semaphore = Semaphore::const_new(6);

async fn every_point(scenario: Scenario) {
    let learnt = Arc::new(learn(&scenario).await);
    assert!(!learnt.points.is_empty(), "{} has no mutating call", scenario.name);
    let count = learnt.points.len();
    let runs = stream::iter(learnt.points.clone()).map(|point| {
        let learnt = Arc::clone(&learnt);
        tokio::spawn(async move {
            let _turn = AT_A_TIME.acquire().await;
            let run = crash(scenario, &learnt, std::slice::from_ref(&point)).await;
            (point, run.verdict)
        })
    });
    let outcomes = runs.buffer_unordered(count).collect::<Vec<_>>().await;
    let mut failures = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok((_, Ok(()))) => {}
            Ok((point, Err(why))) => failures.push(format!("{point}: {why}")),
            Err(panic) => failures.push(panic.to_string()),
        }
    }
    println!("{}: {count} points, {} ended wrong", scenario.name, failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

macro_rules! scenarios {
    ($($name:ident: $scenario:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
        async fn $name() {
            every_point(scenario::$scenario).await;
        })*
    };
}

scenarios! {
    create: CREATE,
    patch: PATCH,
    delete: DELETE,
    rename: RENAME,
    recovery: RECOVERY,
    recreation: RECREATION,
    two_resources_with_one_url: TWINS,
}
