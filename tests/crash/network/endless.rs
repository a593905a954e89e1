//! An API that never answers a create well is met with growing pauses.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use simulator::{Fault, FaultKind, Operation};

use super::row::blind_posts;
use crate::scene::clear;
use crate::support::world::NETWORK;
use crate::support::{Operator, SOON, World};

/// The least pauses before the second, third, fourth and fifth create.
const PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1000), Duration::from_millis(2000)];

async fn creates_slow_down(name: &str, kind: FaultKind) {
    let world = World::without_operator("endless", json!({})).await;
    Operator::shared();
    // Nothing but the failing creates makes the operator look.
    world.add_network(json!({ "timeout": "1s", "resyncInterval": "10m" })).await;
    world.simulator.inject(Fault::on(Operation::Create, kind).until_cleared());
    world.endpoint("hook", json!({})).await;
    let last =
        world.simulator.wait_until(SOON, |view| view.ledger().count(Operation::Create) > PAUSES.len());
    last.await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let ledger = world.simulator.ledger();
    let posts = ledger.calls(Operation::Create).map(|entry| entry.time).collect::<Vec<_>>();
    for (pair, least) in posts.windows(2).zip(PAUSES) {
        let pause = pair[1].duration_since(pair[0]);
        assert!(pause >= least.try_into().expect("a short time"), "{name}: {pause:#} between two creates");
    }
    blind_posts(&ledger).unwrap_or_else(|why| panic!("{name}: {why}"));
    let live = world.simulator.endpoints(NETWORK).len();
    assert!(live <= 1, "{name}: {live} live endpoints");
    clear(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn creates_that_never_show_a_secret_slow_down() {
    let kinds = [
        ("2xx without secret", FaultKind::without_secret()),
        ("504 after the effect", FaultKind::status_after_effect(504, "")),
        ("invalid JSON", FaultKind::InvalidJson),
        ("409", FaultKind::status(409, "")),
    ];
    join_all(kinds.map(|(name, kind)| creates_slow_down(name, kind))).await;
}
