//! Every pair of points: the operator is killed again while it recovers. `cargo xtask crash-matrix`.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::task::JoinError;

use crate::learnt::{Learnt, Point, learn, points};
use crate::matrix::{Run, crash};
use crate::scenario::{self, Scenario};

/// How many worlds, each with its own operator, run at a time.
const AT_A_TIME: usize = 8;
/// How often progress is shown, in runs.
const STRIDE: usize = 25;

/// A line of the summary.
struct Row {
    scenario: &'static str,
    singles: usize,
    pairs: usize,
    /// Pairs whose second point was reached.
    reached: usize,
    wrong: usize,
}

/// The scenarios that `CRASH_SCENARIOS` names, separated by commas; all when it is not set.
fn wanted() -> Vec<Scenario> {
    let names = std::env::var("CRASH_SCENARIOS").unwrap_or_default();
    let names = names.split(',').filter(|name| !name.is_empty()).collect::<Vec<_>>();
    let unknown = names.iter().find(|name| !scenario::ALL.iter().any(|scenario| scenario.name == **name));
    assert!(unknown.is_none(), "there is no scenario {unknown:?}");
    let wanted = scenario::ALL.into_iter();
    wanted.filter(|scenario| names.is_empty() || names.contains(&scenario.name)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
#[ignore = "takes long: cargo xtask crash-matrix"]
async fn every_pair() {
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for scenario in wanted() {
        rows.push(pairs_of(scenario, &mut failures).await);
    }
    println!("\n{:<12} {:>7} {:>7} {:>12} {:>7}", "scenario", "points", "pairs", "both reached", "wrong");
    for Row { scenario, singles, pairs, reached, wrong } in &rows {
        println!("{scenario:<12} {singles:>7} {pairs:>7} {reached:>12} {wrong:>7}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    for Row { scenario, pairs, reached, .. } in rows {
        assert!(pairs > 0 && reached * 4 >= pairs * 3, "{scenario}: {reached} of {pairs} pairs were reached");
    }
}

async fn pairs_of(scenario: Scenario, failures: &mut Vec<String>) -> Row {
    let learnt = Arc::new(learn(&scenario).await);
    let singles = learnt.points.iter().map(|point| vec![point.clone()]).collect::<Vec<_>>();
    let mut pairs = Vec::new();
    let wrong = Cell::new(0);
    let mut judge = |stops: &[Point], outcome: Result<Run, JoinError>| {
        let verdict = outcome.as_ref().map_or_else(|panic| Err(panic.to_string()), |run| run.verdict.clone());
        if let Err(why) = verdict {
            wrong.set(wrong.get() + 1);
            let stops = stops.iter().map(ToString::to_string).collect::<Vec<_>>().join("; then ");
            failures.push(format!("{}: {stops}: {why}", scenario.name));
        }
        outcome.ok()
    };
    let count = singles.len();
    each(scenario, &learnt, singles, &wrong, |stops, outcome| {
        let Some(run) = judge(stops, outcome) else { return };
        pairs.extend(points(run.recovery.iter()).into_iter().map(|second| vec![stops[0].clone(), second]));
    })
    .await;
    let (total, mut reached) = (pairs.len(), 0);
    each(scenario, &learnt, pairs, &wrong, |stops, outcome| {
        reached += judge(stops, outcome).map_or(0, |run| usize::from(run.reached == stops.len()));
    })
    .await;
    Row { scenario: scenario.name, singles: count, pairs: total, reached, wrong: wrong.get() }
}

/// Runs the scenario once for each list of points, and shows progress.
async fn each(
    scenario: Scenario,
    learnt: &Arc<Learnt>,
    lists: Vec<Vec<Point>>,
    wrong: &Cell<usize>,
    mut judge: impl FnMut(&[Point], Result<Run, JoinError>),
) {
    let (total, begun) = (lists.len(), Instant::now());
    let (told, mut news) = mpsc::unbounded_channel();
    let runs = stream::iter(lists).map(|stops| {
        let learnt = Arc::clone(learnt);
        async move {
            let own = stops.clone();
            let run = tokio::spawn(async move { crash(scenario, &learnt, &own).await }).await;
            (stops, run)
        }
    });
    let running = runs.buffer_unordered(AT_A_TIME).for_each(|outcome| {
        // The receiver outlives the runs.
        let _ = told.send(outcome);
        std::future::ready(())
    });
    let judging = async {
        for done in 1..=total {
            let Some((stops, outcome)) = news.recv().await else { break };
            judge(&stops, outcome);
            if done % STRIDE == 0 || done == total {
                let (name, wrong, seconds) = (scenario.name, wrong.get(), begun.elapsed().as_secs());
                println!("{name}: {done} of {total} runs, {wrong} wrong so far, {seconds} s");
            }
        }
    };
    futures::join!(running, judging);
}
