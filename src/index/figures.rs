//! What is counted of all that is known, for metrics.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Index, NetworkKey};
use crate::conditions::{Type, find};
use crate::resources::WebhookNetworkStatus;

/// What is counted of all that is known.
#[derive(Debug, Default)]
pub struct Figures {
    /// By network, and by the status and the reason of their condition `Ready`: how many resources.
    pub resources: BTreeMap<(NetworkKey, String, String), u64>,
    /// How many secrets are in memory only.
    pub in_hand: u64,
    /// Of each network, what was told of it last.
    pub networks: BTreeMap<NetworkKey, NetworkFigures>,
}

/// What is counted of a network.
#[derive(Debug)]
pub struct NetworkFigures {
    /// When the latest complete list was begun, by the API's clock.
    pub listed_at: Option<Timestamp>,
    /// What its status says.
    pub status: Option<WebhookNetworkStatus>,
}

impl<N> Index<N> {
    /// Counts all that is known. It looks at each resource.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        for record in self.records() {
            let status = &record.resource.status;
            let ready = find(&status.conditions, Type::Ready);
            let (ready, reason) = ready.map_or(("Unknown", "Unseen"), |ready| (&ready.status, &ready.reason));
            let key = (record.resource.network.clone(), ready.to_owned(), reason.to_owned());
            *figures.resources.entry(key).or_default() += 1;
            figures.in_hand += u64::from(record.local.memory.in_hand().is_some());
        }
        figures.networks = self.network_figures().collect();
        figures
    }
}
