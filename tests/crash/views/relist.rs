//! The API server has forgotten the version that each watch goes on from, at every call of a scenario.

use interposer::{CallMatcher, Collection, Expiry, Plan, When};
use testkit::SOON;

use super::AT_A_TIME;
use crate::end::come_to;
use crate::harness::Matrix;
use crate::learnt::{begin, check, learnt};
use crate::scenario::{self, Scenario};
use crate::scene::Scene;

async fn run(scenario: Scenario, expiry: Expiry) -> Result<(), String> {
    let learnt = learnt(scenario).await?;
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = begin(&scene, &scenario).await?;
    let end = scenario.end();
    let (mut seen, mut stops) = (begin.calls, 0);
    scene.gate.plan([next_call(seen)]);
    (scenario.act)(&scene).await;
    loop {
        let stop = tokio::select! {
            biased;
            stop = scene.gate.reached(SOON) => stop.map_err(|error| error.to_string())?,
            ended = come_to(&scene, &end, 3) => break ended?,
        };
        stops += 1;
        seen = stop.call.sequence;
        scene.kube.expire_watches(Collection::all(), expiry);
        scene.gate.plan([next_call(seen)]);
        scene.gate.resume();
    }
    if stops < scenario.creates + scenario.deletes + 1 {
        return Err(format!("the watches expired at {stops} calls only"));
    }
    check(&scene, &learnt, 0, &begin)?;
    scene.close().await;
    Ok(())
}

/// Stops at the next call that changes something.
fn next_call(seen: u64) -> Plan {
    let at = CallMatcher::matching(move |call| call.counted && call.sequence > seen);
    Plan { at, when: When::AnswerDelivered }
}

/// Watches that expire at every call cost nothing but lists.
pub fn matrix() -> Matrix {
    let mut matrix = Matrix::new("views/expired", AT_A_TIME);
    for scenario in scenario::OFTEN {
        for expiry in [Expiry::Event, Expiry::Response] {
            matrix.add([scenario.name, &format!("{expiry:?}")], move || run(scenario, expiry));
        }
    }
    matrix
}
