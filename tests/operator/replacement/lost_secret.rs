//! A Secret that somebody deleted or altered.

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use simulator::Operation;
use testkit::{OperatorOptions, World, endpoint_id, patch};

use super::{ask, changes, holds, live, slow, until, until_next, until_replaced};
use crate::events::told;

async fn world(name: &str, grace: &str) -> World {
    let arguments = ["--secret-recovery-grace", grace].map(str::to_owned).to_vec();
    let world = World::with_operator(name, OperatorOptions { arguments, ..OperatorOptions::default() }).await;
    world.add_network(json!({})).await;
    world.network_ready().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_secret_has_its_endpoint_replaced() {
    let world = world("secret-deleted", "1s").await;
    let spec = json!({ "rotation": { "activateAfter": "1h", "retireAfter": "0s" } });
    let old = endpoint_id(&world.ready_endpoint("hook", spec).await);
    let sequence = world.simulator.ledger().last_sequence();
    testkit::delete(&world.api::<Secret>(), "hook").await;
    let new = until_next(&world).await;
    world.condition("hook", "Ready", "False", "Replacing").await;
    holds(&world, "hook", "secret", &new).await;
    assert_eq!(world.secret_value("hook", "previousSecret").await, None, "nobody has it");
    assert_eq!(live(&world), [(old.clone(), "active".into()), (new.clone(), "inactive".into())]);
    assert_eq!(told(&world, "hook", "Replacing").await, "Warning");

    world.change("hook", json!({ "spec": { "rotation": { "activateAfter": "0s" } } })).await;
    until_replaced(&world, &old).await;
    let done = until(&world, "done", |status| status.retiring.is_empty()).await;
    world.check_secret(&done, "hook").await;
    let verbs = changes(&world, sequence);
    let verbs = verbs.iter().filter_map(|change| change.split(' ').next()).collect::<Vec<_>>();
    assert_eq!(verbs, ["create", "patch", "patch", "delete"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_secret_has_its_endpoint_replaced() {
    let world = world("secret-altered", "1s").await;
    let old = endpoint_id(
        &world
            .ready_endpoint("hook", json!({ "rotation": { "activateAfter": "0s", "retireAfter": "0s" } }))
            .await,
    );
    patch(&world.api::<Secret>(), "hook", json!({ "stringData": { "secret": "whsec_of_somebody" } })).await;
    until_replaced(&world, &old).await;
    let done = until(&world, "done", |status| status.retiring.is_empty()).await;
    world.check_secret(&done, "hook").await;
    assert_eq!(live(&world).len(), 1);
}

/// As from a backup: what it was, with its type and its annotations.
fn restored(secret: &Secret) -> Value {
    let mut restored = serde_json::to_value(secret).unwrap();
    let metadata = restored["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        metadata.remove(field);
    }
    restored
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_comes_back_in_time_is_taken() {
    let world = world("secret-restored", "1h").await;
    let id = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    let secret = world.api::<Secret>().get("hook").await.unwrap();
    let sequence = world.simulator.ledger().last_sequence();
    testkit::delete(&world.api::<Secret>(), "hook").await;
    let told = world.condition("hook", "Reconciling", "True", "SecretLost").await;
    assert!(testkit::message(&told, "Ready").contains("create it again from a backup"), "{told:?}");
    world.lists(2).await;
    world.create::<Secret>(restored(&secret)).await;
    let resource = world.ready("hook").await;
    assert_eq!(endpoint_id(&resource), id);
    world.check_secret(&resource, "hook").await;
    assert_eq!(changes(&world, sequence), [""; 0]);
}

/// A tool that deletes the Secret again and again does not make endpoints in a loop.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_deleted_again_and_again_is_met_with_patience() {
    let world = world("secret-pruned", "0s").await;
    let first = endpoint_id(
        &world
            .ready_endpoint("hook", json!({ "rotation": { "activateAfter": "0s", "retireAfter": "0s" } }))
            .await,
    );
    testkit::delete(&world.api::<Secret>(), "hook").await;
    until_replaced(&world, &first).await;
    until(&world, "done", |status| status.retiring.is_empty()).await;
    testkit::delete(&world.api::<Secret>(), "hook").await;
    world.condition("hook", "Reconciling", "True", "SecretLost").await;
    world.lists(3).await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 2, "no third one within a minute");
}

/// Both secrets are gone: what was to take over is of no use, and goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_deleted_half_way_leaves_nothing_over() {
    let world = world("secret-half-way", "0s").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    super::ask(&world, "1").await;
    let next = until_next(&world).await;
    testkit::delete(&world.api::<Secret>(), "hook").await;
    let is_other = |status: &webhook_operator::resources::WebhookEndpointStatus| {
        status.replacement.as_ref().is_some_and(|other| other.id != next.as_str())
    };
    until(&world, "replacing it by another one", is_other).await;
    assert!(world.simulator.endpoint(&next).is_none());
    assert_eq!(live(&world).len(), 2);
    world
        .change("hook", json!({ "spec": { "rotation": { "activateAfter": "0s", "retireAfter": "0s" } } }))
        .await;
    until_replaced(&world, &old).await;
    let done = until(&world, "done", |status| status.retiring.is_empty()).await;
    world.check_secret(&done, "hook").await;
    assert_eq!(live(&world).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_without_its_value_has_its_endpoint_replaced() {
    let world = world("secret-hollow", "1s").await;
    let times = json!({ "rotation": { "activateAfter": "0s", "retireAfter": "1h" } });
    let first = endpoint_id(&world.ready_endpoint("hook", times).await);
    patch(&world.api::<Secret>(), "hook", json!({ "data": { "secret": null } })).await;
    let second = until_replaced(&world, &first).await;
    holds(&world, "hook", "secret", &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_with_a_former_value_has_its_endpoint_replaced() {
    let world = world("secret-former", "1s").await;
    let times = json!({ "rotation": { "activateAfter": "0s", "retireAfter": "1h" } });
    let first = endpoint_id(&world.ready_endpoint("hook", times).await);
    let backup = restored(&world.api::<Secret>().get("hook").await.unwrap());
    // Not by losing its Secret: the next one that is lost would be left for a minute.
    ask(&world, "1").await;
    let second = until_replaced(&world, &first).await;
    holds(&world, "hook", "secret", &second).await;

    // The backup is of the endpoint that retires; the secret of the one that delivers is lost with what it replaces.
    testkit::delete(&world.api::<Secret>(), "hook").await;
    world.create::<Secret>(backup).await;
    let third = until_replaced(&world, &second).await;
    holds(&world, "hook", "secret", &third).await;
    let active = live(&world).into_iter().filter(|(_, status)| status == "active");
    assert_eq!(active.collect::<Vec<_>>(), [(third, "active".into())]);
}
