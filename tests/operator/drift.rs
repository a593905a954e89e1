//! What others do to the remote endpoint behind the operator's back.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;
use simulator::{NewEndpoint, Operation};
use testkit::{NETWORK, World, endpoint_id, has_condition, message};
use webhook_operator::resources::{ClusterWebhookNetwork, UnmanagedEndpoint, WebhookEndpoint};

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_was_deleted_remotely_is_created_again() {
    let world = World::new("deleted").await;
    let lost = endpoint_id(&world.ready_endpoint("charge-events", json!({})).await);
    let before = world.api::<Secret>().get("charge-events").await.expect("the Secret");

    assert!(world.simulator.delete(&lost));
    let again = world.until::<WebhookEndpoint>("charge-events", "Ready with another endpoint", |found| {
        found.is_some_and(|resource| {
            has_condition(resource, "Ready", "True", "Available") && endpoint_id(resource) != lost
        })
    });
    let again = again.await.expect("it exists");

    world.check_secret(&again, "charge-events").await;
    let after = world.api::<Secret>().get("charge-events").await.expect("the Secret");
    assert_eq!(after.uid(), before.uid(), "the same Secret, with another value");
    assert_eq!(world.endpoints().len(), 1);
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (2, 0));
    assert_eq!(ledger.count(Operation::Get), 2, "a list alone is not believed");

    let told = world.kubectl_says(&["get", "events", "--no-headers"]);
    assert!(
        told.contains(&format!("endpoint {lost} was deleted remotely, and not by this operator")),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_change_is_undone() {
    let world = World::new("drift").await;
    let id = endpoint_id(&world.ready_endpoint("charge-events", json!({})).await);

    world.simulator.edit(&id, |endpoint| endpoint.enabled_events = vec!["asset.connectivity".to_owned()]);
    world
        .remotely("the declared events", |view| {
            view.endpoint(&id).is_some_and(|endpoint| endpoint.enabled_events == ["ocpp.message"])
        })
        .await;
    world.simulator.disable(&id);
    world
        .remotely("an active endpoint", |view| {
            view.endpoint(&id).is_some_and(|endpoint| endpoint.status == "active")
        })
        .await;

    world.lists(2).await;
    world.ready("charge-events").await;
    let ledger = world.simulator.ledger();
    let patches: Vec<_> = ledger.calls(Operation::Patch).map(|call| call.fields.join(",")).collect();
    assert_eq!(patches, ["enabledEvents", "status"]);
    assert_eq!(ledger.writes(), 3, "one create and two patches");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_keeps_being_disabled_is_left_alone_for_a_while() {
    let world = World::new("disabled").await;
    let id = endpoint_id(&world.ready_endpoint("charge-events", json!({})).await);
    let is_active =
        |view: &simulator::View<'_>| view.endpoint(&id).is_some_and(|found| found.status == "active");

    world.simulator.disable(&id);
    world.remotely("an active endpoint", is_active).await;
    world.simulator.disable(&id);
    let resource = world.condition("charge-events", "Reconciling", "True", "Deactivated").await;
    assert!(message(&resource, "Ready").contains("check the receiver; it is reactivated at"), "{resource:?}");
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().count(Operation::Patch), 1, "no fight");

    world.simulator.advance_clock(std::time::Duration::from_secs(61));
    // The operator learns the API's time from its answers. Any new value asks for a fresh look, now
    // rather than in a minute of this machine's.
    world.lists(2).await;
    let look = json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": "now" } } });
    world.change("charge-events", look).await;
    world.remotely("an active endpoint", is_active).await;
    world.ready("charge-events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_change_is_only_reported_where_that_is_asked_for() {
    let world = World::new("report").await;
    let id = endpoint_id(&world.ready_endpoint("charge-events", json!({ "driftPolicy": "Report" })).await);

    world.simulator.disable(&id);
    let resource = world.condition("charge-events", "Stalled", "True", "Drifted").await;
    assert_eq!(
        message(&resource, "Ready"),
        format!(
            "endpoint {id} differs from what is declared, and driftPolicy is Report: set it to Correct to undo the \
             change"
        )
    );
    world.network_counts(1, 1, 0).await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().count(Operation::Patch), 0);

    // A change of the manifest is no drift: it is carried out.
    world.change("charge-events", json!({ "spec": { "driftPolicy": "Correct" } })).await;
    world.ready("charge-events").await;
    assert_eq!(world.simulator.ledger().count(Operation::Patch), 1);
    world.network_counts(1, 0, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_deletion_is_only_reported_where_that_is_asked_for() {
    let world = World::new("report-gone").await;
    let id = endpoint_id(&world.ready_endpoint("charge-events", json!({ "driftPolicy": "Report" })).await);

    assert!(world.simulator.delete(&id));
    world.condition("charge-events", "Stalled", "True", "DeletedRemotely").await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 1);

    world.change("charge-events", json!({ "spec": { "driftPolicy": "Correct" } })).await;
    let resource = world.ready("charge-events").await;
    world.check_secret(&resource, "charge-events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_nobody_declared_is_counted_and_not_touched() {
    let world = World::new("unmanaged").await;
    let id = world.simulator.insert(NETWORK, NewEndpoint::new("https://hooks.example.com/charge-events"));
    let theirs = world.simulator.endpoint(&id);
    world.network_counts(0, 0, 1).await;
    let network =
        world.cluster_api::<ClusterWebhookNetwork>().get(&world.namespace).await.expect("it is there");
    let named = network.status.expect("it was listed").unmanaged_endpoints;
    let url = "https://hooks.example.com/charge-events".to_owned();
    assert_eq!(named, [UnmanagedEndpoint { id: id.to_string(), url }]);

    // Not even where it looks like the one to be made.
    let own = endpoint_id(&world.ready_endpoint("charge-events", json!({})).await);
    world.network_counts(1, 0, 1).await;
    world.delete("charge-events").await;
    world.lists(2).await;
    assert_ne!(own, id);
    assert_eq!(world.simulator.endpoint(&id), theirs);
    assert_eq!(world.simulator.ledger().writes(), 2, "the other one's create and delete");
}
