//! Secrets that lose their owner, or come back from a backup without it.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::{Object, World, delete, endpoint_id, message, patch};
use webhook_operator::resources::{SECRET_TYPE, WebhookEndpoint};

use super::{costs_nothing, lost, owned, saved, without_owner};

/// Brings a resource back with the status that it had.
async fn restore_status(world: &World, saved: &Value) {
    let name = saved["metadata"]["name"].as_str().expect("a name");
    let status = Patch::Merge(json!({ "status": saved["status"] }));
    let api = world.api::<WebhookEndpoint>();
    api.patch_status(name, &PatchParams::default(), &status).await.expect("the status comes back");
}

/// Takes an object away, whatever holds it.
async fn remove_by_force<K: Object<Scope = k8s_openapi::NamespaceResourceScope>>(world: &World, name: &str) {
    let api = world.api::<K>();
    patch(&api, name, json!({ "metadata": { "finalizers": null } })).await;
    let _ = api.delete(name, &DeleteParams::default()).await;
    world.until_gone(api, name).await;
}

fn without_status(mut saved: Value) -> Value {
    saved.as_object_mut().expect("an object").remove("status");
    saved
}

#[tokio::test(flavor = "multi_thread")]
async fn case_06_a_stripped_owner_reference_is_set_again() {
    let mut world = World::with_own_operator("stripped").await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    let secrets = world.api::<Secret>();
    patch(&secrets, "hook", json!({ "metadata": { "ownerReferences": null } })).await;
    owned(&world, "hook").await;
    world.ready("hook").await;

    // While the operator is down, with all that it has put there.
    assert!(world.operator().stop());
    let bare = json!({ "metadata": { "ownerReferences": null, "annotations": null, "labels": null } });
    patch(&secrets, "hook", bare).await;
    world.start_operator();
    owned(&world, "hook").await;
    world.ready("hook").await;
    world.check_secret(&resource, "hook").await;
    assert_eq!(world.simulator.ledger().writes(), 1);
    costs_nothing(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_06_a_replaced_secret_is_owned_again() {
    let mut world = World::with_own_operator("replaced-secret").await;
    let resource = world.ready_endpoint("hook", json!({ "secret": { "labels": { "team": "a" } } })).await;
    let live = world.api::<Secret>().get("hook").await.expect("the Secret");
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "hook" }, "type": SECRET_TYPE,
        "data": live.data,
    });
    for arguments in [&["replace", "-f", "-"][..], &["replace", "--force", "-f", "-"]] {
        let replaced = world.kubectl(arguments, &manifest.to_string());
        assert!(replaced.status.success(), "{}", String::from_utf8_lossy(&replaced.stderr));
        owned(&world, "hook").await;
        let labelled = |found: Option<&Secret>| {
            found.is_some_and(|secret| secret.labels().get("team").is_some_and(|team| team == "a"))
        };
        world.until::<Secret>("hook", "labelled again", labelled).await;
        world.ready("hook").await;
        world.check_secret(&resource, "hook").await;
    }
    assert_eq!(world.simulator.ledger().writes(), 1);
    costs_nothing(&mut world).await;
}

#[derive(Clone, Copy, Debug)]
enum Status {
    Kept,
    Lost,
}

#[tokio::test(flavor = "multi_thread")]
async fn case_09_a_secret_and_a_resource_from_a_backup_belong_together_again() {
    for status in [Status::Lost, Status::Kept] {
        let mut world = World::with_own_operator(&format!("restored-{status:?}").to_lowercase()).await;
        let made = world.ready_endpoint("hook", json!({})).await;
        let secret = saved(&world.api::<Secret>().get("hook").await.expect("the Secret"));
        let resource = saved(&made);
        assert!(world.operator().stop());
        remove_by_force::<WebhookEndpoint>(&world, "hook").await;
        world.until_gone(world.api::<Secret>(), "hook").await;

        world.create::<Secret>(without_owner(secret)).await;
        world.create::<WebhookEndpoint>(without_status(resource.clone())).await;
        if let Status::Kept = status {
            restore_status(&world, &resource).await;
        }
        world.start_operator();
        owned(&world, "hook").await;
        let again = world.ready("hook").await;
        assert_eq!(endpoint_id(&again), endpoint_id(&made), "{status:?}");
        world.check_secret(&again, "hook").await;
        assert_eq!(world.simulator.ledger().writes(), 1, "{status:?}: nothing was made or changed");
        costs_nothing(&mut world).await;
        world.delete("hook").await;
        world.until_gone(world.api::<Secret>(), "hook").await;
        assert_eq!(world.endpoints(), []);
    }
}

/// The Secret comes back after the resource: first it is missing, and in the end nothing is.
#[tokio::test(flavor = "multi_thread")]
async fn case_09_one_that_comes_back_after_the_other_is_waited_for() {
    let world = World::new("restored-late").await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    let secrets = world.api::<Secret>();
    let backup = saved(&secrets.get("hook").await.expect("the Secret"));
    for secret in [backup.clone(), without_owner(backup)] {
        delete(&secrets, "hook").await;
        lost(&world, "hook").await;
        world.create::<Secret>(secret).await;
        owned(&world, "hook").await;
        world.ready("hook").await;
        world.check_secret(&resource, "hook").await;
    }
    assert_eq!(world.simulator.ledger().writes(), 1);
}

/// What looks like a released Secret gives nobody what another resource holds, or what delivers elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn case_09_a_planted_secret_gains_nothing() {
    let world = World::new("planted").await;
    let victim = world.ready_endpoint("victim", json!({})).await;
    let url = victim.spec.url.clone();
    let mut planted = without_owner(saved(&world.api::<Secret>().get("victim").await.expect("the Secret")));
    planted["metadata"]["name"] = json!("thief");
    world.create::<Secret>(planted).await;
    world.endpoint("thief", json!({ "url": url })).await;
    world.condition("thief", "Stalled", "True", "SecretNotOurs").await;
    world.lists(2).await;
    let victim = world.ready("victim").await;
    world.check_secret(&victim, "victim").await;
    world.delete("thief").await;
    assert_eq!(world.endpoints().len(), 1, "it has taken nothing along");
    assert_eq!(world.secret_names().await, ["thief", "victim"]);

    // Nobody's, and it delivers elsewhere: the message says how to have both.
    world.change("victim", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    world.ready("victim").await;
    world.delete("victim").await;
    delete(&world.api::<Secret>(), "thief").await;
    world.endpoint("victim", json!({ "url": "https://hooks.example.com/elsewhere" })).await;
    let told = world.condition("victim", "Stalled", "True", "SecretNotOurs").await;
    let told = message(&told, "Stalled").to_owned();
    assert!(told.contains("set spec.url to that URL") && !told.contains("delete"), "{told}");
    assert_eq!(world.simulator.ledger().writes(), 1);
    world.change("victim", json!({ "spec": { "url": url } })).await;
    let again = world.ready("victim").await;
    assert_eq!(endpoint_id(&again), endpoint_id(&victim));
    world.check_secret(&again, "victim").await;
    assert_eq!(world.simulator.ledger().writes(), 1);
}
