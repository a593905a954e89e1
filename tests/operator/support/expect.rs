//! What tests look at, and wait for, in their world.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use simulator::{Endpoint, EndpointId, Ledger, Operation};
use webhook_operator::resources::{ClusterWebhookNetwork, EndpointCounts, WebhookEndpoint};

use super::SOON;
use super::audit::{Mark, Request};
use super::operator::Operator;
use super::world::{NETWORK, World, has_condition};

impl World {
    /// The operator that looks after this world.
    pub fn operator(&self) -> &Operator {
        self.own.as_ref().unwrap_or_else(|| Operator::shared())
    }

    /// Waits until the test's network is Ready and says so for its latest generation.
    pub async fn network_ready(&self) -> ClusterWebhookNetwork {
        self.network_condition("Ready", "True", "Available").await
    }

    /// Waits until the test's network has a condition.
    pub async fn network_condition(&self, kind: &str, status: &str, reason: &str) -> ClusterWebhookNetwork {
        let api = Api::<ClusterWebhookNetwork>::all(self.client.clone());
        let what = format!("{kind}={status} {reason}");
        let found = self.until_in(api, &self.namespace, &what, |found| {
            let conditions =
                found.and_then(|network| network.status.as_ref()).map(|status| &status.conditions);
            let generation = found.and_then(|network| network.metadata.generation);
            conditions.into_iter().flatten().any(|condition| {
                is(condition, kind, status, reason) && condition.observed_generation == generation
            })
        });
        found.await.expect("it exists, since it has a condition")
    }

    /// Waits until the network has been listed so many times more, each begun after this call.
    pub async fn lists(&self, more: usize) {
        let begun = |ledger: &Ledger| {
            ledger.calls(Operation::List).filter(|call| call.starting_after.is_none()).count()
        };
        let before = self.simulator.view(|view| begun(view.ledger()));
        self.remotely("another list", |view| begun(view.ledger()) >= before + more).await;
    }

    /// How many pages each list took that was begun after a place in the ledger; the last may go on.
    pub fn pages_since(&self, sequence: u64) -> Vec<usize> {
        let mut pages = Vec::new();
        for call in self.simulator.ledger().since(sequence).calls(Operation::List) {
            match (&call.starting_after, pages.last_mut()) {
                (None, _) => pages.push(1),
                (Some(_), Some(count)) => *count += 1,
                // A page of a list that was begun before.
                (Some(_), None) => {}
            }
        }
        pages
    }

    /// Creates many `WebhookEndpoint`s at once.
    pub async fn endpoints_named(&self, names: impl IntoIterator<Item = String>, spec: &Value) {
        let creates = names.into_iter().map(|name| async move { self.endpoint(&name, spec.clone()).await });
        futures::stream::iter(creates).buffer_unordered(16).collect::<Vec<_>>().await;
    }

    /// Waits until so many `WebhookEndpoint`s are Ready, and returns them all.
    pub async fn all_ready(&self, count: usize) -> Vec<WebhookEndpoint> {
        let mut found = BTreeMap::new();
        let stream = watcher(self.api::<WebhookEndpoint>(), watcher::Config::default()).default_backoff();
        let mut stream = std::pin::pin!(stream.applied_objects());
        let all = tokio::time::timeout(2 * SOON, async {
            while let Some(resource) = stream.next().await {
                let Ok(resource) = resource else { continue };
                found.insert(resource.name_any(), resource);
                let ready =
                    |resource: &&WebhookEndpoint| has_condition(resource, "Ready", "True", "Available");
                if found.values().filter(ready).count() == count {
                    return;
                }
            }
        });
        assert!(all.await.is_ok(), "not all became Ready: {found:#?}");
        found.into_values().collect()
    }

    /// Waits until the network's status counts so many remote endpoints.
    pub async fn network_counts(&self, managed: i64, drifted: i64, unmanaged: i64) {
        let wanted = EndpointCounts { managed, drifted, unmanaged };
        let api = Api::<ClusterWebhookNetwork>::all(self.client.clone());
        self.until_in(api, &self.namespace, &format!("counted as {wanted:?}"), |found| {
            let status = found.and_then(|network| network.status.as_ref());
            status.and_then(|status| status.endpoints) == Some(wanted)
        })
        .await;
    }

    /// The remote endpoints as they are.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.simulator.endpoints(NETWORK)
    }

    /// Checks that a Secret holds the true secret of the remote endpoint that the status names, which
    /// exists, and returns the endpoint.
    pub async fn check_secret(&self, resource: &WebhookEndpoint, secret: &str) -> Endpoint {
        let id = endpoint_id(resource);
        let endpoint = self.simulator.endpoint(&id).expect("the endpoint of the status exists");
        let truth = self.simulator.secret_of(&id).expect("every endpoint has a secret");
        assert_eq!(self.secret_value(secret, "endpointId").await.as_deref(), Some(id.as_str()));
        assert_eq!(self.secret_value(secret, "url").await.as_deref(), Some(endpoint.url.as_str()));
        assert_eq!(
            self.secret_value(secret, "secret").await.as_deref(),
            Some(truth.expose_secret()),
            "Secret {secret:?} holds the true secret of {id}"
        );
        endpoint
    }

    /// The names of all Secrets, in alphabetical order.
    pub async fn secret_names(&self) -> Vec<String> {
        let secrets = self.all::<Secret>().await;
        let mut names: Vec<String> = secrets.into_iter().filter_map(|secret| secret.metadata.name).collect();
        names.sort_unstable();
        names
    }

    /// What this world's operator has asked since about the test's namespace, in the order of the
    /// answers. What was seen may come before its line in the audit log: wait for something later.
    pub fn requests_since(&self, mark: Mark) -> Vec<Request> {
        let mut requests = mark.requests(self.operator());
        requests.retain(|request| request.namespace == self.namespace);
        requests
    }
}

/// Requests as texts in alphabetical order.
pub fn texts<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Vec<String> {
    let mut texts: Vec<String> = requests.into_iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    texts
}

/// The id of the endpoint that a resource's status names.
pub fn endpoint_id(resource: &WebhookEndpoint) -> EndpointId {
    let status = resource.status.as_ref().expect("a status");
    status.endpoint.as_ref().expect("an endpoint in the status").id.as_str().into()
}

/// A resource's condition.
pub fn condition<'a>(resource: &'a WebhookEndpoint, kind: &str) -> Option<&'a Condition> {
    resource.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == kind)
}

/// The message of a resource's condition.
pub fn message<'a>(resource: &'a WebhookEndpoint, kind: &str) -> &'a str {
    condition(resource, kind).map_or("", |condition| condition.message.as_str())
}

/// Whether a condition reads so.
pub fn is(condition: &Condition, kind: &str, status: &str, reason: &str) -> bool {
    condition.type_ == kind && condition.status == status && condition.reason == reason
}
