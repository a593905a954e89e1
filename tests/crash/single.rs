//! Every single point of every scenario.

use std::sync::Arc;

use crate::harness::{Asked, Matrix};
use crate::learnt::{self, Learnt, Point};
use crate::matrix::crash;
use crate::scenario::{self, Scenario};

/// Half of the time, they wait for what may come late.
const AT_A_TIME: usize = 14;

async fn run(scenario: Scenario, learnt: Arc<Learnt>, point: Point) -> Result<(), String> {
    crash(scenario, &learnt, std::slice::from_ref(&point), scenario.looks()).await.verdict
}

pub async fn matrices(asked: &Asked) -> Vec<Matrix> {
    let mut matrices =
        learnt::matrices(asked, "single", scenario::all(), AT_A_TIME, |scenario, learnt, matrix| {
            fill(scenario, learnt, matrix);
        })
        .await;
    let lagging = learnt::matrices(
        asked,
        "lagging",
        scenario::LAGGING.into_iter(),
        AT_A_TIME,
        |scenario, learnt, matrix| {
            fill(scenario, &Arc::new(learnt.lagging()), matrix);
        },
    );
    matrices.extend(lagging.await);
    matrices
}

fn fill(scenario: Scenario, learnt: &Arc<Learnt>, matrix: &mut Matrix) {
    for point in learnt.points.clone() {
        let (call, when) = (point.call.to_string(), point.when.to_string());
        let learnt = Arc::clone(learnt);
        matrix.add([&call, &when], move || run(scenario, learnt, point));
    }
}
