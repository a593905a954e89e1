//! Objects that this version can't read, as they are after a rollback.

use kube::Api;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Operation, Point};
use testkit::audit::Mark;
use testkit::{World, delete, endpoint_id, patch};
use webhook_operator::resources::{
    ClusterWebhookNetwork, Lenient, WebhookEndpoint, WebhookEndpointStatus, WebhookNetwork,
};

type Shown = Lenient<WebhookEndpoint>;

/// An event of tomorrow.
fn boot(object: &mut Value) {
    object["spec"]["enabledEvents"] = json!(["ocpp.boot"]);
}

/// Waits until an object that can't be read says so, and nothing else of its present generation.
async fn told(world: &World, name: &str) -> WebhookEndpointStatus {
    let api = Api::<Shown>::namespaced(world.client.clone(), &world.namespace);
    let says = |found: Option<&Shown>| {
        let Some(Lenient::Unreadable(found)) = found else { return false };
        let status = found.status.as_ref();
        let conditions = status.map(|status| &status.conditions[..]).unwrap_or_default();
        status.is_some_and(|status| status.observed_generation == found.metadata.generation)
            && conditions.iter().any(|condition| {
                condition.type_ == "Stalled" && condition.reason == "Unreadable" && condition.status == "True"
            })
            && conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "False")
    };
    match world.until_in(api, name, "told of", says).await {
        Some(Lenient::Unreadable(found)) => found.status.expect("a status"),
        found => panic!("it can't be read: {found:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_an_object_of_tomorrow_is_told_of_once_and_can_be_deleted() {
    let world = World::new("tomorrow").await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    let id = endpoint_id(&resource);
    // The Event of the create comes in passing.
    world.lists(1).await;
    let mark = Mark::now();
    world.change_stored::<WebhookEndpoint>("hook", boot);
    let status = told(&world, "hook").await;
    assert!(status.conditions[0].message.contains("ocpp.boot"), "{status:?}");
    assert_eq!(status.endpoint.map(|endpoint| endpoint.id), Some(id.to_string()));
    world.network_counts(1, 0, 0).await;
    world.lists(2).await;
    let written = world.requests_since(mark).into_iter().filter(testkit::audit::Request::is_write);
    let mut written = written.map(|request| request.to_string()).collect::<Vec<_>>();
    written.sort_unstable();
    assert_eq!(written, ["create events", "patch webhookendpoints/status hook"]);
    world.check_secret(&resource, "hook").await;
    assert_eq!(world.simulator.ledger().writes(), 1);

    // What became of it meanwhile is found again when it can be read.
    patch(&world.api::<Shown>(), "hook", json!({ "spec": { "enabledEvents": ["ocpp.message"] } })).await;
    assert_eq!(endpoint_id(&world.ready("hook").await), id);

    world.change_stored::<WebhookEndpoint>("hook", boot);
    told(&world, "hook").await;
    delete(&world.api::<Shown>(), "hook").await;
    world.until_in(world.api::<Shown>(), "hook", "gone", |found| found.is_none()).await;
    assert_eq!(world.endpoints(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_one_that_does_not_say_what_is_to_become_of_its_endpoint_says_how_to_let_it_go() {
    let world = World::new("archive").await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    world.change_stored::<WebhookEndpoint>("hook", |object| {
        boot(object);
        object["spec"]["deletionPolicy"] = "Archive".into();
    });
    told(&world, "hook").await;
    delete(&world.api::<Shown>(), "hook").await;
    let says = |found: Option<&Shown>| {
        let Some(Lenient::Unreadable(found)) = found else { return false };
        let mut conditions = found.status.iter().flat_map(|status| &status.conditions);
        conditions.any(|condition| condition.message.contains("set spec.deletionPolicy to Delete or Retain"))
    };
    world.until_in(world.api::<Shown>(), "hook", "told how to let it go", says).await;
    world.lists(1).await;
    assert_eq!(world.endpoints().len(), 1);
    patch(&world.api::<Shown>(), "hook", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    world.until_in(world.api::<Shown>(), "hook", "gone", |found| found.is_none()).await;
    world.check_secret(&resource, "hook").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_an_object_of_tomorrow_harms_no_neighbour() {
    let world = World::new("neighbours").await;
    world.ready_endpoint("tomorrows", json!({ "url": "https://hooks.example.com/same" })).await;
    world.change_stored::<WebhookEndpoint>("tomorrows", boot);
    told(&world, "tomorrows").await;
    let tomorrows = world.endpoints()[0].id.clone();

    // A create whose answer is lost is resolved, although the other has the same URL.
    let lost = FaultKind::Reset { point: Point::AfterEffect };
    world.simulator.inject(Fault::on(Operation::Create, lost));
    let today = world.ready_endpoint("todays", json!({ "url": "https://hooks.example.com/same" })).await;
    let mut left = world.endpoints().into_iter().map(|endpoint| endpoint.id).collect::<Vec<_>>();
    left.sort();
    let mut expected = vec![tomorrows, endpoint_id(&today)];
    expected.sort();
    assert_eq!(left, expected);

    // A network that nobody uses goes.
    world.add_credentials().await;
    world.add_team_network("unused", json!({})).await;
    let networks = world.api::<WebhookNetwork>();
    world.condition_in(networks.clone(), "unused", "Ready", "True", "Available").await;
    delete(&networks, "unused").await;
    world.until_gone(networks, "unused").await;

    // One that the object of tomorrow uses stays as long as that does.
    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    delete(&networks, &world.namespace).await;
    world.delete("todays").await;
    world.network_condition("Ready", "False", "InUse").await;
    delete(&world.api::<Shown>(), "tomorrows").await;
    world.until_gone(networks, &world.namespace).await;
    assert_eq!(world.endpoints(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_a_network_of_tomorrow_is_told_of_and_can_be_deleted() {
    let world = World::without_network("tomorrows-network").await;
    world.add_namespaced_network().await;
    let spec = json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } });
    world.ready_endpoint("hook", spec.clone()).await;
    world.change_stored::<WebhookNetwork>("default", |object| {
        object["spec"]["limits"]["inFlight"] = "as many as it takes".into();
    });
    let networks = world.api::<Lenient<WebhookNetwork>>();
    let says = |found: Option<&Lenient<WebhookNetwork>>| {
        let Some(Lenient::Unreadable(found)) = found else { return false };
        let mut conditions = found.status.iter().flat_map(|status| &status.conditions);
        conditions.any(|condition| condition.type_ == "Stalled" && condition.reason == "Unreadable")
    };
    world.until_in(networks.clone(), "default", "told of", says).await;
    world.endpoint("another", spec).await;
    let waits = world.condition("another", "Reconciling", "True", "NetworkNotReady").await;
    assert!(testkit::message(&waits, "Ready").contains("can't read it"), "{waits:?}");
    world.delete("another").await;

    // What is being deleted goes with what is known of it.
    world.delete("hook").await;
    assert_eq!(world.endpoints(), []);
    delete(&networks, "default").await;
    world.until_in(networks, "default", "gone", |found| found.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_an_operator_that_starts_before_a_network_of_tomorrow_serves_the_others() {
    let mut world = World::with_own_operator("tomorrows-start").await;
    world.add_credentials().await;
    world.add_team_network("tomorrows", json!({})).await;
    world.condition_in(world.api::<WebhookNetwork>(), "tomorrows", "Ready", "True", "Available").await;
    assert!(world.operator().stop());
    world.change_stored::<WebhookNetwork>("tomorrows", |object| {
        object["spec"]["limits"]["inFlight"] = "as many as it takes".into();
    });
    world.start_operator();
    world.ready_endpoint("neighbour", json!({})).await;
    let networks = world.api::<Lenient<WebhookNetwork>>();
    delete(&networks, "tomorrows").await;
    world.until_in(networks, "tomorrows", "gone", |found| found.is_none()).await;
}
