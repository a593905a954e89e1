//! What an API, or somebody else, does that nobody would expect.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::json;
use simulator::{EndpointId, Fault, FaultKind, Hold, NewEndpoint, Operation};
use testkit::{NETWORK, World, endpoint_id, message};
use webhook_operator::resources::WebhookEndpoint;

const URL: &str = "https://hooks.example.com/hook";

/// Creates are answered with an endpoint that is there: an API for which URLs are unique may do so.
fn answer_creates_with(world: &World, id: &EndpointId) {
    let body = json!({ "data": {
        "id": id.as_str(), "networkId": NETWORK, "url": URL, "enabledEvents": ["ocpp.message"],
        "status": "active", "createdAt": "2023-06-07T17:32:28Z",
    }});
    let existing = FaultKind::status(200, body.to_string());
    world.simulator.inject(Fault::on(Operation::Create, existing).until_cleared());
}

/// The resource says that `id` is not its own, and leaves it alone.
async fn leaves_alone(world: &World, name: &str, id: &EndpointId) {
    let resource = world.condition(name, "Stalled", "True", "Refused").await;
    let said = message(&resource, "Stalled");
    assert!(said.contains(id.as_str()) && said.contains("was there before"), "{said}");
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().effects(Operation::Delete), 0);
    assert!(world.simulator.endpoint(id).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_made_by_hand_that_a_create_is_answered_with_is_left_alone() {
    let world = World::new("answered-by-hand").await;
    let theirs = world.simulator.insert(NETWORK, NewEndpoint::new(URL).events(["ocpp.message"]));
    world.lists(2).await;
    answer_creates_with(&world, &theirs);
    world.endpoint("hook", json!({ "url": URL })).await;
    leaves_alone(&world, "hook", &theirs).await;

    world.simulator.clear_faults();
    let resource = world.ready("hook").await;
    world.check_secret(&resource, "hook").await;
    assert!(world.simulator.endpoint(&theirs).is_some(), "it is still somebody else's");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_of_another_resource_that_a_create_is_answered_with_is_left_alone() {
    let world = World::new("answered-other").await;
    let first = endpoint_id(&world.ready_endpoint("first", json!({ "url": URL })).await);
    answer_creates_with(&world, &first);
    world.endpoint("second", json!({ "url": URL })).await;
    leaves_alone(&world, "second", &first).await;
    let resource = world.ready("first").await;
    world.check_secret(&resource, "first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_subscribes_to_events_of_its_own_is_not_patched_in_a_loop() {
    let world = World::new("own-events").await;
    let more = json!({ "enabledEvents": ["asset.connectivity", "ocpp.message"] });
    for operation in [Operation::Create, Operation::List, Operation::Get, Operation::Patch] {
        let altered = FaultKind::AlterEndpoint { patch: more.clone() };
        world.simulator.inject(Fault::on(operation, altered).until_cleared());
    }
    world.endpoint("hook", json!({ "url": URL })).await;
    let resource = world.condition("hook", "Stalled", "True", "Refused").await;
    let said = message(&resource, "Stalled");
    assert!(said.contains("has no effect"), "{said}");
    world.lists(3).await;
    // One each time that it is tried, in ever longer pauses.
    let patches = world.simulator.ledger().count(Operation::Patch);
    assert!(patches <= 8, "{patches} PATCHes");

    world.simulator.clear_faults();
    world.ready("hook").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_resources_that_hold_one_endpoint_the_last_to_go_takes_it_along() {
    let world = World::new("both-go").await;
    let first = endpoint_id(&world.ready_endpoint("first", json!({ "url": URL })).await);
    world.ready_endpoint("second", json!({ "url": URL })).await;
    // As a backup, or a person, may have it.
    let claim = Patch::Merge(json!({ "status": { "endpoint": { "id": first.as_str() } } }));
    let api = world.api::<WebhookEndpoint>();
    api.patch_status("second", &PatchParams::default(), &claim).await.expect("the status is changed");
    let again = json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": "1" } } });
    world.change("first", again).await;
    world.condition("first", "Stalled", "True", "EndpointContested").await;

    futures::join!(world.ask_to_delete("first"), world.ask_to_delete("second"));
    world.until_deleted("first").await;
    world.until_deleted("second").await;
    assert_eq!(world.endpoints(), [], "nobody would tell of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_hand_is_stored_although_another_endpoint_is_to_be_adopted() {
    let world = World::new("hand-adopt").await;
    let slow = FaultKind::Latency { hold: Hold::For(Duration::from_millis(1200)) };
    world.simulator.inject(Fault::on(Operation::Create, slow));
    world.endpoint("hook", json!({ "url": URL })).await;
    world.remotely("the create", |view| view.in_flight(Operation::Create) > 0).await;
    // Once the secret in hand is stored, the resource holds an endpoint, and what is to be adopted is history.
    world.change("hook", json!({ "spec": { "adopt": { "endpointId": "wh_other" } } })).await;
    world.ready("hook").await;
    let live = world.endpoints();
    assert_eq!(live.len(), 1);
    let stored = world.secret_value("hook", "endpointId").await;
    assert_eq!(stored.as_deref(), Some(live[0].id.as_str()));
    world.change("hook", json!({ "spec": { "adopt": null } })).await;
    let resource = world.ready("hook").await;
    assert_eq!(endpoint_id(&resource), live[0].id);
    world.check_secret(&resource, "hook").await;
}
