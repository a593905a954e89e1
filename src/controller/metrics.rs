//! What `/metrics` shows: what was counted since the process began, and how things stand.

use std::fmt;
use std::sync::Mutex;

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tracing::warn;

use super::looked::Looked;
use crate::conditions::{Type, find};
use crate::index::{Figures, NetworkFigures, NetworkKey};
use crate::kubernetes::KubernetesMetrics;
use crate::provider::ApiMetrics;
use crate::reconcile::ReconcileMetrics;

/// What the operator's metrics begin with.
const PREFIX: &str = "webhook_operator";

/// What is counted since the process began, and gauges that are set when somebody looks.
#[derive(Default)]
pub struct Metrics {
    pub(super) kubernetes: KubernetesMetrics,
    pub(super) api: ApiMetrics,
    pub(super) reconcile: ReconcileMetrics,
    gauges: Gauges,
    /// One look at a time.
    registry: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Gauges {
    leader: Gauge,
    in_hand: Gauge,
    resources: Family<Resources, Gauge>,
    networks: Family<Networks, Gauge>,
    endpoints: Family<State, Gauge>,
    listed: Family<Of, Gauge<f64, std::sync::atomic::AtomicU64>>,
    queued: Family<Of, Gauge>,
    oldest: Family<Of, Gauge<f64, std::sync::atomic::AtomicU64>>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Of {
    network: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Resources {
    network: String,
    ready: String,
    reason: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Networks {
    ready: String,
    reason: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct State {
    network: String,
    state: &'static str,
}

impl Metrics {
    /// Metrics of a process that begins.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self::default();
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix(PREFIX);
        own.register("build", "The operator's version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        metrics.gauges.register(own);
        metrics.kubernetes.register(own);
        metrics.api.register(own);
        metrics.reconcile.register(own);
        if let Err(error) = kubert_prometheus_process::register(registry.sub_registry_with_prefix("process"))
        {
            warn!("there are no metrics of the process: {error}");
        }
        Self { registry: Mutex::new(registry), ..metrics }
    }

    /// All of it, in the text format of `OpenMetrics`.
    pub(super) fn show(&self, term: Option<&Looked>) -> Result<String, fmt::Error> {
        let registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.gauges.set(term);
        let mut shown = String::new();
        text::encode(&mut shown, &registry)?;
        Ok(shown)
    }
}

impl Gauges {
    fn register(&self, registry: &mut Registry) {
        registry.register("leader", "Whether this process is the one that acts", self.leader.clone());
        registry.register(
            "secrets_in_hand",
            "Signing secrets that are in memory only, since they could not be stored yet",
            self.in_hand.clone(),
        );
        registry.register(
            "webhookendpoints",
            "WebhookEndpoints by network, and by status and reason of their condition Ready",
            self.resources.clone(),
        );
        registry.register(
            "networks",
            "WebhookNetworks and ClusterWebhookNetworks by status and reason of their condition Ready",
            self.networks.clone(),
        );
        registry.register(
            "remote_endpoints",
            "Remote endpoints as last listed: managed, unmanaged, or managed and drifted",
            self.endpoints.clone(),
        );
        registry.register_with_unit(
            "last_list_timestamp",
            "When the latest complete list of the network was begun",
            Unit::Seconds,
            self.listed.clone(),
        );
        registry.register("queue_length", "WebhookEndpoints that wait for their turn", self.queued.clone());
        registry.register_with_unit(
            "queue_oldest_age",
            "How long the WebhookEndpoint that has waited longest for its turn has done so",
            Unit::Seconds,
            self.oldest.clone(),
        );
    }

    fn set(&self, term: Option<&Looked>) {
        self.resources.clear();
        self.networks.clear();
        self.endpoints.clear();
        self.listed.clear();
        self.queued.clear();
        self.oldest.clear();
        let Some(Looked { context, fence, queue, .. }) = term else { return };
        self.leader.set(i64::from(fence.is_open()));
        let figures = context.index().figures();
        let Figures { resources, in_hand, networks } = figures;
        self.in_hand.set(i64::try_from(in_hand).unwrap_or(i64::MAX));
        for ((network, ready, reason), count) in resources {
            let resources = Resources { network: network.label(), ready, reason };
            self.resources.get_or_create(&resources).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for (key, network) in networks {
            self.set_network(&key, &network);
            // By the machine's clock: that of the API may be wrong.
            let registered = context.index().registered(&key).and_then(Result::ok);
            let listed = registered.zip(network.listed_at);
            if let Some((registered, at)) = listed {
                let age = registered.client.now().duration_since(at);
                let at = Timestamp::now().checked_sub(age).unwrap_or(at);
                self.listed.get_or_create(&Of { network: key.label() }).set(at.as_duration().as_secs_f64());
            }
        }
        for (network, count, since) in queue.lengths() {
            let of = Of { network: network.label() };
            self.queued.get_or_create(&of).set(i64::try_from(count).unwrap_or(i64::MAX));
            self.oldest.get_or_create(&of).set(since.map_or(0.0, |since| since.elapsed().as_secs_f64()));
        }
    }

    fn set_network(&self, key: &NetworkKey, network: &NetworkFigures) {
        let status = network.status.as_ref();
        let ready = status.and_then(|status| find(&status.conditions, Type::Ready));
        let (ready, reason) = ready.map_or(("Unknown", "Unseen"), |ready| (&*ready.status, &*ready.reason));
        let networks = Networks { ready: ready.to_owned(), reason: reason.to_owned() };
        self.networks.get_or_create(&networks).inc();
        let Some(counts) = status.and_then(|status| status.endpoints) else { return };
        let counts =
            [("managed", counts.managed), ("drifted", counts.drifted), ("unmanaged", counts.unmanaged)];
        for (state, count) in counts {
            self.endpoints.get_or_create(&State { network: key.label(), state }).set(count);
        }
    }
}
