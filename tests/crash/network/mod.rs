//! Classes of trouble between the operator and the remote API, at each of its calls.

mod cell;
mod class;
mod lag;
mod row;

use futures::{StreamExt as _, stream};
use simulator::Operation;
use tokio::sync::Semaphore;

use cell::Cell;
use class::CLASSES;

use crate::support::tell;

/// How many cells are under way at a time.
static AT_A_TIME: Semaphore = Semaphore::const_new(14);

async fn every_class(call: Operation) {
    let classes =
        CLASSES.iter().filter(|class| call == Operation::Create || class.name != "2xx without secret");
    let cells = stream::iter(classes).map(|class| {
        tokio::spawn(async move {
            let _turn = AT_A_TIME.acquire().await;
            Cell::run(call, class).await
        })
    });
    let outcomes = cells.buffer_unordered(CLASSES.len()).collect::<Vec<_>>().await;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(Ok(row)) => rows.push(row),
            Ok(Err(why)) => failures.push(why),
            Err(panic) => failures.push(panic.to_string()),
        }
    }
    println!("{:<6} {:<26} {:<6} POSTs creates deletes lists", "call", "class", "ended");
    rows.sort_by_key(|row| CLASSES.iter().position(|class| class.name == row.class));
    for row in &rows {
        println!("{row}");
    }
    tell(&format!("network, {call}: {} classes, {} ended wrong", rows.len(), failures.len()));
    assert!(failures.is_empty(), "{call}: {} ended wrong:\n{}", failures.len(), failures.join("\n\n"));
    assert!(rows.len() + 1 >= CLASSES.len(), "{call}: {} of {} classes", rows.len(), CLASSES.len());
}

macro_rules! calls {
    ($($name:ident: $call:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
        async fn $name() {
            every_class(Operation::$call).await;
        })*
    };
}

calls! {
    create: Create,
    patch: Patch,
    delete: Delete,
    list: List,
    get: Get,
    token: Token,
}
