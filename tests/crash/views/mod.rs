//! Views that are old, and events that never come: nothing is created, changed or deleted by what is not
//! so any more.

mod lagging;
mod missed;
mod old;
mod relist;

use std::fmt;

use futures::{StreamExt as _, stream};
use interposer::Collection;
use tokio::sync::Semaphore;

/// How many worlds, each with its own operator, run at a time. They mostly wait.
static AT_A_TIME: Semaphore = Semaphore::const_new(16);

/// How many lists of the network an operator gets while its view is old: as they come every second, an
/// unanswered create has settled by then, and what it would do by that view it has tried.
const LOOKS: usize = 11;

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

/// Runs many worlds, prints how many there were of `what`, and shows what went wrong in which.
async fn all_well<F>(what: &str, worlds: Vec<(String, F)>)
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let count = worlds.len();
    let runs = stream::iter(worlds).map(|(name, world)| async move {
        let run = tokio::spawn(async move {
            let _turn = AT_A_TIME.acquire().await;
            world.await
        });
        match run.await {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(format!("{name}: {why}")),
            Err(panic) => Some(format!("{name}: {panic}")),
        }
    });
    let failures =
        runs.buffer_unordered(count.max(1)).filter_map(std::future::ready).collect::<Vec<_>>().await;
    println!("views: {what}: {count} worlds, {} ended wrong", failures.len());
    assert!(count > 0, "{what}: no worlds");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
