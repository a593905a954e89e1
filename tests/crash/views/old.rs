//! The operator dies, and the next one is served an old view: its lists show what was there before, and its
//! watches are silent. That is harsher than Kubernetes, whose lists are consistent when no resourceVersion is
//! asked for; only single objects are read as they are.

use std::sync::Arc;

use interposer::When;
use testkit::SOON;

use super::{AT_A_TIME, Viewed};
use crate::end::{come_to, looked};
use crate::harness::{Asked, Matrix};
use crate::learnt::{self, Learnt, Point, begin, check, lost_secrets};
use crate::scenario::{self, LATER, Scenario};
use crate::scene::Scene;

/// What the old view shows.
#[derive(Clone, Debug)]
enum Shown {
    /// What was there before the scenario began.
    Beginning,
    /// What was there after this call.
    After(Point),
}

/// The operator dies right after `at`, and comes back to an old view.
#[derive(Clone, Debug)]
struct Cell {
    at: Point,
    shown: Shown,
    viewed: Viewed,
}

/// Every call of the scenario, each with the view from before the scenario and that from one write earlier.
fn cells(learnt: &Learnt) -> Vec<Cell> {
    let calls = learnt.points.iter().filter(|point| point.when == When::AnswerDelivered);
    let calls = calls.filter(|point| !point.is_of_network()).collect::<Vec<_>>();
    let mut cells = Vec::new();
    for (place, at) in calls.iter().enumerate() {
        let earlier = calls[..place].iter().rev().find(|point| point.writes_kubernetes());
        let earlier = earlier.map(|point| Shown::After((*point).clone()));
        for shown in [Some(Shown::Beginning), earlier].into_iter().flatten() {
            let viewed = Viewed::ALL.into_iter();
            cells.extend(viewed.map(|viewed| Cell { at: (*at).clone(), shown: shown.clone(), viewed }));
        }
    }
    cells
}

async fn run(scenario: Scenario, learnt: Arc<Learnt>, cell: Cell) -> Result<(), String> {
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = begin(&scene, &scenario).await?;
    let mut version = scene.version().await;
    let earlier = match cell.shown {
        Shown::Beginning => None,
        Shown::After(point) => Some(point),
    };
    scene.gate.plan(earlier.iter().chain([&cell.at]).map(|point| point.plan(begin.calls)));
    (scenario.act)(&scene).await;
    if earlier.is_some() {
        scene.gate.reached(SOON).await.map_err(|error| error.to_string())?;
        version = scene.version().await;
        scene.gate.resume();
    }
    scene.gate.reached(SOON).await.map_err(|error| error.to_string())?;
    scene.kill().await;
    let lost = lost_secrets(&scene.gate.mutations_in(0));

    let collection = cell.viewed.collection();
    scene.kube.serve_old_view(collection.clone(), version);
    scene.start();
    looked(&scene, LATER).await?;
    scene.kube.release_view(&collection);
    come_to(&scene, &scenario.end(), LATER + 2).await?;
    check(&scene, &learnt, lost, &begin)?;
    scene.close().await;
    Ok(())
}

pub async fn matrices(asked: &Asked) -> Vec<Matrix> {
    learnt::matrices(
        asked,
        "views/old",
        scenario::OFTEN.into_iter(),
        AT_A_TIME,
        |scenario, learnt, matrix| {
            for cell in cells(learnt) {
                let shown = match &cell.shown {
                    Shown::Beginning => "the beginning".to_owned(),
                    Shown::After(point) => point.call.to_string(),
                };
                let (after, view) =
                    (format!("after {}", cell.at.call), format!("{} as of {shown}", cell.viewed));
                let learnt = Arc::clone(learnt);
                matrix.add([&after, &view], move || run(scenario, learnt, cell));
            }
        },
    )
    .await
}
