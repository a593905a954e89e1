//! Every field that a tenant may write, and whether it leads to something.
//!
//! The fields are found by walking the schemas, so that a new one fails here until it is classed.

use std::collections::BTreeSet;

use serde_json::Value;
use webhook_operator::resources;

/// What a field is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Field {
    /// It names, or leads to, something that may be somebody else's.
    Reference,
    /// It is a number, a switch, or a text that names nothing.
    Value,
}
use Field::{Reference, Value as Plain};

/// Every field of every `spec`.
pub(super) const FIELDS: [(&str, &str, Field); 71] = [
    ("ClusterWebhookNetwork", "allowHttp", Plain),
    ("ClusterWebhookNetwork", "allowedNamespaces.names[]", Reference),
    ("ClusterWebhookNetwork", "allowedNamespaces.selector.matchExpressions[].key", Reference),
    ("ClusterWebhookNetwork", "allowedNamespaces.selector.matchExpressions[].operator", Reference),
    ("ClusterWebhookNetwork", "allowedNamespaces.selector.matchExpressions[].values[]", Reference),
    ("ClusterWebhookNetwork", "allowedNamespaces.selector.matchLabels{}", Reference),
    ("ClusterWebhookNetwork", "allowedUrlHosts[]", Plain),
    ("ClusterWebhookNetwork", "apiUrl", Reference),
    ("ClusterWebhookNetwork", "auth.bearerToken.secretKeyRef.key", Reference),
    ("ClusterWebhookNetwork", "auth.bearerToken.secretKeyRef.name", Reference),
    ("ClusterWebhookNetwork", "auth.bearerToken.secretKeyRef.namespace", Reference),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.audience", Plain),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.clientAuthentication", Plain),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.clientId.secretKeyRef.key", Reference),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.clientId.secretKeyRef.name", Reference),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.clientId.secretKeyRef.namespace", Reference),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.clientSecret.secretKeyRef.key", Reference),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.clientSecret.secretKeyRef.name", Reference),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.clientSecret.secretKeyRef.namespace", Reference),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.requestFormat", Plain),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.scope", Plain),
    ("ClusterWebhookNetwork", "auth.oauth2ClientCredentials.tokenUrl", Reference),
    ("ClusterWebhookNetwork", "caBundle", Plain),
    ("ClusterWebhookNetwork", "limits.burst", Plain),
    ("ClusterWebhookNetwork", "limits.inFlight", Plain),
    ("ClusterWebhookNetwork", "limits.requestsPerSecond", Plain),
    ("ClusterWebhookNetwork", "networkId", Plain),
    ("ClusterWebhookNetwork", "resyncInterval", Plain),
    ("ClusterWebhookNetwork", "timeout", Plain),
    ("WebhookEndpoint", "adopt.endpointId", Reference),
    ("WebhookEndpoint", "adopt.secretRef.key", Reference),
    ("WebhookEndpoint", "adopt.secretRef.name", Reference),
    ("WebhookEndpoint", "deletionPolicy", Plain),
    ("WebhookEndpoint", "driftPolicy", Plain),
    ("WebhookEndpoint", "enabledEvents[]", Plain),
    ("WebhookEndpoint", "networkRef.kind", Reference),
    ("WebhookEndpoint", "networkRef.name", Reference),
    ("WebhookEndpoint", "paused", Plain),
    ("WebhookEndpoint", "rotation.activateAfter", Plain),
    ("WebhookEndpoint", "rotation.interval", Plain),
    ("WebhookEndpoint", "rotation.overlap", Plain),
    ("WebhookEndpoint", "rotation.retireAfter", Plain),
    ("WebhookEndpoint", "secret.annotations{}", Reference),
    ("WebhookEndpoint", "secret.labels{}", Reference),
    ("WebhookEndpoint", "secret.name", Reference),
    ("WebhookEndpoint", "status", Plain),
    ("WebhookEndpoint", "url", Reference),
    ("WebhookNetwork", "allowHttp", Plain),
    ("WebhookNetwork", "allowedUrlHosts[]", Plain),
    ("WebhookNetwork", "apiUrl", Reference),
    ("WebhookNetwork", "auth.bearerToken.secretKeyRef.key", Reference),
    ("WebhookNetwork", "auth.bearerToken.secretKeyRef.name", Reference),
    ("WebhookNetwork", "auth.oauth2ClientCredentials.audience", Plain),
    ("WebhookNetwork", "auth.oauth2ClientCredentials.clientAuthentication", Plain),
    ("WebhookNetwork", "auth.oauth2ClientCredentials.clientId.secretKeyRef.key", Reference),
    ("WebhookNetwork", "auth.oauth2ClientCredentials.clientId.secretKeyRef.name", Reference),
    ("WebhookNetwork", "auth.oauth2ClientCredentials.clientSecret.secretKeyRef.key", Reference),
    ("WebhookNetwork", "auth.oauth2ClientCredentials.clientSecret.secretKeyRef.name", Reference),
    ("WebhookNetwork", "auth.oauth2ClientCredentials.requestFormat", Plain),
    ("WebhookNetwork", "auth.oauth2ClientCredentials.scope", Plain),
    ("WebhookNetwork", "auth.oauth2ClientCredentials.tokenUrl", Reference),
    ("WebhookNetwork", "caBundle", Plain),
    ("WebhookNetwork", "limits.burst", Plain),
    ("WebhookNetwork", "limits.inFlight", Plain),
    ("WebhookNetwork", "limits.requestsPerSecond", Plain),
    ("WebhookNetwork", "networkId", Plain),
    ("WebhookNetwork", "resyncInterval", Plain),
    ("WebhookNetwork", "timeout", Plain),
    // Fields that do not exist, and that somebody may expect to be obeyed.
    ("WebhookEndpoint", "networkRef.namespace", Reference),
    ("WebhookEndpoint", "secret.namespace", Reference),
    ("WebhookNetwork", "auth.bearerToken.secretKeyRef.namespace", Reference),
];
/// How many of the last ones do not exist.
const IMAGINED: usize = 3;

