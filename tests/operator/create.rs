//! A manifest becomes a remote endpoint and a Secret.

use secrecy::ExposeSecret as _;
use serde_json::json;
use simulator::Operation;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_becomes_an_endpoint_and_a_secret() {
    let world = World::new("create").await;
    world.endpoint("charge-events", json!({})).await;
    let resource = world.ready("charge-events").await;

    let status = resource.status.expect("a status");
    let remote = status.endpoint.expect("the endpoint as last seen");
    let truth =
        world.simulator.secret_of(&remote.id.as_str().into()).expect("the simulator knows the endpoint");
    assert_eq!(
        world.secret_value("charge-events", "secret").await.as_deref(),
        Some(truth.expose_secret()),
        "the Secret holds the true secret"
    );
    assert_eq!(world.secret_value("charge-events", "endpointId").await, Some(remote.id));
    assert_eq!(world.secret_value("charge-events", "url").await, Some(remote.url));
    assert_eq!(world.simulator.ledger().count(Operation::Create), 1);
}
