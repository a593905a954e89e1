//! What `deletionPolicy: Retain` leaves, and the garbage collector.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;
use testkit::{World, endpoint_id};
use webhook_operator::resources::WebhookEndpoint;

use super::{costs_nothing, owned, owner, warnings};

async fn delete_in_foreground(world: &World, name: &str) {
    let api = world.api::<WebhookEndpoint>();
    api.delete(name, &DeleteParams::foreground()).await.expect("it is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_what_is_retained_survives_a_deletion_in_foreground() {
    let mut world = World::with_own_operator("foreground").await;
    let retain = json!({ "deletionPolicy": "Retain" });
    let made = world.ready_endpoint("hook", retain.clone()).await;
    world.ready_endpoint("running", retain.clone()).await;
    delete_in_foreground(&world, "running").await;
    world.until_deleted("running").await;
    costs_nothing(&mut world).await;

    assert!(world.operator().stop());
    delete_in_foreground(&world, "hook").await;
    // Deleted as well, and collected: so the collector has been there.
    let witness = json!({
        "metadata": { "name": "witness", "ownerReferences": [{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "gone",
        }] },
    });
    world.create::<Secret>(witness).await;
    world.until_gone(world.api::<Secret>(), "witness").await;
    world.start_operator();
    world.until_deleted("hook").await;
    assert_eq!(world.secret_names().await, ["hook", "running"]);
    assert_eq!(world.endpoints().len(), 2);
    assert_eq!(warnings(&world, "RetainedWithoutSecret").await, Vec::<String>::new());
    let kept = world.api::<Secret>().get("hook").await.expect("it is kept");
    assert!(owner(&kept).is_none() && !kept.annotations().contains_key("webhookoperator.dev/owner"));

    // Declared again, it goes on with what it had.
    let again = world.ready_endpoint("hook", retain).await;
    assert_eq!(endpoint_id(&again), endpoint_id(&made));
    world.check_secret(&again, "hook").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_the_owner_reference_follows_the_policy() {
    let world = World::new("policy").await;
    world.ready_endpoint("hook", json!({})).await;
    owned(&world, "hook").await;
    for _ in 0..2 {
        world.change("hook", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
        let is_free = |found: Option<&Secret>| {
            found.is_some_and(|secret| {
                owner(secret).is_none() && secret.annotations().contains_key("webhookoperator.dev/owner")
            })
        };
        world.until::<Secret>("hook", "without an owner", is_free).await;
        world.ready("hook").await;
        world.change("hook", json!({ "spec": { "deletionPolicy": "Delete" } })).await;
        owned(&world, "hook").await;
        world.ready("hook").await;
    }
    let resource = world.ready("hook").await;
    world.check_secret(&resource, "hook").await;
    assert_eq!(world.simulator.ledger().writes(), 1);

    // Nobody is left to collect it.
    world.ready_endpoint("kept", json!({ "deletionPolicy": "Retain" })).await;
    world.change("kept", json!({ "spec": { "deletionPolicy": "Delete" } })).await;
    world.delete("kept").await;
    world.until_gone(world.api::<Secret>(), "kept").await;
    assert_eq!(world.endpoints().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_a_secret_that_the_collector_got_first_is_told_of() {
    let mut world = World::with_own_operator("collected").await;
    let made = world.ready_endpoint("hook", json!({})).await;
    assert!(world.operator().stop());
    world.change("hook", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    delete_in_foreground(&world, "hook").await;
    world.until_gone(world.api::<Secret>(), "hook").await;
    world.start_operator();
    world.until_deleted("hook").await;
    let told = warnings(&world, "RetainedWithoutSecret").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(endpoint_id(&made).as_str()), "{told:?}");
    assert_eq!(world.endpoints().len(), 1);
}
