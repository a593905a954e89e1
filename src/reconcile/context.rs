//! What all activations share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tokio::sync::mpsc::UnboundedSender;

use super::events::Events;
use super::locks::Locks;
use super::metrics::ReconcileMetrics;
use super::urgency::Urgency;
use crate::index::{Api, Index, ResourceKey};
use crate::network::Network;
use crate::provider::{Clock, EndpointUrl};

/// The operator's own settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long after a create a list may fail to show its endpoint.
    pub settle: Duration,
    /// How long a Secret that is lost may come back before its endpoint is replaced.
    pub recovery_grace: Duration,
    /// Non-public addresses that namespaced networks may connect to nevertheless.
    pub address_exceptions: Vec<ipnet::IpNet>,
    /// How many resources of a network are reconciled at once.
    pub concurrency: u16,
    /// The namespaces that it looks after, and nothing else of the cluster: all, when there are none.
    pub namespaces: Vec<String>,
    /// A label selector: resources and networks without these labels are another deployment's.
    pub selector: Option<String>,
    /// How many times shorter than in life the pauses between tries are; for tests of the operator.
    pub hurry: std::num::NonZeroU16,
}

/// What all activations share.
pub struct Context {
    /// The Kubernetes client.
    pub client: Client,
    /// The operator's own settings.
    pub settings: Settings,
    /// What is counted of reconciliations.
    pub(super) metrics: ReconcileMetrics,
    /// Where what happens to resources and networks is told.
    pub(crate) events: Events,
    clock: Arc<Clock>,
    /// What is known.
    index: Mutex<Index<Arc<Network>>>,
    /// Where resources go that something happened to.
    queue: UnboundedSender<(ResourceKey, Urgency)>,
    /// By the API too: one that does not answer holds up nobody else's creates.
    pub(super) urls: Locks<(Api, EndpointUrl)>,
    pub(super) namespaces: Locks<Arc<str>>,
}

impl Context {
    /// A context that knows nothing yet; `clock` is the cluster's, and resources that something happened to are
    /// sent to `queue`.
    pub(crate) fn new(
        client: Client,
        clock: Arc<Clock>,
        (events, metrics): (Events, ReconcileMetrics),
        settings: Settings,
        queue: UnboundedSender<(ResourceKey, Urgency)>,
    ) -> Self {
        Self {
            events,
            metrics,
            clock,
            index: Mutex::default(),
            queue,
            urls: Locks::default(),
            namespaces: Locks::default(),
            client,
            settings,
        }
    }

    /// What is known. The lock is held for no longer than a look or an entry takes.
    pub fn index(&self) -> MutexGuard<'_, Index<Arc<Network>>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time by the cluster's clock.
    #[must_use]
    pub fn cluster_time(&self) -> Timestamp {
        self.clock.now()
    }

    /// Has resources reconciled that something happened to.
    pub fn wake(&self, keys: impl IntoIterator<Item = ResourceKey>, urgency: Urgency) {
        let mut index = self.index();
        for key in keys.into_iter().filter(|key| index.wake(key)) {
            // The receiver lives as long as the controller; after it nothing needs waking.
            let _ = self.queue.send((key, urgency));
        }
    }
}
