//! What is asked of Kubernetes in the same way everywhere: the clients, and lists.

mod passage;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::client::ClientBuilder;
use kube::core::ObjectList;
use kube::{Api, Client, Config, Resource};

use self::passage::Passage;
use crate::provider::{Clock, Fence};

pub(crate) use self::passage::KubernetesMetrics;

/// The clients of one term of leadership.
pub(crate) struct Clients {
    /// For reads and writes.
    pub(crate) calls: Client,
    /// For watches.
    pub(crate) watches: Client,
    /// The cluster's clock, as the API server's answers tell it: the machine's may be wrong.
    pub(crate) clock: Arc<Clock>,
}

impl Clients {
    /// Makes the clients. This is the one place through which every write to Kubernetes leaves: none does while
    /// the fence is shut.
    pub(crate) fn new(config: &Config, fence: &Fence, metrics: &KubernetesMetrics) -> kube::Result<Self> {
        let clock = Arc::new(Clock::local());
        let passage = Passage { fence: fence.clone(), clock: Arc::clone(&clock), metrics: metrics.clone() };
        let calls = ClientBuilder::try_from(for_calls(config.clone()))?.with_layer(&passage).build();
        let watches = ClientBuilder::try_from(for_watches(config.clone()))?.with_layer(&passage).build();
        Ok(Self { calls, watches, clock })
    }
}

/// The client by which replicas agree on the one that acts.
pub(crate) fn election_client(config: &Config) -> kube::Result<Client> {
    Ok(ClientBuilder::try_from(for_calls(config.clone()))?.build())
}

/// The client retries on its own by default; retries are ours.
fn for_calls(mut config: Config) -> Config {
    let timeout = Some(Duration::from_secs(15));
    config.default_retry = false;
    // What has passed the fence leaves soon.
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = timeout;
    config.write_timeout = timeout;
    config
}

/// A watch is silent for up to its own timeout of 290 s.
fn for_watches(config: Config) -> Config {
    let mut config = for_calls(config);
    config.read_timeout = Some(Duration::from_mins(5));
    config
}

/// The APIs of a kind in these namespaces; the one for the whole cluster, when there are none.
pub(crate) fn apis<K>(client: &Client, namespaces: &[String]) -> Vec<Api<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    if namespaces.is_empty() {
        return vec![Api::all(client.clone())];
    }
    namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
}

/// The pages of a consistent list.
pub(crate) fn pages<K, F, R>(list: F) -> impl futures::Stream<Item = kube::Result<Vec<K>>>
where
    K: Clone,
    F: Fn(ListParams) -> R,
    R: Future<Output = kube::Result<ObjectList<K>>>,
{
    futures::stream::try_unfold((list, Some(String::new())), |(list, token)| async move {
        let Some(token) = token else { return Ok(None) };
        let params = ListParams::default().limit(500);
        let params = if token.is_empty() { params } else { params.continue_token(&token) };
        let page = list(params).await?;
        let next = page.metadata.continue_.filter(|token| !token.is_empty());
        Ok(Some((page.items, (list, next))))
    })
}
