//! Networks, beside the one of each world, and what tests wait for.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookNetworkStatus};

use crate::support::{OPERATORS, World, merge};

/// Where nobody listens: to bind it takes rights that nothing here has.
pub const NOBODY: &str = "http://127.0.0.1:1";

impl World {
    /// The name of the world's cluster network, and of its credentials, of this name.
    pub fn named(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    /// Stores credentials in the operator's namespace.
    pub async fn store_credentials(&self, name: &str, values: Value) {
        let api = Api::<Secret>::namespaced(self.client.clone(), OPERATORS);
        let object = json!({ "metadata": { "name": self.named(name) }, "stringData": values });
        let object = serde_json::from_value(object).expect("a Secret");
        api.create(&PostParams::default(), &object).await.expect("the credentials are stored");
    }

    /// Replaces credentials.
    pub async fn change_credentials(&self, name: &str, values: Value) {
        let api = Api::<Secret>::namespaced(self.client.clone(), OPERATORS);
        let patch = json!({ "stringData": values });
        let patched = api.patch(&self.named(name), &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.expect("the credentials are changed");
    }

    /// Deletes credentials.
    pub async fn delete_credentials(&self, name: &str) {
        let api = Api::<Secret>::namespaced(self.client.clone(), OPERATORS);
        api.delete(&self.named(name), &DeleteParams::default()).await.expect("the credentials are deleted");
    }

    /// A reference to a key of credentials.
    pub fn key(&self, name: &str, key: &str) -> Value {
        json!({ "secretKeyRef": { "namespace": OPERATORS, "name": self.named(name), "key": key } })
    }

    /// Adds a cluster network with the OAuth credentials of the same name, and these settings.
    pub async fn add_cluster_network(&self, name: &str, settings: Value) {
        let mut spec = json!({
            "apiUrl": self.simulator.base_url(),
            "allowHttp": true,
            "resyncInterval": "1h",
            "timeout": "5s",
            "limits": { "requestsPerSecond": 200, "burst": 200, "inFlight": 16 },
        });
        let auth = json!({ "oauth2ClientCredentials": {
            "tokenUrl": self.simulator.token_url(),
            "audience": "https://api.lynkwell.com",
            "clientId": self.key(name, "clientId"),
            "clientSecret": self.key(name, "clientSecret"),
        }});
        spec["auth"] = if settings["auth"]["bearerToken"].is_null() { auth } else { json!({}) };
        merge(&mut spec, settings);
        let object = json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "ClusterWebhookNetwork",
            "metadata": { "name": self.named(name), "labels": self.labels },
            "spec": spec,
        });
        let object = serde_json::from_value(object).expect("a network");
        let api = Api::<ClusterWebhookNetwork>::all(self.client.clone());
        api.create(&PostParams::default(), &object).await.expect("the network is created");
    }

    /// Changes a cluster network by a merge patch.
    pub async fn patch_cluster_network(&self, name: &str, patch: Value) {
        let api = Api::<ClusterWebhookNetwork>::all(self.client.clone());
        let patched = api.patch(&self.named(name), &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.expect("the network is changed");
    }

    /// Creates an endpoint of the cluster network of this name.
    pub async fn endpoint_of(&self, network: &str, name: &str, spec: Value) {
        let mut all = json!({ "networkRef": { "name": self.named(network) } });
        merge(&mut all, spec);
        self.endpoint(name, all).await;
    }

    /// Waits until a cluster network has a condition, and returns its message.
    pub async fn cluster_network(&self, name: &str, kind: &str, status: &str, reason: &str) -> String {
        let api = Api::<ClusterWebhookNetwork>::all(self.client.clone());
        let what = format!("{kind}={status} {reason}");
        let name = self.named(name);
        let found = self.until_in(api, &name, &what, |found| {
            found.is_some_and(|found| {
                let generation = found.metadata.generation;
                says(found.status.as_ref(), generation, kind, status, reason).is_some()
            })
        });
        let found = found.await.expect("it was found");
        says(found.status.as_ref(), found.metadata.generation, kind, status, reason).expect("it said so")
    }
}

/// The message of a network's condition, if it has it for this generation.
pub fn says(
    status: Option<&WebhookNetworkStatus>,
    generation: Option<i64>,
    kind: &str,
    is: &str,
    reason: &str,
) -> Option<String> {
    let mut conditions = status.into_iter().flat_map(|status| &status.conditions);
    let found = conditions.find(|condition| {
        condition.type_ == kind
            && condition.status == is
            && condition.reason == reason
            && condition.observed_generation == generation
    });
    found.map(|condition| condition.message.clone())
}

/// How long something takes.
pub async fn time(doing: impl Future) -> Duration {
    let begun = Instant::now();
    doing.await;
    begun.elapsed()
}
