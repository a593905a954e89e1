//! Everything leaves at once, or by mistake.

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::ResourceExt as _;
use serde_json::json;
use simulator::Operation;
use testkit::{World, delete, endpoint_id, message, patch};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint, WebhookNetwork};

const ENDPOINTS: usize = 3;

/// What leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Endpoints,
    Network,
    Credentials,
}

use Leaves::{Credentials, Endpoints, Network};

const ORDERS: [[Leaves; 3]; 6] = [
    [Endpoints, Network, Credentials],
    [Endpoints, Credentials, Network],
    [Network, Endpoints, Credentials],
    [Network, Credentials, Endpoints],
    [Credentials, Endpoints, Network],
    [Credentials, Network, Endpoints],
];

fn team() -> serde_json::Value {
    json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } })
}

fn names() -> impl Iterator<Item = String> {
    (0..ENDPOINTS).map(|number| format!("e{number}"))
}

/// A namespace with its own network, credentials and endpoints.
async fn populate(world: &World) {
    world.add_namespaced_network().await;
    world.endpoints_named(names(), &team()).await;
    world.all_ready(ENDPOINTS).await;
}

async fn ask(world: &World, leaves: Leaves) {
    match leaves {
        Endpoints => {
            for name in names() {
                world.ask_to_delete(&name).await;
            }
        }
        Network => delete(&world.api::<WebhookNetwork>(), "default").await,
        Credentials => delete(&world.api::<Secret>(), "credentials").await,
    }
}

async fn is_gone(world: &World) {
    for name in names() {
        world.until_deleted(&name).await;
    }
    world.until_gone(world.api::<WebhookNetwork>(), "default").await;
}

/// What a resource that can't go says, once it says what to do.
async fn advice(world: &World, name: &str) -> String {
    let says = |found: Option<&WebhookEndpoint>| {
        found.is_some_and(|found| message(found, "Ready").contains("set spec.deletionPolicy to Retain"))
    };
    let told = world.until(name, "told what to do", says).await.expect("it stays");
    message(&told, "Ready").to_owned()
}

async fn retain(world: &World) {
    for name in names() {
        world.change(&name, json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_in_whatever_order_it_is_deleted() {
    for order in ORDERS {
        let world = World::without_network("leaves").await;
        populate(&world).await;
        for leaves in order {
            ask(&world, leaves).await;
        }
        is_gone(&world).await;
        assert_eq!(world.endpoints(), [], "{order:?}");
        assert_eq!(world.simulator.ledger().count(Operation::Create), ENDPOINTS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_that_was_deleted_while_the_operator_was_down() {
    for order in [[Endpoints, Network], [Network, Endpoints]] {
        let mut world = World::with_operator("left", testkit::OperatorOptions::default()).await;
        populate(&world).await;
        assert!(world.operator().stop(), "it stops with success");
        for leaves in order {
            ask(&world, leaves).await;
        }
        world.start_operator();
        is_gone(&world).await;
        assert_eq!(world.endpoints(), [], "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_it_says_what_to_do_and_that_works() {
    let mut world = World::with_operator("left-without", testkit::OperatorOptions::default()).await;
    populate(&world).await;
    assert!(world.operator().stop(), "it stops with success");
    for leaves in [Credentials, Network, Endpoints] {
        ask(&world, leaves).await;
    }
    world.start_operator();
    let told = advice(&world, "e0").await;
    assert!(told.contains("Secret \"credentials\"") && told.contains("create it"), "{told}");
    world.change("e1", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    world.until_deleted("e1").await;
    assert_eq!(world.endpoints().len(), ENDPOINTS);
    let kept = world.secret_value("e1", "endpointId").await.expect("its Secret is kept");

    world.add_credentials().await;
    is_gone(&world).await;
    assert_eq!(world.endpoints().iter().map(|left| left.id.as_str()).collect::<Vec<_>>(), [&*kept]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_was_deleted_while_the_operator_was_down_goes_in_the_end() {
    let mut world = World::with_operator("left-namespace", testkit::OperatorOptions::default()).await;
    populate(&world).await;
    assert!(world.operator().stop(), "it stops with success");
    let namespaces = world.cluster_api::<Namespace>();
    delete(&namespaces, &world.namespace).await;
    world.until_gone(world.api::<Secret>(), "credentials").await;
    world.start_operator();
    advice(&world, "e0").await;
    retain(&world).await;
    world.until_gone(namespaces, &world.namespace).await;
    assert_eq!(world.endpoints().len(), ENDPOINTS, "they are retained");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_was_deleted_by_mistake_is_kept_as_it_says() {
    let world = World::new("mistake").await;
    let before = world.ready_endpoint("hook", json!({})).await;
    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    let network = networks.get(&world.namespace).await.expect("the network");
    delete(&networks, &world.namespace).await;
    let told = world.network_condition("Reconciling", "True", "InUse").await;
    let advice = r#"--patch '{"metadata":{"finalizers":null}}') and apply it again"#;
    assert!(message(&told, "Ready").contains(advice), "{told:?}");

    // It serves what it has.
    let id = endpoint_id(&before);
    world.simulator.edit(&id, |endpoint| endpoint.status = "inactive".to_owned());
    world
        .remotely("the drift undone", |view| {
            view.endpoint(&id).is_some_and(|endpoint| endpoint.status == "active")
        })
        .await;

    patch(&networks, &world.namespace, json!({ "metadata": { "finalizers": null } })).await;
    world.until_gone(networks.clone(), &world.namespace).await;
    world.condition("hook", "Reconciling", "True", "NetworkNotFound").await;
    let applied = json!({
        "apiVersion": "webhookoperator.dev/v1alpha1",
        "kind": "ClusterWebhookNetwork",
        "metadata": { "name": network.name_any(), "labels": network.labels() },
        "spec": network.spec,
    });
    world.create_in_cluster::<ClusterWebhookNetwork>(applied).await;
    let after = world.ready("hook").await;
    assert_eq!(endpoint_id(&after), id);
    world.check_secret(&after, "hook").await;
    world.lists(1).await;
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (1, 0));
}
