//! The operator's own clock is wrong: what it judges by is the API's.

use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::json;
use simulator::{Fault, FaultKind, Operation};

use crate::support::world::NETWORK;
use crate::support::{Operator, World};

/// An answer to a create is lost right after the first list of the network, which was begun before the
/// API had told its time.
async fn a_lost_answer(name: &str, skew: SignedDuration) {
    let world = World::without_operator(name, json!({})).await;
    world.simulator.set_clock_skew(skew);
    world.simulator.inject(Fault::on(Operation::Create, FaultKind::status_after_effect(504, "")));
    Operator::shared();
    world.add_network(json!({ "timeout": "1s", "resyncInterval": "10m" })).await;
    world.endpoint("hook", json!({})).await;
    world.ready("hook").await;
    let ledger = world.simulator.ledger();
    assert_eq!(
        world.simulator.endpoints(NETWORK).len(),
        1,
        "{name}: the lost create's endpoint is left over"
    );
    assert_eq!(ledger.effects(Operation::Create), 2, "{name}");
    assert_eq!(ledger.effects(Operation::Delete), 1, "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_create_is_resolved_whatever_the_local_clock_shows() {
    let hour = SignedDuration::from_hours(1);
    let minutes = SignedDuration::from_mins(2);
    let rows = [("slow", hour), ("fast", -hour), ("a-bit-slow", minutes), ("a-bit-fast", -minutes)];
    join_all(rows.map(|(name, skew)| a_lost_answer(name, skew))).await;
}
