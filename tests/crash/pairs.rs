//! Every pair of points: the operator is killed again while it recovers. `cargo xtask crash-matrix`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::{StreamExt as _, stream};

use crate::harness::{Asked, Matrix, path};
use crate::learnt::{Learnt, Point, learnt, points};
use crate::matrix::{Run, crash};
use crate::scenario::{self, Scenario};

/// How many worlds, each with its own operator, run at a time.
const AT_A_TIME: usize = 8;
/// How many lists an end gets that was good at once: there are too many pairs to wait for more.
const LOOKS: usize = 2;

/// A line of the summary.
#[derive(Default)]
struct Row {
    points: usize,
    pairs: usize,
    /// Pairs that were run.
    run: usize,
    /// Those whose second point was reached.
    reached: usize,
}

static ROWS: Mutex<BTreeMap<&'static str, Row>> = Mutex::new(BTreeMap::new());

fn change_row(scenario: Scenario, change: impl FnOnce(&mut Row)) {
    change(ROWS.lock().expect("nobody panics with it").entry(scenario.name).or_default());
}

/// The scenarios that `CRASH_SCENARIOS` names, separated by commas; all when it is not set.
fn wanted() -> Vec<Scenario> {
    let names = std::env::var("CRASH_SCENARIOS").unwrap_or_default();
    let names = names.split(',').filter(|name| !name.is_empty()).collect::<Vec<_>>();
    let unknown = names.iter().find(|name| !scenario::all().any(|scenario| scenario.name == **name));
    assert!(unknown.is_none(), "there is no scenario {unknown:?}");
    scenario::all().filter(|scenario| names.is_empty() || names.contains(&scenario.name)).collect()
}

/// What the second points are is only known once the operator has been killed at the first ones.
pub async fn matrices(asked: &Asked) -> Vec<Matrix> {
    let mut matrices = Vec::new();
    for scenario in wanted() {
        let name = format!("pairs/{}", scenario.name);
        if asked.may_want(&format!("{name}/")) {
            let learnt = learnt(scenario).await.unwrap_or_else(|why| panic!("{name}: {why}"));
            matrices.push(matrix(asked, scenario, name, learnt).await);
        }
    }
    matrices
}

async fn matrix(asked: &Asked, scenario: Scenario, name: String, learnt: Arc<Learnt>) -> Matrix {
    let named = learnt.points.iter().map(|point| (path([&point.to_string()]), point.clone()));
    let wanted = named.filter(|(first, _)| asked.may_want(&format!("{name}/{first}/")));
    let runs = wanted.map(|(first, point)| {
        let learnt = Arc::clone(&learnt);
        async move {
            let own = point.clone();
            let run = async move { crash(scenario, &learnt, &[own], LOOKS).await };
            (first, point, tokio::spawn(run).await)
        }
    });
    let runs = stream::iter(runs.collect::<Vec<_>>()).buffered(AT_A_TIME).collect::<Vec<_>>().await;
    eprintln!("{name}: {} first points", runs.len());
    let mut matrix = Matrix::new(name, AT_A_TIME);
    change_row(scenario, |row| row.points = runs.len());
    for (first, point, run) in runs {
        let Run { recovery, verdict, .. } = run.unwrap_or_else(|panic| Run::failed(panic.to_string()));
        matrix.add([&first, "alone"], async move || verdict);
        for second in points(recovery.iter()) {
            change_row(scenario, |row| row.pairs += 1);
            let name = format!("then {second}");
            let (learnt, both) = (Arc::clone(&learnt), [point.clone(), second]);
            matrix.add([&first, &name], move || pair(scenario, learnt, both));
        }
    }
    matrix
}

async fn pair(scenario: Scenario, learnt: Arc<Learnt>, both: [Point; 2]) -> Result<(), String> {
    let run = crash(scenario, &learnt, &both, LOOKS).await;
    change_row(scenario, |row| {
        row.run += 1;
        row.reached += usize::from(run.reached == both.len());
    });
    run.verdict
}

/// Shows how many pairs were run.
///
/// # Errors
///
/// When of all pairs of a scenario too few were reached to mean anything.
pub fn summary() -> Result<(), String> {
    let rows = ROWS.lock().expect("nobody panics with it");
    if !rows.is_empty() {
        println!("{:<12} {:>7} {:>7} {:>7} {:>12}", "scenario", "points", "pairs", "run", "both reached");
    }
    for (scenario, Row { points, pairs, run, reached }) in rows.iter() {
        println!("{scenario:<12} {points:>7} {pairs:>7} {run:>7} {reached:>12}");
        if run == pairs && (*pairs == 0 || reached * 4 < pairs * 3) {
            return Err(format!("{scenario}: {reached} of {pairs} pairs were reached"));
        }
    }
    Ok(())
}
