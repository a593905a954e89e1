//! The API server has forgotten the version that each watch goes on from, at every call of a scenario.

use std::sync::Arc;

use interposer::{CallMatcher, Collection, Expiry, Plan, When};

use super::all_well;
use crate::end::come_to;
use crate::learnt::{Learnt, begin, check, learn};
use crate::scenario::{self, Scenario};
use crate::scene::Scene;
use crate::support::SOON;

async fn run(scenario: Scenario, learnt: Arc<Learnt>, expiry: Expiry) -> Result<(), String> {
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = begin(&scene, &scenario).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn watches_that_expire_at_every_call_cost_nothing_but_lists() {
    let mut worlds = Vec::new();
    for scenario in scenario::ALL {
        let learnt = Arc::new(learn(&scenario).await);
        worlds.extend([Expiry::Event, Expiry::Response].map(|expiry| {
            let name = format!("{}, expired by {expiry:?}", scenario.name);
            (name, run(scenario, Arc::clone(&learnt), expiry))
        }));
    }
    all_well("expired", worlds).await;
}
