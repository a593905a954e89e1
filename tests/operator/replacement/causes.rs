//! What an endpoint is replaced for, and what it is not.

use serde_json::json;
use simulator::{Operation, TimeForm};
use testkit::{World, endpoint_id};

use super::{ask, changes, holds, kept, live, quick, slow, status, until, until_next, until_replaced};

#[tokio::test(flavor = "multi_thread")]
async fn an_interval_that_is_over_replaces_the_endpoint_and_begins_anew() {
    let world = World::new("interval").await;
    let spec = json!({ "rotation": { "interval": "10h", "activateAfter": "0s", "retireAfter": "1h" } });
    let old = endpoint_id(&world.ready_endpoint("hook", spec).await);
    let sequence = world.simulator.ledger().last_sequence();
    world.lists(2).await;
    assert_eq!(changes(&world, sequence), [""; 0], "it is not over");

    // It ends up to a tenth earlier, and never later.
    world.simulator.advance_clock(std::time::Duration::from_hours(10));
    world.lists(2).await;
    look(&world, "1").await;
    let new = until_replaced(&world, &old).await;
    world.simulator.advance_clock(std::time::Duration::from_mins(30));
    world.lists(2).await;
    look(&world, "2").await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 2);
    assert_eq!(live(&world), [(old, "inactive".into()), (new, "active".into())]);
}

/// The operator learns the API's time from its answers; any new value has it look now.
async fn look(world: &World, value: &str) {
    let look = json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": value } } });
    world.change("hook", look).await;
}

/// Until the old endpoint is gone, none is added by the interval.
#[tokio::test(flavor = "multi_thread")]
async fn an_interval_waits_for_what_retires() {
    let world = World::new("interval-waits").await;
    let old = endpoint_id(&world.ready_endpoint("hook", kept()).await);
    ask(&world, "1").await;
    let new = until_replaced(&world, &old).await;
    let change = json!({ "spec": { "rotation": { "interval": "10s" } } });
    world.change("hook", change).await;
    world.simulator.advance_clock(std::time::Duration::from_mins(30));
    world.lists(3).await;
    assert_eq!(live(&world), [(old, "inactive".into()), (new, "active".into())]);
}

/// An API that tells no time, or the first one there is, has nothing replaced again and again.
#[tokio::test(flavor = "multi_thread")]
async fn absurd_times_are_no_reason() {
    for form in [TimeForm::Absent, TimeForm::Zero] {
        let world = World::new("absurd-times").await;
        world.simulator.set_habits(|habits| habits.created_at = form);
        let spec = json!({ "rotation": { "interval": "1h", "activateAfter": "0s", "retireAfter": "0s" } });
        world.ready_endpoint("hook", spec).await;
        world.lists(3).await;
        assert_eq!(world.simulator.ledger().writes(), 1, "{form:?}");
    }
}

/// One value asks once, whenever it came.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_once() {
    let world = World::new("requests").await;
    let manifest = json!({
        "apiVersion": "webhookoperator.dev/v1alpha1",
        "kind": "WebhookEndpoint",
        "metadata": {
            "name": "hook", "labels": world.labels, "annotations": { "webhookoperator.dev/rotate": "0" },
        },
        "spec": {
            "networkRef": { "name": world.namespace }, "url": "https://hooks.example.com/hook",
            "enabledEvents": ["ocpp.message"], "rotation": quick()["rotation"],
        },
    });
    world.create::<webhook_operator::resources::WebhookEndpoint>(manifest).await;
    let first = world.ready("hook").await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().writes(), 1, "the first secret is a new one");
    assert_eq!(status(&first).handled_rotation.as_deref(), Some("0"));

    ask(&world, "1").await;
    until_replaced(&world, &endpoint_id(&first)).await;
    until(&world, "done", |status| status.retiring.is_empty()).await;
    let writes = world.simulator.ledger().writes();
    ask(&world, "1").await;
    world
        .change("hook", json!({ "metadata": { "annotations": { "webhookoperator.dev/rotate": null } } }))
        .await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().writes(), writes);
}

/// The new URL is delivered to at once, and the old one until those who use the Secret have had their time.
#[tokio::test(flavor = "multi_thread")]
async fn another_url() {
    let world = World::new("another-url").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    let sequence = world.simulator.ledger().last_sequence();
    world.change("hook", json!({ "spec": { "url": "https://hooks.example.com/new" } })).await;
    let new = until_next(&world).await;
    world.condition("hook", "Ready", "False", "Replacing").await;
    assert_eq!(live(&world), [(old.clone(), "active".into()), (new.clone(), "active".into())]);
    assert_eq!(world.secret_value("hook", "url").await.as_deref(), Some("https://hooks.example.com/new"));
    holds(&world, "hook", "secret", &new).await;
    holds(&world, "hook", "previousSecret", &old).await;

    world.change("hook", json!({ "spec": quick() })).await;
    until_replaced(&world, &old).await;
    let done = until(&world, "without the old one", |status| status.retiring.is_empty()).await;
    world.check_secret(&done, "hook").await;
    assert_eq!(
        changes(&world, sequence),
        [
            format!("create {new} enabledEvents,status,url"),
            format!("patch {new} status"),
            format!("patch {old} status"),
            format!("delete {old}"),
        ]
    );
}

/// Two that look alike, at once: each keeps its own.
#[tokio::test(flavor = "multi_thread")]
async fn two_resources_with_one_url() {
    let world = World::new("two-rotations").await;
    let url = json!({ "url": "https://hooks.example.com/same", "rotation": quick()["rotation"] });
    let former = endpoint_id(&world.ready_endpoint("hook", url.clone()).await);
    let others = endpoint_id(&world.ready_endpoint("other", url).await);
    let asked = json!({ "metadata": { "annotations": { "webhookoperator.dev/rotate": "1" } } });
    tokio::join!(world.change("hook", asked.clone()), world.change("other", asked));
    until_replaced(&world, &former).await;
    let is_replaced = |found: Option<&webhook_operator::resources::WebhookEndpoint>| {
        found.is_some_and(|found| {
            let status = status(found);
            status.handled_rotation.is_some() && status.retiring.is_empty() && endpoint_id(found) != others
        })
    };
    world.until("other", "replaced", is_replaced).await;
    until(&world, "done", |status| status.retiring.is_empty()).await;
    assert_eq!(live(&world).len(), 2);
    for name in ["hook", "other"] {
        let resource = world.ready(name).await;
        world.check_secret(&resource, name).await;
    }
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (4, 2));
}
