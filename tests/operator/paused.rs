//! Whoever pauses a resource has everything left as it is.

use kube::ResourceExt as _;
use serde_json::json;
use simulator::Operation;
use testkit::{World, condition, endpoint_id, message};
use webhook_operator::resources::WebhookEndpoint;

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_resource_is_left_as_it_is() {
    let world = World::new("paused").await;
    let id = endpoint_id(&world.ready_endpoint("charge-events", json!({})).await);

    let change = json!({ "spec": { "paused": true, "status": "inactive", "secret": { "name": "signing" } } });
    world.change("charge-events", change).await;
    let resource = world.condition("charge-events", "Synced", "False", "Paused").await;
    assert_eq!(
        message(&resource, "Synced"),
        "spec.paused is true, so nothing is changed: set it to false to go on"
    );
    assert_eq!(condition(&resource, "Stalled"), None, "nobody has to do anything about it");
    world.simulator.edit(&id, |endpoint| endpoint.enabled_events = vec!["asset.connectivity".to_owned()]);
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().writes(), 1);
    assert_eq!(world.secret_names().await, ["charge-events"]);

    world.change("charge-events", json!({ "spec": { "paused": false } })).await;
    let resource = world.ready("charge-events").await;
    let remote = world.check_secret(&resource, "signing").await;
    assert_eq!(
        (remote.status.as_str(), &remote.enabled_events[..]),
        ("inactive", &["ocpp.message".to_owned()][..])
    );
    assert_eq!(world.simulator.ledger().count(Operation::Patch), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_created_for_a_resource_that_is_paused_from_the_start() {
    let world = World::new("paused-new").await;
    world.endpoint("charge-events", json!({ "paused": true })).await;
    world.condition("charge-events", "Ready", "False", "Paused").await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().writes(), 0);
    world.change("charge-events", json!({ "spec": { "paused": false } })).await;
    world.ready("charge-events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_resource_is_deleted_once_it_goes_on() {
    let world = World::new("paused-delete").await;
    world.ready_endpoint("charge-events", json!({})).await;
    world.change("charge-events", json!({ "spec": { "paused": true } })).await;
    world.condition("charge-events", "Synced", "False", "Paused").await;

    world.ask_to_delete("charge-events").await;
    let told = world.until::<WebhookEndpoint>("charge-events", "told why it stays", |found| {
        found.is_some_and(|resource| message(resource, "Synced").contains("the deletion waits"))
    });
    let told = told.await.expect("it stays");
    assert!(message(&told, "Synced").contains("spec.paused"), "{told:?}");
    assert_eq!(told.finalizers().len(), 1);
    world.lists(2).await;
    assert_eq!(world.endpoints().len(), 1);

    world.change("charge-events", json!({ "spec": { "paused": false } })).await;
    world.until_deleted("charge-events").await;
    assert_eq!(world.endpoints(), []);
}
