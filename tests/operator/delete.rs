//! A deleted manifest takes its endpoint and its Secret along, unless it says otherwise.

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::ResourceExt as _;
use serde_json::json;
use simulator::Operation;
use testkit::audit::Mark;
use testkit::{World, delete, endpoint_id, message, texts};
use webhook_operator::resources::{WebhookEndpoint, WebhookNetwork};

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_takes_the_endpoint_and_the_garbage_collector_takes_the_secret() {
    let world = World::new("delete").await;
    let resource = world.ready_endpoint("charge-events", json!({})).await;
    assert_eq!(resource.finalizers(), ["webhookoperator.dev/finalizer"]);

    // What was seen may come before its line in the audit log.
    world.lists(1).await;
    let mark = Mark::now();
    world.delete("charge-events").await;
    assert_eq!(world.endpoints(), []);
    assert_eq!(world.simulator.ledger().count(Operation::Delete), 1);
    world.until_gone(world.api::<Secret>(), "charge-events").await;
    assert_eq!(
        texts(&world.requests_since(mark)),
        ["create events", "get webhookendpoints charge-events", "patch webhookendpoints charge-events"],
        "the Secret is not the operator's to delete"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_already_counts_as_deleted() {
    let world = World::without_network("gone").await;
    world.add_network(json!({ "resyncInterval": "1h" })).await;
    world.network_ready().await;
    let id = endpoint_id(&world.ready_endpoint("charge-events", json!({})).await);
    assert!(world.simulator.delete(&id));

    world.delete("charge-events").await;
    let ledger = world.simulator.ledger();
    let answers: Vec<_> = ledger.calls(Operation::Delete).map(|call| call.status).collect();
    assert_eq!(answers, [Some(404), Some(404)], "the first may be a gateway's");
    assert_eq!(ledger.count(Operation::Get), 2, "nor is a 404 believed alone");
    world.until_gone(world.api::<Secret>(), "charge-events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_never_had_an_endpoint_goes_at_once() {
    let world = World::without_network("never").await;
    world.endpoint("charge-events", json!({})).await;
    world.condition("charge-events", "Reconciling", "True", "NetworkNotFound").await;
    world.delete("charge-events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retain_leaves_the_endpoint_and_its_secret() {
    let world = World::new("retain").await;
    let resource = world.ready_endpoint("charge-events", json!({ "deletionPolicy": "Retain" })).await;
    let id = endpoint_id(&resource);

    world.delete("charge-events").await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().count(Operation::Delete), 0);
    let secret = world.api::<Secret>().get("charge-events").await.expect("the Secret stays");
    assert_eq!(secret.owner_references(), [], "the garbage collector has no reason to take it");
    world.check_secret(&resource, "charge-events").await;
    world.network_counts(0, 0, 1).await;

    // Declared again, both are its own again.
    let again = world.ready_endpoint("charge-events", json!({})).await;
    assert_eq!(endpoint_id(&again), id);
    world.check_secret(&again, "charge-events").await;
    assert_eq!(world.simulator.ledger().writes(), 1);
    world.delete("charge-events").await;
    assert_eq!(world.endpoints(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_namespace_goes_with_everything_in_it() {
    let world = World::new("namespace").await;
    world.endpoints_named((0..5).map(|number| format!("e{number}")), &json!({})).await;
    world.all_ready(5).await;
    delete_namespace(&world).await;
    assert_eq!(world.endpoints(), []);
    assert_eq!(world.simulator.ledger().count(Operation::Delete), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_namespace_goes_with_its_own_network_and_credentials() {
    let world = World::without_network("own-network").await;
    world.add_namespaced_network().await;
    let spec = json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } });
    world.endpoints_named((0..3).map(|number| format!("e{number}")), &spec).await;
    world.all_ready(3).await;
    delete_namespace(&world).await;
    assert_eq!(world.endpoints(), []);
}

/// What the deletion of a namespace may come to: it deletes kinds in any order.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_deleted_although_its_networks_credentials_are_gone() {
    let world = World::without_network("no-credentials").await;
    world.add_namespaced_network().await;
    let spec = json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } });
    world.ready_endpoint("charge-events", spec.clone()).await;

    delete(&world.api::<Secret>(), "credentials").await;
    let networks = world.api::<WebhookNetwork>();
    world.condition_in(networks, "default", "Ready", "False", "CredentialsNotFound").await;
    // Nothing new is begun without credentials.
    world.endpoint("another", spec).await;
    let waiting = world.condition("another", "Ready", "False", "NetworkNotReady").await;
    assert!(message(&waiting, "Ready").contains(r#"Secret "credentials" in namespace"#), "{waiting:?}");

    world.delete("charge-events").await;
    assert_eq!(world.endpoints(), []);

    world.add_credentials().await;
    world.ready("another").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_stays_until_its_last_endpoint_is_gone() {
    let world = World::without_network("in-use").await;
    world.add_namespaced_network().await;
    let spec = json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } });
    world.ready_endpoint("charge-events", spec).await;

    let networks = world.api::<WebhookNetwork>();
    delete(&networks, "default").await;
    world.condition_in(networks.clone(), "default", "Ready", "False", "InUse").await;
    world.delete("charge-events").await;
    assert_eq!(world.endpoints(), []);
    world.until_gone(networks, "default").await;
    assert_eq!(world.all::<WebhookEndpoint>().await.len(), 0);
}

async fn delete_namespace(world: &World) {
    let namespaces = world.cluster_api::<Namespace>();
    delete(&namespaces, &world.namespace).await;
    world.until_gone(namespaces, &world.namespace).await;
}
