//! A release from its installation to its end, and after it.

use serde_json::Value;

use crate::cluster::{RELEASE, VALUES, feed, get, helm_in_cluster, installed, kubectl};
use crate::helm::{CHART, complaint, objects, quiet};

const ENDPOINT: &str = r#"{
    "apiVersion": "webhookoperator.dev/v1alpha1",
    "kind": "WebhookEndpoint",
    "metadata": { "name": "declared", "namespace": "default", "finalizers": ["webhookoperator.dev/finalizer"] },
    "spec": { "url": "https://hooks.example.com/declared", "enabledEvents": ["ocpp.message"] }
}"#;

#[test]
fn what_was_declared_outlives_the_release() {
    installed();
    assert_eq!(feed(&["create"], ENDPOINT).1, "");
    let before = (uid(&network()), uid(&declared()));
    let unharmed = |when: &str| {
        assert_eq!((uid(&network()), uid(&declared())), before, "{when}");
        assert!(declared()["metadata"]["deletionTimestamp"].is_null(), "{when}");
    };
    assert_eq!(deployed_version().as_deref(), Some("0.0.9"));
    assert!(!definition_has_paused());

    helm(&["upgrade", RELEASE, CHART, VALUES]);
    unharmed("upgraded");
    assert_eq!(deployed_version().as_deref(), Some("0.1.0"));
    assert!(definition_has_paused(), "an upgrade updates the definitions");
    assert!(release_holds("ClusterWebhookNetwork"), "what came as a hook is the release's now");

    helm(&["upgrade", RELEASE, CHART, VALUES, "--set=defaultNetwork.audience=another"]);
    let audience = "/spec/auth/oauth2ClientCredentials/audience";
    assert_eq!(network_of(&network(), audience), "another", "and follows the values");

    helm(&["rollback", RELEASE, "1"]);
    unharmed("rolled back");
    assert_eq!(deployed_version().as_deref(), Some("0.0.9"));
    assert!(!definition_has_paused());

    helm(&["upgrade", RELEASE, CHART, VALUES]);
    unharmed("upgraded again");

    let said = helm(&["uninstall", RELEASE]);
    assert!(said.contains("kept due to the resource policy"), "{said}");
    unharmed("uninstalled");
    assert_eq!(deployed_version(), None);
    assert!(definition_has_paused());

    helm(&["install", RELEASE, CHART, VALUES]);
    unharmed("installed again");
    assert_eq!(deployed_version().as_deref(), Some("0.1.0"));
    assert!(release_holds("ClusterWebhookNetwork"));

    // Definitions and network are taken for the former release's.
    helm(&["uninstall", RELEASE]);
    let mut install = helm_in_cluster(&["install", "other", CHART, "--namespace", RELEASE, VALUES]);
    let said = complaint(&mut install);
    assert!(said.contains("invalid ownership metadata"), "{said}");
    quiet(install.arg("--take-ownership"));
    unharmed("installed under another name");

    quiet(&mut kubectl(&["delete", "webhookendpoint/declared", "--wait=false"]));
    let held = declared();
    assert!(
        held["metadata"]["deletionTimestamp"].is_string(),
        "it is the operator that lets it go: {held:#}"
    );
}

/// Does something in the release's namespace, without a warning.
fn helm(arguments: &[&str]) -> String {
    quiet(helm_in_cluster(arguments).args(["--namespace", RELEASE]))
}

fn network() -> Value {
    get(&["clusterwebhooknetwork/default"]).expect("the default network")
}

fn declared() -> Value {
    get(&["--namespace=default", "webhookendpoint/declared"]).expect("the endpoint")
}

fn network_of<'a>(network: &'a Value, field: &str) -> &'a Value {
    network.pointer(field).expect("a field that is declared")
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn deployed_version() -> Option<String> {
    let deployment = get(&["--namespace", RELEASE, "deployment/webhook-operator"])?;
    Some(deployment["metadata"]["labels"]["app.kubernetes.io/version"].as_str()?.to_owned())
}

fn definition_has_paused() -> bool {
    let definition = get(&["crd/webhookendpoints.webhookoperator.dev"]).expect("the definition stays");
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["properties"]["spec"]["properties"].get("paused").is_some()
}

fn release_holds(kind: &str) -> bool {
    objects(&helm(&["get", "manifest", RELEASE])).iter().any(|object| object["kind"] == kind)
}
