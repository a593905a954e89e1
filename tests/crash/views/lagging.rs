//! The watches fall silent in the middle of a scenario, and go on much later.

use testkit::SOON;

use super::{AT_A_TIME, Viewed};
use crate::end::{come_to, looked};
use crate::harness::Matrix;
use crate::learnt::{begin, check, learnt};
use crate::scenario::LATER;
use crate::scenario::{self, Scenario};
use crate::scene::Scene;

/// What the operator does by then it does by the answers to its own writes.
async fn run(scenario: Scenario, viewed: Viewed) -> Result<(), String> {
    let learnt = learnt(scenario).await?;
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = begin(&scene, &scenario).await?;
    let first = learnt.points.first().ok_or("no call to begin with")?;
    scene.gate.plan([first.plan(begin.calls)]);
    (scenario.act)(&scene).await;
    scene.gate.reached(SOON).await.map_err(|error| error.to_string())?;
    let collection = viewed.collection();
    scene.kube.serve_old_view(collection.clone(), scene.version().await);
    scene.gate.resume();
    looked(&scene, LATER).await?;
    scene.kube.release_view(&collection);
    come_to(&scene, &scenario.end(), LATER + 2).await?;
    check(&scene, &learnt, 0, &begin)?;
    scene.close().await;
    Ok(())
}

/// Watches that fall silent mislead nobody.
pub fn matrix() -> Matrix {
    let mut matrix = Matrix::new("views/lagging", AT_A_TIME);
    for scenario in scenario::OFTEN {
        for viewed in Viewed::ALL {
            matrix.add([scenario.name, &viewed.to_string()], move || run(scenario, viewed));
        }
    }
    matrix
}
