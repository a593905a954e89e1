//! What else writes in Kubernetes: people, backup tools, the garbage collector, admission policies.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Operation, Point};
use testkit::audit::{Mark, Request};
use testkit::{Object, World, delete, endpoint_id, message, patch, texts};
use webhook_operator::resources::{SECRET_TYPE, WebhookEndpoint};

/// An object as a backup has it, without what the API server adds to it.
fn saved<K: Object>(object: &K) -> Value {
    let mut saved = serde_json::to_value(object).expect("it is JSON");
    for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
        saved["metadata"].as_object_mut().expect("an object").remove(field);
    }
    saved
}

fn without_owner(mut saved: Value) -> Value {
    saved["metadata"].as_object_mut().expect("an object").remove("ownerReferences");
    saved
}

fn without_status(mut saved: Value) -> Value {
    saved.as_object_mut().expect("an object").remove("status");
    saved
}

fn owner(secret: &Secret) -> Option<&str> {
    secret.owner_references().first().map(|owner| owner.uid.as_str())
}

/// Waits until a resource owns its Secret.
async fn owned(world: &World, name: &str) {
    let uid = world.api::<WebhookEndpoint>().get(name).await.expect("it is there").uid();
    let is_owned = |found: Option<&Secret>| found.is_some_and(|secret| owner(secret) == uid.as_deref());
    world.until::<Secret>(name, "owned", is_owned).await;
}

/// Takes an object away, whatever holds it.
async fn remove_by_force<K: Object<Scope = k8s_openapi::NamespaceResourceScope>>(world: &World, name: &str) {
    let api = world.api::<K>();
    patch(&api, name, json!({ "metadata": { "finalizers": null } })).await;
    let _ = api.delete(name, &DeleteParams::default()).await;
    world.until_gone(api, name).await;
}

/// Brings a resource back with the status that it had.
async fn restore_status(world: &World, saved: &Value) {
    let name = saved["metadata"]["name"].as_str().expect("a name");
    let status = Patch::Merge(json!({ "status": saved["status"] }));
    let api = world.api::<WebhookEndpoint>();
    api.patch_status(name, &PatchParams::default(), &status).await.expect("the status comes back");
}

/// Nothing is read or written any more, also after a restart.
async fn costs_nothing(world: &mut World) {
    world.lists(2).await;
    assert!(world.operator().stop(), "it stops with success");
    let mark = Mark::now();
    world.start_operator();
    world.lists(3).await;
    let of_secrets =
        |request: &Request| request.is_write() || (request.resource == "secrets" && request.verb == "get");
    let requests = world.requests_since(mark).into_iter().filter(of_secrets).collect::<Vec<_>>();
    assert_eq!(texts(&requests), Vec::<String>::new());
}

async fn warnings(world: &World, reason: &str) -> Vec<String> {
    let params = ListParams::default().fields(&format!("type=Warning,reason={reason}"));
    let events = world.api::<Event>().list(&params).await.expect("the events can be listed");
    events.items.into_iter().filter_map(|event| event.message).collect()
}

async fn lost(world: &World, name: &str) -> WebhookEndpoint {
    world.condition(name, "Ready", "False", "SecretLost").await
}

#[tokio::test(flavor = "multi_thread")]
async fn case_05_a_secret_whose_value_was_removed_or_altered_is_not_ready() {
    let mut world = World::with_own_operator("altered").await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    let secrets = world.api::<Secret>();
    let backup = saved(&secrets.get("hook").await.expect("the Secret"));

    patch(&secrets, "hook", json!({ "data": { "secret": null } })).await;
    let told = message(&lost(&world, "hook").await, "Ready").to_owned();
    assert!(told.contains("delete the Secret and create it again from a backup"), "{told}");
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
    let policy = json!({ "spec": { "deletionPolicy": "Delete" } });
    futures::join!(world.change("kept", policy), world.ask_to_delete("kept"));
    world.until_deleted("kept").await;
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

/// Sets the label `team` of whatever is written in this world's namespace.
fn rewrite_labels(world: &World) {
    let name = &world.namespace;
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
        "metadata": { "name": name },
        "spec": {
            "matchConstraints": { "resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["CREATE", "UPDATE"],
            }] },
            "failurePolicy": "Fail", "reinvocationPolicy": "Never",
            "mutations": [{ "patchType": "ApplyConfiguration", "applyConfiguration": {
                "expression": "Object{metadata: Object.metadata{labels: {'team': 'enforced'}}}",
            } }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": { "name": name },
        "spec": { "policyName": name, "matchResources": {
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } },
        } },
    });
    for object in [policy, binding] {
        let applied = world.kubectl(&["apply", "-f", "-"], &object.to_string());
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    }
}

