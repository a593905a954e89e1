//! Values that somebody changes, removes or brings back.

use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use simulator::Operation;
use testkit::{World, delete, endpoint_id, message, patch};
use webhook_operator::resources::WebhookEndpoint;

use super::{costs_nothing, lost, saved};

#[tokio::test(flavor = "multi_thread")]
async fn case_05_a_secret_whose_value_was_removed_or_altered_is_not_ready() {
    let mut world = World::with_own_operator("altered").await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    let secrets = world.api::<Secret>();
    let backup = saved(&secrets.get("hook").await.expect("the Secret"));

    patch(&secrets, "hook", json!({ "data": { "secret": null } })).await;
    let told = message(&lost(&world, "hook").await, "Ready").to_owned();
    assert!(told.contains("delete what is left of the Secret and create it again from a backup"), "{told}");
    assert!(world.operator().stop());
    world.start_operator();
    world.lists(3).await;
    lost(&world, "hook").await;

    // As the message says.
    delete(&secrets, "hook").await;
    world.create::<Secret>(backup).await;
    world.ready("hook").await;
    world.check_secret(&resource, "hook").await;
    costs_nothing(&mut world).await;

    // The URL can be written again.
    patch(&secrets, "hook", json!({ "data": { "url": "aHR0cHM6Ly9hbm90aGVyLmV4YW1wbGUuY29t" } })).await;
    let url = world.secret_value("hook", "url").await;
    let is_back = |found: Option<&Secret>| {
        let data = found.and_then(|secret| secret.data.as_ref());
        data.and_then(|data| data.get("url")).is_some_and(|value| value.0 == resource.spec.url.as_bytes())
    };
    world.until::<Secret>("hook", &format!("without {url:?}"), is_back).await;
    world.ready("hook").await;
    costs_nothing(&mut world).await;

    patch(&secrets, "hook", json!({ "stringData": { "secret": "whsec_another" } })).await;
    lost(&world, "hook").await;
    // Or as it also says.
    world.simulator.delete(&endpoint_id(&resource));
    let again = world.ready("hook").await;
    world.check_secret(&again, "hook").await;
    assert_eq!(world.endpoints().len(), 1);

    patch(&secrets, "hook", json!({ "stringData": { "endpointId": "wh_another" } })).await;
    lost(&world, "hook").await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_05_a_secret_that_comes_back_without_its_value_is_not_believed() {
    let world = World::new("hollow").await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    let secrets = world.api::<Secret>();
    let backup = saved(&secrets.get("hook").await.expect("the Secret"));
    for (field, value) in [("secret", ""), ("secret", "removed"), ("endpointId", "d2hfYW5vdGhlcg==")] {
        let mut hollow = backup.clone();
        hollow["data"][field] = json!(value);
        if value == "removed" {
            hollow["data"].as_object_mut().expect("an object").remove(field);
        }
        delete(&secrets, "hook").await;
        world.create::<Secret>(hollow).await;
        let told = |found: Option<&WebhookEndpoint>| {
            found.is_some_and(|found| message(found, "Ready").contains("create it again from a backup"))
        };
        world.until("hook", &format!("told of {field} {value:?}"), told).await;
    }
    delete(&secrets, "hook").await;
    world.create::<Secret>(backup).await;
    world.ready("hook").await;
    world.check_secret(&resource, "hook").await;
    assert_eq!(world.simulator.ledger().writes(), 1);
}
