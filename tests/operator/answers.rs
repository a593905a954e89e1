//! An API that answers creates without showing the secret.

use serde_json::json;
use simulator::{Fault, FaultKind, Operation};
use testkit::World;

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_never_shows_a_secret_is_not_asked_in_a_loop() {
    let world = World::new("secretless").await;
    world.simulator.inject(Fault::on(Operation::Create, FaultKind::without_secret()).until_cleared());
    world.endpoint("charge-events", json!({})).await;

    world.condition("charge-events", "Ready", "False", "ProviderError").await;
    let creates = world.simulator.ledger().effects(Operation::Create);
    assert!((2..=6).contains(&creates), "{creates} creates before it said so");

    world.simulator.clear_faults();
    let resource = world.ready("charge-events").await;
    world.check_secret(&resource, "charge-events").await;
    assert_eq!(world.endpoints().len(), 1, "nothing is left of the others");
}
