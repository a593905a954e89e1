//! The networks of a world, and their credentials.

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookNetwork};

use crate::{OPERATORS, World, merge, message, object};

impl World {
    /// The test's cluster network, named like its namespace, as are its credentials in the operator's.
    pub async fn add_network(&self, settings: Value) {
        self.create_operators_secret(credentials(&self.namespace, &good_credentials())).await;
        self.create_cluster_network(&self.namespace, settings).await;
    }

    /// Changes the test's cluster network by a merge patch of its spec.
    pub async fn change_network(&self, spec: Value) {
        self.patch_network(&self.namespace, json!({ "spec": spec })).await;
    }

    /// A network of the test's namespace alone, `default`, with its credentials beside it.
    pub async fn add_namespaced_network(&self) {
        self.add_credentials().await;
        self.add_team_network("default", json!({})).await;
    }

    /// The credentials of the networks of the test's namespace alone.
    pub async fn add_credentials(&self) {
        self.create::<Secret>(credentials("credentials", &good_credentials())).await;
    }

    /// Adds a network of the test's namespace alone, with these settings beside those of [`Self::team_network`].
    pub async fn add_team_network(&self, name: &str, settings: Value) {
        self.create::<WebhookNetwork>(self.team_network(name, settings)).await;
    }

    /// A network of the test's namespace alone, by https, with these settings beside.
    pub fn team_network(&self, name: &str, settings: Value) -> Value {
        let mut spec = self.network_spec(|key| json!({ "name": "credentials", "key": key }));
        merge(&mut spec, self.https_only());
        merge(&mut spec, settings);
        json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "WebhookNetwork",
            "metadata": { "name": name, "labels": self.labels },
            "spec": spec,
        })
    }

    /// The spec of a network that leads to the simulator; `reference` names a key of the credentials.
    fn network_spec(&self, reference: impl Fn(&str) -> Value) -> Value {
        json!({
            "apiUrl": self.simulator.base_url(),
            "allowHttp": true,
            "resyncInterval": "1s",
            "timeout": "2s",
            "limits": { "requestsPerSecond": 200, "burst": 200, "inFlight": 16 },
            "auth": { "oauth2ClientCredentials": {
                "tokenUrl": self.simulator.token_url(),
                "audience": "https://api.lynkwell.com",
                "clientId": { "secretKeyRef": reference("clientId") },
                "clientSecret": { "secretKeyRef": reference("clientSecret") },
            }},
        })
    }

    /// The settings of a network that reaches the simulator by https and allows nothing else.
    pub fn https_only(&self) -> Value {
        let https = self.simulator.https().expect("the simulator serves https");
        json!({
            "apiUrl": https.base_url,
            "allowHttp": false,
            "caBundle": https.ca_pem,
            "auth": { "oauth2ClientCredentials": { "tokenUrl": https.token_url } },
        })
    }

    async fn create_cluster_network(&self, name: &str, settings: Value) {
        let reference = |key: &str| json!({ "namespace": OPERATORS, "name": name, "key": key });
        let mut spec = self.network_spec(reference);
        if !settings["auth"]["bearerToken"].is_null() {
            spec["auth"] = json!({});
        }
        merge(&mut spec, settings);
        let network = json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "ClusterWebhookNetwork",
            "metadata": { "name": name, "labels": self.labels },
            "spec": spec,
        });
        self.create_in_cluster::<ClusterWebhookNetwork>(network).await;
    }

    async fn patch_network(&self, name: &str, patch: Value) {
        object::patch(&self.cluster_api::<ClusterWebhookNetwork>(), name, patch).await;
    }
}

/// Cluster networks beside the test's own, each with its credentials under the same name.
impl World {
    /// The name in the cluster of the world's network, and of its credentials, of this name.
    pub fn named(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    /// Stores credentials in the operator's namespace.
    pub async fn store_credentials(&self, name: &str, values: Value) {
        self.create_operators_secret(credentials(&self.named(name), &values)).await;
    }

    /// Replaces credentials.
    pub async fn change_credentials(&self, name: &str, values: Value) {
        let values = json!({ "stringData": values });
        object::patch(&self.operators_secrets(), &self.named(name), values).await;
    }

    /// A reference to a key of credentials.
    pub fn key(&self, name: &str, key: &str) -> Value {
        json!({ "secretKeyRef": { "namespace": OPERATORS, "name": self.named(name), "key": key } })
    }

    /// Adds a cluster network with the OAuth credentials of the same name, and these settings.
    pub async fn add_cluster_network(&self, name: &str, settings: Value) {
        let mut patient = json!({ "resyncInterval": "1h", "timeout": "5s" });
        merge(&mut patient, settings);
        self.create_cluster_network(&self.named(name), patient).await;
    }

    /// Adds a cluster network with good OAuth credentials, and these settings.
    pub async fn add_good_cluster_network(&self, name: &str, settings: Value) {
        self.store_credentials(name, good_credentials()).await;
        self.add_cluster_network(name, settings).await;
    }

    /// Changes a cluster network by a merge patch.
    pub async fn patch_cluster_network(&self, name: &str, patch: Value) {
        self.patch_network(&self.named(name), patch).await;
    }

    /// Creates an endpoint of the cluster network of this name.
    pub async fn endpoint_of(&self, network: &str, name: &str, spec: Value) {
        let mut all = json!({ "networkRef": { "name": self.named(network) } });
        merge(&mut all, spec);
        self.endpoint(name, all).await;
    }

    /// Waits until a cluster network has a condition for its latest generation, and returns its message.
    pub async fn cluster_network(&self, name: &str, kind: &str, status: &str, reason: &str) -> String {
        let name = self.named(name);
        let network =
            self.condition_in(self.cluster_api::<ClusterWebhookNetwork>(), &name, kind, status, reason);
        message(&network.await, kind).to_owned()
    }
}

/// What the simulator takes.
fn good_credentials() -> Value {
    json!({ "clientId": "client-id", "clientSecret": "client-secret" })
}

fn credentials(name: &str, values: &Value) -> Value {
    json!({ "metadata": { "name": name }, "stringData": values })
}
