//! Kubernetes itself fails: each write to it, in each way. It ends as an undisturbed run does, with as many creates
//! and deletes.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use interposer::{Call, Fault, Kind, Times};
use simulator::Ledger;
use testkit::SOON;

use crate::end::come_to;
use crate::harness::{Asked, Matrix, path};
use crate::learnt::{self, Effects, Learnt, Point, begin};
use crate::scenario::{self, EMPTY, OFTEN, Scenario};
use crate::scene::Scene;

/// Most of the time, they wait for the next try.
const AT_A_TIME: usize = 12;
/// Longer than the operator waits for the API server.
const HANG: Duration = Duration::from_secs(20);

/// The calls that are refused.
type Refused = fn(&Call) -> bool;

/// What goes wrong, and how often in a row.
const TROUBLES: [(&str, Fault, usize); 7] = [
    ("reset before", Fault::ResetBefore, 2),
    ("reset after", Fault::ResetAfter, 1),
    ("hang", Fault::Latency(HANG), 1),
    ("409", status(StatusCode::CONFLICT), 2),
    ("429", throttled(), 2),
    ("500", status(StatusCode::INTERNAL_SERVER_ERROR), 2),
    ("503", status(StatusCode::SERVICE_UNAVAILABLE), 2),
];

const fn status(code: StatusCode) -> Fault {
    Fault::Status { code, retry_after: None }
}

const fn throttled() -> Fault {
    Fault::Status { code: StatusCode::TOO_MANY_REQUESTS, retry_after: Some(Duration::from_secs(1)) }
}

async fn run(
    scenario: Scenario,
    learnt: Arc<Learnt>,
    point: Point,
    trouble: (Fault, usize),
) -> Result<(), String> {
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = begin(&scene, &scenario).await?;
    let (fault, times) = trouble;
    let fault = scene.kube.inject(fault, Times::Next(times), move |call| point.is(call, begin.calls));
    (scenario.act)(&scene).await;
    let struck = tokio::time::timeout(SOON, fault.until_struck(1)).await;
    struck.map_err(|_| format!("no call met the fault\nthe operator's log:\n{}", scene.log()))?;
    come_to(&scene, &scenario.end(), 2).await?;
    let effects = Effects::of(&scene.world.simulator.ledger().since(begin.ledger));
    scene.close().await;
    if effects == learnt.effects {
        Ok(())
    } else {
        Err(format!("{effects:?} took effect, expected {:?}", learnt.effects))
    }
}

/// The operator starts while reads fail: a fleet that is as declared is not written, and its network is ready
/// again in a moment.
async fn start(refused: Refused, fault: Fault) -> Result<(), String> {
    let mut scene = Scene::new("start").await;
    scene.start();
    come_to(&scene, &[EMPTY.to_owned()], 1).await?;
    scenario::ready(&scene).await;
    scene.kill().await;
    let before = scene.world.simulator.ledger().last_sequence();
    let life = scene.gate.life();
    let fault = scene.kube.inject(fault, Times::Next(1), refused);
    scene.start();
    let struck = tokio::time::timeout(SOON, fault.until_struck(1)).await;
    struck.map_err(|_| format!("no call met the fault\nthe operator's log:\n{}", scene.log()))?;
    let listed = tokio::time::timeout(Duration::from_secs(15), crate::end::looked(&scene, 2)).await;
    listed.map_err(|_| format!("the network is not listed soon\n{}", scene.log()))??;
    come_to(&scene, &scenario::CREATE.end(), 3).await?;
    let written = scene.gate.mutations_in(life);
    let ledger: Ledger = scene.world.simulator.ledger().since(before);
    scene.close().await;
    if written.is_empty() && ledger.writes() == 0 {
        Ok(())
    } else {
        let written = written.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        Err(format!("{} remote writes, and these to Kubernetes:\n{written}", ledger.writes()))
    }
}

fn reads(call: &Call, resource: &str) -> bool {
    call.kind == Kind::Read && call.resource().is_some_and(|read| read.resource == resource)
}

pub async fn matrices(asked: &Asked) -> Vec<Matrix> {
    let mut starts = Matrix::new("faults/start", AT_A_TIME);
    let credentials: Refused =
        |call| reads(call, "secrets") && call.resource().is_some_and(|secret| secret.name.is_some());
    let refused: [(&str, Refused); 5] = [
        ("credentials", credentials),
        ("secrets", |call| {
            reads(call, "secrets") && call.resource().is_some_and(|secret| secret.name.is_none())
        }),
        ("webhookendpoints", |call| reads(call, "webhookendpoints")),
        ("clusterwebhooknetworks", |call| reads(call, "clusterwebhooknetworks")),
        ("namespaces", |call| reads(call, "namespaces")),
    ];
    for (what, refused) in refused {
        for (name, fault) in [("503", status(StatusCode::SERVICE_UNAVAILABLE)), ("reset", Fault::ResetBefore)]
        {
            starts.add([what, name], move || start(refused, fault));
        }
    }
    let mut matrices =
        learnt::matrices(asked, "faults", OFTEN.into_iter(), AT_A_TIME, |scenario, learnt, matrix| {
            // The others make the same writes.
            if matches!(scenario.name, "recreation" | "twins") {
                return;
            }
            let mut seen = Vec::new();
            for point in learnt.points.iter().filter(|point| point.writes_kubernetes()) {
                if seen.contains(&path([&point.call.to_string()])) {
                    continue;
                }
                seen.push(path([&point.call.to_string()]));
                for (name, fault, times) in TROUBLES {
                    let (learnt, point) = (Arc::clone(learnt), point.clone());
                    let call = point.call.to_string();
                    matrix.add([&call, name], move || run(scenario, learnt, point, (fault, times)));
                }
            }
        })
        .await;
    matrices.retain(|matrix| matrix.len() > 0);
    matrices.push(starts);
    matrices
}
