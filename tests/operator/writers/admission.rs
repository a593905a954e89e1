//! Admission policies.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::json;
use simulator::Operation;
use testkit::{World, message, patch};

use super::{costs_nothing, warnings};

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
    let validation = json!({
        "expression": "object.metadata.?labels[?'tier'].orValue('') != 'gold'",
        "message": "no gold here",
    });
    world.deny_secrets(validation).await;
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
