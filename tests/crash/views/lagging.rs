//! The watches fall silent in the middle of a scenario, and go on much later.

use std::sync::Arc;

use super::{LOOKS, Viewed, all_well};
use crate::end::{come_to, looked};
use crate::learnt::{Learnt, begin, check, learn};
use crate::scenario::{self, Scenario};
use crate::scene::Scene;
use crate::support::SOON;

/// What the operator does by then it does by the answers to its own writes.
async fn run(scenario: Scenario, learnt: Arc<Learnt>, viewed: Viewed) -> Result<(), String> {
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = begin(&scene, &scenario).await;
    let first = learnt.points.first().ok_or("no call to begin with")?;
    scene.gate.plan([first.plan(begin.calls)]);
    (scenario.act)(&scene).await;
    scene.gate.reached(SOON).await.map_err(|error| error.to_string())?;
    let collection = viewed.collection();
    scene.kube.serve_old_view(collection.clone(), scene.version().await);
    scene.gate.resume();
    looked(&scene, LOOKS).await?;
    scene.kube.release_view(&collection);
    come_to(&scene, &scenario.end(), LOOKS + 2).await?;
    check(&scene, &learnt, 0, &begin)?;
    scene.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn watches_that_fall_silent_mislead_nobody() {
    let mut worlds = Vec::new();
    for scenario in scenario::ALL {
        let learnt = Arc::new(learn(&scenario).await);
        worlds.extend(Viewed::ALL.map(|viewed| {
            let name = format!("{}, {viewed} late", scenario.name);
            (name, run(scenario, Arc::clone(&learnt), viewed))
        }));
    }
    all_well("lagging", worlds).await;
}