#[test]
fn every_field_of_the_schemas_is_in_the_table() {
    let crds = serde_json::to_value(resources::crds()).expect("they are JSON");
    let mut found = BTreeSet::new();
    for crd in crds.as_array().expect("a list") {
        let kind = crd["spec"]["names"]["kind"].as_str().expect("a kind");
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        walk(schema, "", &mut |path| {
            found.insert((kind.to_owned(), path.to_owned()));
        });
    }
    let real = &FIELDS[..FIELDS.len() - IMAGINED];
    let table =
        real.iter().map(|(kind, path, _)| ((*kind).to_owned(), (*path).to_owned())).collect::<BTreeSet<_>>();
    let new = found.difference(&table).collect::<Vec<_>>();
    let gone = table.difference(&found).collect::<Vec<_>>();
    assert!(new.is_empty(), "class these fields, and try those that refer to something: {new:#?}");
    assert!(gone.is_empty(), "these fields are gone: {gone:#?}");
    assert_eq!(table.len(), real.len(), "each field once");
    for (kind, path, _) in &FIELDS[real.len()..] {
        assert!(!found.contains(&((*kind).to_owned(), (*path).to_owned())), "{kind} {path} exists now");
    }
}

/// Tells every leaf of a schema: `a.b`, `list[]`, `map{}`.
fn walk(schema: &Value, path: &str, tell: &mut impl FnMut(&str)) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(properties) = schema["properties"].as_object() {
        for (name, schema) in properties {
            walk(schema, &below(name), tell);
        }
    } else if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), tell);
    } else if schema["additionalProperties"].is_object() {
        walk(&schema["additionalProperties"], &format!("{path}{{}}"), tell);
    } else {
        tell(path);
    }
}
