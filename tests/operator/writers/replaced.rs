//! What is replaced, recreated, made immutable, or freed.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;
use simulator::{Fault, FaultKind, Operation, Point};
use testkit::{World, delete, endpoint_id, message, patch};
use webhook_operator::resources::WebhookEndpoint;

use super::{costs_nothing, lost, saved, without_owner};

#[tokio::test(flavor = "multi_thread")]
async fn case_08_an_immutable_secret_makes_way_before_anything_is_created() {
    let world = World::new("immutable").await;
    let first = world.ready_endpoint("hook", json!({})).await;
    let secrets = world.api::<Secret>();
    patch(&secrets, "hook", json!({ "immutable": true })).await;
    let labels = json!({ "team": "a" });
    world.change("hook", json!({ "spec": { "secret": { "labels": labels } } })).await;
    let labelled = |found: Option<&Secret>| found.is_some_and(|secret| secret.labels().contains_key("team"));
    world.until::<Secret>("hook", "labelled", labelled).await;
    world.ready("hook").await;

    world.simulator.delete(&endpoint_id(&first));
    let is_another = |found: Option<&WebhookEndpoint>| {
        let status = found.and_then(|resource| resource.status.as_ref());
        let endpoint = status.and_then(|status| status.endpoint.as_ref());
        endpoint.is_some_and(|endpoint| endpoint.id != endpoint_id(&first).as_str())
    };
    world.until("hook", "given another endpoint", is_another).await;
    let second = world.ready("hook").await;
    world.check_secret(&second, "hook").await;
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (2, 0));
    let stored = secrets.get("hook").await.expect("the Secret");
    assert_eq!((stored.immutable, stored.labels().get("team").map(String::as_str)), (None, Some("a")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_resource_does_not_forget_a_create_that_is_unanswered() {
    let world = World::new("replaced").await;
    let reset = FaultKind::Reset { point: Point::AfterEffect };
    world.simulator.inject(Fault::on(Operation::Create, reset));
    // Nothing is learnt of it for a while.
    let down =
        world.simulator.inject(Fault::on(Operation::List, FaultKind::status(503, "{}")).until_cleared());
    world.endpoint("hook", json!({})).await;
    world.remotely("the create", |view| view.ledger().effects(Operation::Create) == 1).await;
    let replaced = world.kubectl(&["replace", "-f", "-"], &world.manifest("hook", json!({})).to_string());
    assert!(replaced.status.success(), "{}", String::from_utf8_lossy(&replaced.stderr));
    let is_guarded = |found: Option<&WebhookEndpoint>| {
        found.is_some_and(|resource| {
            !resource.finalizers().is_empty()
                && resource.annotations().contains_key("webhookoperator.dev/create-attempt")
        })
    };
    world.until("hook", "given back its record", is_guarded).await;
    world.simulator.clear_fault(down);
    let resource = world.ready("hook").await;
    world.check_secret(&resource, "hook").await;
    world.lists(2).await;
    assert_eq!(world.endpoints().len(), 1);
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.effects(Operation::Create), ledger.effects(Operation::Delete)), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_resource_keeps_its_endpoint() {
    let mut world = World::with_own_operator("replaced-ready").await;
    let made = world.ready_endpoint("hook", json!({})).await;
    let manifest = world.manifest("hook", json!({})).to_string();
    let replaced = world.kubectl(&["replace", "-f", "-"], &manifest);
    assert!(replaced.status.success(), "{}", String::from_utf8_lossy(&replaced.stderr));
    let guarded =
        |found: Option<&WebhookEndpoint>| found.is_some_and(|resource| !resource.finalizers().is_empty());
    world.until("hook", "guarded again", guarded).await;
    let again = world.ready("hook").await;
    assert_eq!(endpoint_id(&again), endpoint_id(&made));
    world.check_secret(&again, "hook").await;
    costs_nothing(&mut world).await;
    assert_eq!(world.simulator.ledger().writes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_recreated_with_another_type_is_told_of_and_either_advice_works() {
    let world = World::new("opaque").await;
    let made = world.ready_endpoint("hook", json!({})).await;
    let secrets = world.api::<Secret>();
    let backup = saved(&secrets.get("hook").await.expect("the Secret"));
    let mut opaque = backup.clone();
    opaque["type"] = json!("Opaque");
    delete(&secrets, "hook").await;
    world.create::<Secret>(opaque.clone()).await;
    let told = message(&lost(&world, "hook").await, "Ready").to_owned();
    assert!(told.contains("create it again from a backup, type and annotations included"), "{told}");

    delete(&secrets, "hook").await;
    world.create::<Secret>(backup).await;
    world.ready("hook").await;
    world.check_secret(&made, "hook").await;

    delete(&secrets, "hook").await;
    world.create::<Secret>(without_owner(opaque)).await;
    lost(&world, "hook").await;
    world.simulator.delete(&endpoint_id(&made));
    world.condition("hook", "Stalled", "True", "SecretNotOurs").await;
    world.lists(2).await;
    assert_eq!(world.endpoints(), [], "no endpoint is left whose secret is stored nowhere");
    delete(&secrets, "hook").await;
    let again = world.ready("hook").await;
    world.check_secret(&again, "hook").await;
    assert_eq!(world.endpoints().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_name_that_another_resource_frees_is_taken() {
    let world = World::new("freed").await;
    world.ready_endpoint("first", json!({ "secret": { "name": "shared" } })).await;
    for free in ["renamed", "deleted"] {
        let second = format!("after-{free}");
        world.endpoint(&second, json!({ "secret": { "name": "shared" } })).await;
        world.condition(&second, "Stalled", "True", "SecretNotOurs").await;
        match free {
            "renamed" => {
                world.change("first", json!({ "spec": { "secret": { "name": "own" } } })).await;
            }
            _ => world.delete("after-renamed").await,
        }
        let resource = world.ready(&second).await;
        world.check_secret(&resource, "shared").await;
    }
    let first = world.ready("first").await;
    world.check_secret(&first, "own").await;
    assert_eq!(world.endpoints().len(), 2);
}
