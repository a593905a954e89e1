//! What the admission policies keep a tenant from writing, and what they leave alone.

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::{World, delete, merge};
use webhook_operator::resources::WebhookEndpoint;

use crate::user::{User, everything_of_ours, everything_of_ours_and_secrets, refusal};

const FINALIZER: &str = "webhookoperator.dev/finalizer";

/// That a policy refused it, with these words.
#[track_caller]
fn assert_refused(outcome: &kube::Result<DynamicObject>, words: &str, what: &str) {
    let status = refusal(outcome).unwrap_or_else(|| panic!("{what} was not refused: {outcome:?}"));
    assert_eq!(status.code, 403, "{what}: {status:?}");
    assert!(status.message.contains(words), "{what}: {status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_can_not_write_the_operators_marks() {
    let world = World::new("marks").await;
    let tenant = User::in_namespace(&world, "tenant", everything_of_ours_and_secrets()).await;
    tenant.create("WebhookEndpoint", &world.manifest("own", json!({}))).await.expect("a usual manifest");
    let own = world.ready("own").await;
    let attempt = own.annotations()["webhookoperator.dev/create-attempt"].clone();
    let forged = attempt.replace(r#""posts":1"#, r#""posts":99"#);
    assert_ne!(attempt, forged);

    let mark = "webhookoperator.dev/create-attempt";
    for (what, change, words) in [
        ("an attempt", json!({ "metadata": { "annotations": { mark: forged } } }), "record of a create"),
        ("no attempt", json!({ "metadata": { "annotations": { mark: null } } }), "record of a create"),
        ("no finalizer", json!({ "metadata": { "finalizers": null } }), "the finalizer"),
    ] {
        assert_refused(&tenant.patch("WebhookEndpoint", "own", &change).await, words, what);
    }
    let status = json!({ "status": { "endpoint": { "id": "wh_other" } } });
    let api = tenant.api("WebhookEndpoint");
    let outcome = api.patch_status("own", &PatchParams::default(), &Patch::Merge(&status)).await;
    assert_refused(&outcome, "the status is the webhook operator's", "a status");

    let mut manifest = world.manifest("forged", json!({}));
    manifest["metadata"]["annotations"] = json!({ mark: forged });
    assert_refused(&tenant.create("WebhookEndpoint", &manifest).await, "record of a create", "a new attempt");
    let mut manifest = world.manifest("forged", json!({}));
    manifest["metadata"]["finalizers"] = json!([FINALIZER]);
    assert_refused(&tenant.create("WebhookEndpoint", &manifest).await, "the finalizer", "a new finalizer");

    // What is the tenant's stays the tenant's.
    let change = json!({
        "metadata": { "annotations": { "webhookoperator.dev/reconcile": "now" }, "labels": { "team": "a" } },
        "spec": { "enabledEvents": ["asset.connectivity"] },
    });
    tenant.patch("WebhookEndpoint", "own", &change).await.expect("the tenant changes what is declared");
    world.ready("own").await;
    tenant
        .api("WebhookEndpoint")
        .delete("own", &DeleteParams::default())
        .await
        .expect("the tenant deletes it");
    world.until_deleted("own").await;
    world.until_gone(world.api::<Secret>(), "own").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_can_not_claim_an_endpoint_by_a_secret() {
    let world = World::new("claims").await;
    let tenant = User::in_namespace(&world, "tenant", everything_of_ours_and_secrets()).await;
    tenant.create("WebhookEndpoint", &world.manifest("own", json!({}))).await.expect("a usual manifest");
    let own = world.ready("own").await;
    let own_secret = world.api::<Secret>().get("own").await.expect("its Secret");
    let owner = |uid: &str| json!([{ "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "name": "own", "uid": uid }]);
    let secret = |metadata: Value| {
        let mut secret =
            json!({ "metadata": { "name": "forged" }, "type": "webhookoperator.dev/signing-secret" });
        merge(&mut secret["metadata"], metadata);
        secret
    };

    for name in ["endpoint-id", "previous-endpoint-id", "attempt", "owner", "template"] {
        let key = format!("webhookoperator.dev/{name}");
        let is_set = own_secret.annotations().contains_key(&key);
        for value in [json!("wh_other")].into_iter().chain(is_set.then_some(Value::Null)) {
            let change = json!({ "metadata": { "annotations": { &key: value } } });
            let outcome = tenant.patch("Secret", "own", &change).await;
            assert_refused(&outcome, "of a signing secret", &format!("{key}: {value}"));
        }
        let outcome = tenant.create("Secret", &secret(json!({ "annotations": { &key: "1" } }))).await;
        assert_refused(&outcome, "of a signing secret", &key);
    }
    let uid = own.uid().expect("a uid");
    let outcome = tenant.create("Secret", &secret(json!({ "ownerReferences": owner(&uid) }))).await;
    assert_refused(&outcome, "the owner of a signing secret", "a new Secret's owner");
    let change = json!({ "metadata": { "ownerReferences": owner("00000000-0000-0000-0000-000000000000") } });
    let outcome = tenant.patch("Secret", "own", &change).await;
    assert_refused(&outcome, "the owner of a signing secret", "another owner");

    // What is the tenant's stays the tenant's: its values, its own marks, its Secrets of other types.
    let change = json!({
        "metadata": { "annotations": { "reloader": "on" }, "labels": { "team": "a" } },
        "stringData": { "secret": "whsec_changed" },
    });
    tenant.patch("Secret", "own", &change).await.expect("the tenant changes what is stored");
    let free =
        json!({ "metadata": { "name": "free", "annotations": { "webhookoperator.dev/endpoint-id": "x" } } });
    tenant.create("Secret", &free).await.expect("a Secret of another type");
    // As garbage collection does it when a resource is deleted and its dependents are kept.
    tenant
        .patch("Secret", "own", &json!({ "metadata": { "ownerReferences": null } }))
        .await
        .expect("an owner less");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_can_let_a_resource_go_and_a_namespace_can_end() {
    let world = World::new("let-go").await;
    world.endpoint("stuck", json!({})).await;
    world.endpoint("other", json!({})).await;
    world.ready("stuck").await;
    world.ready("other").await;

    world.change("stuck", json!({ "spec": { "paused": true } })).await;
    world.ask_to_delete("stuck").await;
    world.until::<WebhookEndpoint>("stuck", "there still", |found| found.is_some()).await;
    world.change("stuck", json!({ "metadata": { "finalizers": null } })).await;
    world.until_deleted("stuck").await;

    let namespaces = world.cluster_api::<Namespace>();
    delete(&namespaces, &world.namespace).await;
    world.until_gone(namespaces, &world.namespace).await;
    assert_eq!(world.endpoints().len(), 1, "what the administrator let go is left, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_a_network_send_a_secret_that_he_may_not_read() {
    let world = World::without_network("credentials").await;
    let network = |auth: Value| {
        json!({
            "metadata": { "name": "leak", "labels": { "test.webhookoperator.dev/operator": "nobody" } },
            "spec": { "apiUrl": "https://api.example.com", "auth": auth },
        })
    };
    let bearer =
        network(json!({ "bearerToken": { "secretKeyRef": { "name": "database", "key": "password" }}}));
    let client = |id: &str, secret: &str| {
        network(json!({ "oauth2ClientCredentials": {
            "tokenUrl": "https://login.example.com",
            "clientId": { "secretKeyRef": { "name": id, "key": "id" }},
            "clientSecret": { "secretKeyRef": { "name": secret, "key": "secret" }},
        }}))
    };
    let mut rules = everything_of_ours();
    let readable =
        json!({ "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["own"], "verbs": ["get"] });
    rules.as_array_mut().expect("rules").push(readable);
    let limited = User::in_namespace(&world, "limited", rules).await;

    for (what, object) in [
        ("a token", &bearer),
        ("an id", &client("database", "own")),
        ("a secret", &client("own", "database")),
    ] {
        let outcome = limited.create("WebhookNetwork", object).await;
        assert_refused(&outcome, r#"you may not read Secret "database""#, what);
    }
    limited.create("WebhookNetwork", &client("own", "own")).await.expect("what the user may read");
    let change = json!({ "spec": { "auth": client("database", "own")["spec"]["auth"] } });
    let outcome = limited.patch("WebhookNetwork", "leak", &change).await;
    assert_refused(&outcome, r#"you may not read Secret "database""#, "a change of the reference");
    let teller = json!({ "spec": { "apiUrl": "https://other.example.com" } });
    limited.patch("WebhookNetwork", "leak", &teller).await.expect("a change beside what the user may read");

    // Nor by a change of where a network of somebody else leads.
    let blind = User::in_namespace(&world, "blind", everything_of_ours()).await;
    let leading_away = json!({ "spec": { "apiUrl": "https://evil.example.com" } });
    let outcome = blind.patch("WebhookNetwork", "leak", &leading_away).await;
    assert_refused(&outcome, r#"you may not read Secret "own""#, "another apiUrl");
    let label = json!({ "metadata": { "labels": { "team": "a" } } });
    blind.patch("WebhookNetwork", "leak", &label).await.expect("a label leads nowhere");

    // In the whole cluster it is the same, with the namespace that is named.
    let cluster = User::in_cluster(&world, "cluster", everything_of_ours()).await;
    let reference = json!({ "namespace": "webhook-operator", "name": "database", "key": "password" });
    let mut object = network(json!({ "bearerToken": { "secretKeyRef": reference }}));
    object["metadata"]["name"] = world.namespace.clone().into();
    let object = crate::user::of_kind("ClusterWebhookNetwork", &object);
    let api = cluster.cluster_api("ClusterWebhookNetwork");
    let outcome = api.create(&kube::api::PostParams::default(), &object).await;
    assert_refused(&outcome, r#"you may not read Secret "database""#, "a cluster network");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policies_expressions_fit_the_types_that_they_are_about() {
    let world = World::without_operator("types").await;
    for name in ["marks", "signing-secrets", "credentials"] {
        let name = format!("webhook-operator-{name}");
        let what = "checked";
        let checked = |policy: Option<&ValidatingAdmissionPolicy>| {
            policy.is_some_and(|policy| {
                let status = policy.status.as_ref();
                status.is_some_and(|status| status.observed_generation == policy.metadata.generation)
            })
        };
        let policy = world.until_in(world.cluster_api(), &name, what, checked).await.expect("it was found");
        let checking = policy.status.and_then(|status| status.type_checking);
        let warnings = checking.and_then(|checking| checking.expression_warnings).unwrap_or_default();
        assert!(warnings.is_empty(), "{name}: {warnings:#?}");
    }
}
