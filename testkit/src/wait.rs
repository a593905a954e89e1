//! What tests wait for. Nothing is waited for by time alone.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use simulator::{Ledger, Operation};
use webhook_operator::resources::{ClusterWebhookNetwork, EndpointCounts, WebhookEndpoint};

use crate::{Conditioned, Object, SOON, World, has_condition};

impl World {
    /// Waits until an object of the test's namespace is as `condition` says, and returns it.
    pub async fn until<K>(&self, name: &str, what: &str, condition: impl Fn(Option<&K>) -> bool) -> Option<K>
    where
        K: Object<Scope = NamespaceResourceScope>,
    {
        self.until_in(self.api::<K>(), name, what, condition).await
    }

    /// Waits until an object of an API is as `condition` says, and returns it.
    pub async fn until_in<K>(
        &self,
        api: Api<K>,
        name: &str,
        what: &str,
        condition: impl Fn(Option<&K>) -> bool,
    ) -> Option<K>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let mut last = None;
        let stream = watcher::watch_object(api, name).default_backoff();
        let found = tokio::time::timeout(SOON, async {
            let mut stream = std::pin::pin!(stream);
            while let Some(object) = stream.next().await {
                let Ok(object) = object else { continue };
                if condition(object.as_ref()) {
                    return object;
                }
                last = object;
            }
            None
        });
        if let Ok(found) = found.await {
            return found;
        }
        let log = self.operator().log();
        let log = log.lines().filter(|line| line.contains(&self.namespace) || line.contains("WARN"));
        let log = log.collect::<Vec<_>>().join("\n");
        panic!("{name} never was {what}; it is {last:#?}\n--- the operator's log ---\n{log}")
    }

    /// Waits until an object of an API is gone.
    pub async fn until_gone<K: Object>(&self, api: Api<K>, name: &str) {
        self.until_in(api, name, "gone", |found| found.is_none()).await;
    }

    /// Waits until a `WebhookEndpoint` is gone.
    pub async fn until_deleted(&self, name: &str) {
        self.until_gone(self.api::<WebhookEndpoint>(), name).await;
    }

    /// Waits until an object of an API has a condition for its latest generation, and returns it.
    pub async fn condition_in<K>(&self, api: Api<K>, name: &str, kind: &str, status: &str, reason: &str) -> K
    where
        K: Conditioned,
    {
        let what = format!("{kind}={status} {reason}");
        let has = |found: Option<&K>| found.is_some_and(|found| has_condition(found, kind, status, reason));
        self.until_in(api, name, &what, has).await.expect("it exists, since it has a condition")
    }

    /// Waits until a `WebhookEndpoint` has a condition for its latest generation, and returns it.
    pub async fn condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> WebhookEndpoint {
        self.condition_in(self.api(), name, kind, status, reason).await
    }

    /// Waits until a `WebhookEndpoint` is Ready for its latest generation, and returns it.
    pub async fn ready(&self, name: &str) -> WebhookEndpoint {
        self.condition(name, "Ready", "True", "Available").await
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
                    |resource: &&WebhookEndpoint| has_condition(*resource, "Ready", "True", "Available");
                if found.values().filter(ready).count() == count {
                    return;
                }
            }
        });
        assert!(all.await.is_ok(), "not all became Ready: {found:#?}");
        found.into_values().collect()
    }

    /// Waits until the test's network is Ready and says so for its latest generation.
    pub async fn network_ready(&self) -> ClusterWebhookNetwork {
        self.network_condition("Ready", "True", "Available").await
    }

    /// Waits until the test's network has a condition for its latest generation, and returns it.
    pub async fn network_condition(&self, kind: &str, status: &str, reason: &str) -> ClusterWebhookNetwork {
        self.condition_in(self.cluster_api(), &self.namespace, kind, status, reason).await
    }

    /// Waits until the network's status counts so many remote endpoints.
    pub async fn network_counts(&self, managed: i64, drifted: i64, unmanaged: i64) {
        let wanted = EndpointCounts { managed, drifted, unmanaged };
        let counts = |found: Option<&ClusterWebhookNetwork>| {
            let status = found.and_then(|network| network.status.as_ref());
            status.and_then(|status| status.endpoints) == Some(wanted)
        };
        let what = format!("counted as {wanted:?}");
        self.until_in(self.cluster_api(), &self.namespace, &what, counts).await;
    }

    /// Waits until the simulator is as `condition` says.
    pub async fn remotely(&self, what: &str, condition: impl Fn(&simulator::View<'_>) -> bool) {
        if let Err(timeout) = self.simulator.wait_until(SOON, |view| condition(&view)).await {
            panic!("the remote API never showed {what}: {timeout}");
        }
    }

    /// Waits until the network has been listed so many times more, each begun after this call.
    pub async fn lists(&self, more: usize) {
        let begun = |ledger: &Ledger| {
            ledger.calls(Operation::List).filter(|call| call.starting_after.is_none()).count()
        };
        let before = self.simulator.view(|view| begun(view.ledger()));
        self.remotely("another list", |view| begun(view.ledger()) >= before + more).await;
    }
}

/// Looks again and again until something is found; for what nothing tells of.
pub async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let looks = async {
        let mut again = tokio::time::interval(Duration::from_millis(50));
        loop {
            again.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(SOON, looks).await.unwrap_or_else(|_| panic!("{what} never came about"))
}
