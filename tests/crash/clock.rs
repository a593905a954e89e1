//! The operator's own clock is wrong: what it judges by is the API's.

use jiff::SignedDuration;
use serde_json::json;
use simulator::{Fault, FaultKind, Operation};
use testkit::{NETWORK, World};

use crate::end::expect;
use crate::harness::Matrix;

/// An answer to a create is lost right after the first list of the network, which was begun before the
/// API had told its time.
async fn a_lost_answer(skew: SignedDuration) -> Result<(), String> {
    let world = World::without_network("clock").await;
    world.simulator.set_clock_skew(skew);
    world.simulator.inject(Fault::on(Operation::Create, FaultKind::status_after_effect(504, "")));
    world.add_network(json!({ "timeout": "1s", "resyncInterval": "10m" })).await;
    world.ready_endpoint("hook", json!({})).await;
    let ledger = world.simulator.ledger();
    expect("live endpoints", world.simulator.endpoints(NETWORK).len(), 1..=1)?;
    expect("creates", ledger.effects(Operation::Create), 2..=2)?;
    expect("deletes", ledger.effects(Operation::Delete), 1..=1)
}

pub fn matrix() -> Matrix {
    let mut matrix = Matrix::new("clock", 4);
    let hour = SignedDuration::from_hours(1);
    let minutes = SignedDuration::from_mins(2);
    let rows = [("slow", hour), ("fast", -hour), ("a bit slow", minutes), ("a bit fast", -minutes)];
    for (name, skew) in rows {
        matrix.add([name], move || a_lost_answer(skew));
    }
    matrix
}
