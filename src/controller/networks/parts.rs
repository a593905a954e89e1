//! What the controllers of networks need.

use std::sync::Arc;

use kube::Client;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::controller::pulses::Pulses;
use crate::controller::tasks::Tasks;
use crate::index::NetworkKey;
use crate::provider::{ApiMetrics, Fence};
use crate::reconcile::{Context, Urgency};

/// What the controllers of networks need.
#[derive(Clone)]
pub(in crate::controller) struct Parts {
    /// What the resources' activations share.
    pub(in crate::controller) context: Arc<Context>,
    /// The client for watches.
    pub(in crate::controller) watches: Client,
    /// Wakes a network.
    pub(in crate::controller) wake: UnboundedSender<NetworkKey>,
    /// Where listers and watches of credentials go on.
    pub(in crate::controller) tasks: Tasks,
    /// The listers, which are to go round.
    pub(in crate::controller) pulses: Pulses,
    /// What the clients of the networks stop at: while it is shut, no network is looked after.
    pub(in crate::controller) fence: Fence,
    /// What is counted of their calls.
    pub(in crate::controller) metrics: ApiMetrics,
    /// Has the controllers begin nothing new.
    pub(in crate::controller) draining: CancellationToken,
}

impl Parts {
    pub(super) fn wake_resources(&self, network: &NetworkKey) {
        let keys = self.context.index().of_network(network).cloned().collect::<Vec<_>>();
        self.context.wake(keys, Urgency::Resync);
    }

    /// Wakes all resources.
    pub(super) fn wake_all(&self) {
        let keys = self.context.index().keys().cloned().collect::<Vec<_>>();
        self.context.wake(keys, Urgency::Resync);
    }
}
