//! Many worlds at a time.

use futures::{StreamExt as _, stream};
use tokio::sync::Semaphore;

use crate::support::tell;

/// Runs many worlds, each with its own operator and as many at a time as there are `turns`; prints how many
/// there were of `what`, and shows what went wrong in which.
pub async fn all_well<F>(what: &str, turns: &'static Semaphore, worlds: Vec<(String, F)>)
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let count = worlds.len();
    let runs = stream::iter(worlds).map(|(name, world)| async move {
        let run = tokio::spawn(async move {
            let _turn = turns.acquire().await;
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
    tell(&format!("{what}: {count} worlds, {} ended wrong", failures.len()));
    assert!(count > 0, "{what}: no worlds");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
