//! Values that the chart refuses.

use serde_json::Value;

use crate::helm::{CHART, complaint, helm};

#[test]
fn wrong_values_are_refused_with_their_place() {
    for (values, said) in [
        ("replica=3", "at '': additional properties 'replica' not allowed"),
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("image.digest=latest", "at '/image/digest': 'latest' does not match pattern"),
        ("crds.instal=false", "at '/crds': additional properties 'instal' not allowed"),
        ("watchNamespaces=billing", "at '/watchNamespaces': got string, want array"),
        ("watchNamespaces={Billing}", "at '/watchNamespaces/0': 'Billing' does not match pattern"),
        ("watchNamespaces={a,a}", "at '/watchNamespaces': items at 0 and 1 are equal"),
        ("commonLabels.team=no spaces", "at '/commonLabels/team': 'no spaces' does not match pattern"),
        (
            "networkPolicy.apiServer.ports={0}",
            "at '/networkPolicy/apiServer/ports/0': minimum: got 0, want 1",
        ),
        (
            "metrics.serviceMonitor.interval=often",
            "at '/metrics/serviceMonitor/interval': 'often' does not match",
        ),
        ("fullnameOverride=Hooks", "at '/fullnameOverride': 'Hooks' does not match pattern"),
        (
            "defaultNetwork.enabled=true",
            "at '/defaultNetwork/credentialsSecret/name': minLength: got 0, want 1",
        ),
        // No place for a secret.
        (
            "defaultNetwork.clientSecret=x",
            "at '/defaultNetwork': additional properties 'clientSecret' not allowed",
        ),
        (
            "defaultNetwork.spec.auth.x=x",
            "at '/defaultNetwork/spec': additional properties 'auth' not allowed",
        ),
        (
            "defaultNetwork.credentialsSecret.clientSecret=x",
            "at '/defaultNetwork/credentialsSecret': additional properties 'clientSecret' not allowed",
        ),
        (
            "defaultNetwork.enabled=true,defaultNetwork.credentialsSecret.name=x,watchNamespaces={a}",
            "defaultNetwork.enabled is for the whole cluster: with watchNamespaces, declare a WebhookNetwork in each \
             namespace instead",
        ),
        (
            "metrics.serviceMonitor.enabled=true,metrics.service.enabled=false",
            "metrics.serviceMonitor needs metrics.service.enabled; metrics.podMonitor does not",
        ),
    ] {
        let complaint = complaint(&mut helm(&["template", "hooks", CHART, "--set", values]));
        assert!(complaint.contains(said), "{values}: {complaint}");
    }
}

#[test]
fn an_older_kubernetes_is_refused() {
    let complaint = complaint(&mut helm(&["template", "hooks", CHART, "--kube-version=1.32.9"]));
    assert!(complaint.contains("requires kubeVersion: >=1.33.0-0"), "{complaint}");
}

#[test]
fn the_schema_leaves_nothing_open_that_is_ours() {
    let schema = std::fs::read_to_string(format!("{CHART}/values.schema.json")).unwrap();
    let mut open = Vec::new();
    visit(&serde_json::from_str(&schema).unwrap(), "", &mut open);
    assert_eq!(open, Vec::<String>::new());
}

/// Collects objects that name their properties and take others too. Conditions only add to what stands beside them.
fn visit(schema: &Value, path: &str, open: &mut Vec<String>) {
    let Some(fields) = schema.as_object() else { return };
    if fields.contains_key("properties") && fields.get("additionalProperties") != Some(&Value::Bool(false)) {
        open.push(path.to_owned());
    }
    for (name, value) in fields.iter().filter(|(name, _)| !matches!(name.as_str(), "if" | "then")) {
        let path = format!("{path}/{name}");
        if matches!(name.as_str(), "properties" | "$defs") {
            for (name, value) in value.as_object().unwrap() {
                visit(value, &format!("{path}/{name}"), open);
            }
        } else {
            visit(value, &path, open);
        }
    }
}
