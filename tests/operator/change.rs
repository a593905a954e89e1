//! A changed manifest changes the remote endpoint: one PATCH with what differs, and nothing else.

use serde_json::{Value, json};
use simulator::{DuplicateUrls, Fault, FaultKind, Hold, NewEndpoint, Operation};
use testkit::{NETWORK, World, endpoint_id, has_condition};
use webhook_operator::resources::WebhookEndpoint;

/// Changes a Ready endpoint, waits until it is Ready again, and returns the fields of each PATCH that
/// was sent until two lists later.
async fn patches_of(world: &World, change: Value) -> Vec<Vec<String>> {
    let sequence = world.simulator.ledger().last_sequence();
    world.change("charge-events", json!({ "spec": change })).await;
    world.ready("charge-events").await;
    world.lists(2).await;
    let ledger = world.simulator.ledger().since(sequence);
    assert_eq!(ledger.writes(), ledger.count(Operation::Patch), "nothing but PATCHes");
    ledger.calls(Operation::Patch).map(|call| call.fields.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_is_patched_by_itself_and_once() {
    let world = World::new("change").await;
    let id = endpoint_id(&world.ready_endpoint("charge-events", json!({})).await);
    let remote = || world.simulator.endpoint(&id).expect("the endpoint stays");

    let patches = patches_of(&world, json!({ "enabledEvents": ["asset.connectivity"] })).await;
    assert_eq!(patches, [["enabledEvents"]]);
    assert_eq!(remote().enabled_events, ["asset.connectivity"]);

    let patches = patches_of(&world, json!({ "status": "inactive" })).await;
    assert_eq!(patches, [["status"]]);
    assert_eq!(remote().status, "inactive");

    let both = json!({ "enabledEvents": ["asset.connectivity", "ocpp.message"], "status": "active" });
    assert_eq!(patches_of(&world, both).await, [["enabledEvents", "status"]]);
    let mut events = remote().enabled_events;
    events.sort_unstable();
    assert_eq!(
        (remote().status.as_str(), &events[..]),
        ("active", &["asset.connectivity", "ocpp.message"].map(str::to_owned)[..])
    );

    // A set has no order: nothing to change.
    let reordered = json!({ "enabledEvents": ["ocpp.message", "asset.connectivity"] });
    assert_eq!(patches_of(&world, reordered).await, Vec::<Vec<String>>::new());

    let resource = world.ready("charge-events").await;
    assert_eq!(endpoint_id(&resource), id);
    world.check_secret(&resource, "charge-events").await;
}

/// What is said of a generation was found out about that one, and a pause after the failure of an earlier one
/// does not hold it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_the_answer_to_an_earlier_one_is_under_way_is_not_told_to_have_failed() {
    let world = World::new("overtaken").await;
    let taken = "https://hooks.example.com/taken";
    world.simulator.insert(NETWORK, NewEndpoint::new(taken).events(["ocpp.message"]));
    world.simulator.set_habits(|habits| habits.duplicate_urls = DuplicateUrls::Conflict);
    let slow = Fault::on(Operation::Create, FaultKind::Latency { hold: Hold::UntilReleased });
    world.simulator.inject(slow);
    world.endpoint("hook", json!({ "url": taken })).await;
    world.remotely("the create", |view| view.in_flight(Operation::Create) > 0).await;
    world.change("hook", json!({ "spec": { "url": "https://hooks.example.com/free" } })).await;
    // The watch has shown the change by the time that a later one is Ready.
    world.ready_endpoint("later", json!({})).await;
    world.simulator.release();

    let spoken = |hook: Option<&WebhookEndpoint>| {
        let status = hook.and_then(|hook| hook.status.as_ref());
        status.is_some_and(|status| status.observed_generation == Some(2))
    };
    let hook = world.until("hook", "spoken of in its second generation", spoken).await.expect("it is there");
    assert!(!has_condition(&hook, "Stalled", "True", "Refused"), "{:?}", hook.status);
    world.ready("hook").await;
}