/// Waits until what is declared of admission takes effect.
async fn until_enforced(world: &World) {
    testkit::eventually("an enforced label", async || {
        let probe = json!({ "metadata": { "generateName": "probe-" } });
        let probe = serde_json::from_value(probe).expect("a Secret");
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let made: Secret = world.api().create(&params, &probe).await.ok()?;
        made.labels().get("team").map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_04_a_label_that_an_admission_policy_rewrites_is_accepted() {
    let mut world = World::with_own_operator("overruled").await;
    rewrite_labels(&world);
    until_enforced(&world).await;
    let labels = json!({ "team": "declared", "other": "declared" });
    let resource = world.ready_endpoint("hook", json!({ "secret": { "labels": labels } })).await;
    world.check_secret(&resource, "hook").await;
    let told = warnings(&world, "Overruled").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with(": team"), "{told:?}");
    let label = async |key: &str| {
        let secret = world.api::<Secret>().get("hook").await.expect("the Secret");
        secret.labels().get(key).cloned()
    };
    assert_eq!(label("team").await.as_deref(), Some("enforced"));

    // Somebody else's writes are corrected as ever, and another declaration is tried.
    patch(&world.api::<Secret>(), "hook", json!({ "metadata": { "labels": { "other": "x" } } })).await;
    let corrected = |found: Option<&Secret>| {
        found.is_some_and(|secret| secret.labels().get("other").is_some_and(|value| value == "declared"))
    };
    world.until::<Secret>("hook", "corrected", corrected).await;
    world.change("hook", json!({ "spec": { "secret": { "labels": { "team": "enforced" } } } })).await;
    world.ready("hook").await;
    world.lists(2).await;
    world.change("hook", json!({ "spec": { "secret": { "labels": { "team": "another" } } } })).await;
    world.ready("hook").await;
    costs_nothing(&mut world).await;
    for kind in ["mutatingadmissionpolicybinding", "mutatingadmissionpolicy"] {
        world.kubectl_says(&["delete", kind, &world.namespace]);
    }
}

/// Denies Secrets with the label `tier: gold` in this world's namespace.
async fn deny_gold(world: &World) {
    let name = &world.namespace;
    let policy = json!({
        "metadata": { "name": name },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"], "operations": ["CREATE", "UPDATE"],
            }] },
            "validations": [{
                "expression": "object.metadata.?labels[?'tier'].orValue('') != 'gold'",
                "message": "no gold here",
            }],
        },
    });
    let binding = json!({
        "metadata": { "name": name },
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } },
            },
        },
    });
    world.create_in_cluster::<ValidatingAdmissionPolicy>(policy).await;
    world.create_in_cluster::<ValidatingAdmissionPolicyBinding>(binding).await;
    testkit::eventually("a denial", async || {
        let probe = json!({ "metadata": { "generateName": "probe-", "labels": { "tier": "gold" } } });
        let probe = serde_json::from_value(probe).expect("a Secret");
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let made: kube::Result<Secret> = world.api().create(&params, &probe).await;
        made.is_err().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_only_the_second_secret_of_a_namespace_meets_is_met_before_a_create() {
    let world = World::new("gold").await;
    deny_gold(&world).await;
    world.ready_endpoint("plain", json!({})).await;
    world.endpoint("golden", json!({ "secret": { "labels": { "tier": "gold" } } })).await;
    let told = world.condition("golden", "Stalled", "True", "SecretRefused").await;
    let told = message(&told, "Stalled").to_owned();
    assert!(told.contains("no gold here") && told.contains("no endpoint is created"), "{told}");
    world.ready_endpoint("later", json!({})).await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 2, "of the two others");
    world.ready("plain").await;

    world.change("golden", json!({ "spec": { "secret": { "labels": { "tier": "silver" } } } })).await;
    let resource = world.ready("golden").await;
    world.check_secret(&resource, "golden").await;
    assert_eq!(world.simulator.ledger().writes(), 3);
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
    assert!(told.contains("restore the Secret as it was, type and annotations included"), "{told}");

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
