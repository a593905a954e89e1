//! What the lists of a network, and our own calls, show of its endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::Index;
use super::inventory::{Incarnation, Inventory, ListToken};
use super::key::{NetworkKey, ResourceKey};
use crate::provider::{Endpoint, EndpointId, Error, ErrorClass, Listing};
use crate::resources::{EndpointCounts, UnmanagedEndpoint};

/// How many endpoints that nobody holds are named.
const FEW: usize = 10;

/// How the lists of one network went.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Why the latest failed, if it did.
    failure: Option<Error>,
    succeeded: Succeeded,
}

/// How often a network was listed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Succeeded {
    #[default]
    Never,
    Once,
    Again,
}

/// What there is in a network.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Census {
    /// How many endpoints.
    pub counts: EndpointCounts,
    /// The first of those that nobody holds, by their ids.
    pub unmanaged: Vec<UnmanagedEndpoint>,
}

impl Lists {
    /// Why the network can't be worked with, if it can't: it was never listed, or its credentials are not
    /// accepted any more. A network that is merely down now has been listed before.
    pub(super) fn shut(&self) -> Option<&Error> {
        let failure = self.failure.as_ref()?;
        let refused = matches!(failure.class(), ErrorClass::Unauthorized | ErrorClass::Forbidden);
        (refused || self.succeeded == Succeeded::Never).then_some(failure)
    }

    /// Takes in how a list went. Tells whether it is the first one that succeeded, or ends or begins a time
    /// without access, or shows another reason for it.
    fn note(&mut self, outcome: Result<(), Error>) -> bool {
        // It was not sent: nothing went wrong.
        if outcome.as_ref().is_err_and(Error::is_held_back) {
            return false;
        }
        let before = self.shut().map(Error::reason);
        let first = self.succeeded == Succeeded::Never && outcome.is_ok();
        match outcome {
            Ok(()) => {
                self.failure = None;
                self.succeeded = match self.succeeded {
                    Succeeded::Never => Succeeded::Once,
                    Succeeded::Once | Succeeded::Again => Succeeded::Again,
                };
            }
            Err(failure) => self.failure = Some(failure),
        }
        first || before != self.shut().map(Error::reason)
    }
}

impl<N> Index<N> {
    /// Begins a list through this incarnation of a network at `now`, by the API's clock; `None` when another one
    /// has taken its place, or none.
    #[must_use]
    pub fn begin_list(
        &mut self,
        network: &NetworkKey,
        through: Incarnation,
        now: Timestamp,
    ) -> Option<ListToken> {
        self.networks.asked(network, through).map(|inventory| inventory.begin_list(now))
    }

    /// These endpoints, those of them that are known already and the same as they are kept.
    #[must_use]
    pub fn shared(&self, network: &NetworkKey, endpoints: Vec<Endpoint>) -> Vec<Arc<Endpoint>> {
        let inventory = self.inventory(network);
        let shared = |endpoint: Endpoint| {
            let known = inventory.and_then(|inventory| inventory.same(&endpoint));
            known.map_or_else(|| Arc::new(endpoint), Arc::clone)
        };
        endpoints.into_iter().map(shared).collect()
    }

    /// Takes in a complete list. Names the resources to wake: the holders of what it showed something new of,
    /// those that waited for a list, and all of the network when it is there again.
    pub fn end_list(
        &mut self,
        network: &NetworkKey,
        token: ListToken,
        listing: impl Into<Listing>,
    ) -> BTreeSet<ResourceKey> {
        if self.networks.listed(network, token).is_none() {
            return BTreeSet::new();
        }
        let listing = listing.into();
        self.identify(network, &listing.endpoints);
        let Some(known) = self.networks.listed(network, token) else { return BTreeSet::new() };
        // Whether an endpoint is held is asked while it is changed.
        let mut inventory = std::mem::take(&mut known.inventory);
        let turn = known.lists.note(Ok(()));
        // A Secret that nobody owns may become a resource's, depending on what is known of its endpoint.
        let concerns = |id: &EndpointId| self.is_held(network, id) || self.is_released(id);
        let news = inventory.end_list(token, listing, concerns);
        if let Some(known) = self.networks.get_mut(network) {
            known.inventory = inventory;
        }
        if turn {
            return self.of_network(network).cloned().collect();
        }
        let holders = news.iter().flat_map(|id| self.holders(network, id).chain(self.claimants(network, id)));
        let holders = holders.filter(|key| {
            // Those of other networks of this API have lists of their own.
            self.record(key).is_some_and(|record| record.resource.network == *network)
        });
        holders.chain(self.awaiting_list(network)).cloned().collect()
    }

    /// Takes in that a list failed. Names the resources to wake.
    pub fn list_failed(
        &mut self,
        network: &NetworkKey,
        token: ListToken,
        failure: Error,
    ) -> BTreeSet<ResourceKey> {
        let Some(known) = self.networks.listed(network, token) else { return BTreeSet::new() };
        if known.lists.note(Err(failure)) {
            return self.of_network(network).cloned().collect();
        }
        BTreeSet::new()
    }

    /// Takes in an endpoint as a call through this incarnation of the network showed it.
    pub fn saw(&mut self, network: &NetworkKey, through: Incarnation, endpoint: Endpoint) {
        if let Some(id) = &endpoint.network_id {
            let _ = self.answered(network, through, Some(id));
        }
        if let Some(inventory) = self.networks.asked(network, through) {
            inventory.saw(endpoint);
        }
    }

    /// Takes in that an endpoint was not found by its id, asked through this incarnation of the network at `now`,
    /// by the API's clock.
    pub fn saw_missing(
        &mut self,
        network: &NetworkKey,
        through: Incarnation,
        id: &EndpointId,
        now: Timestamp,
    ) {
        if let Some(inventory) = self.networks.asked(network, through) {
            inventory.saw_missing(id, now);
        }
    }

    /// Takes in that a call through this incarnation of the network deleted an endpoint.
    pub fn saw_gone(&mut self, network: &NetworkKey, through: Incarnation, id: &EndpointId) {
        if let Some(inventory) = self.networks.asked(network, through) {
            inventory.saw_gone(id);
        }
    }

    /// The remote endpoints of a network as last seen.
    #[must_use]
    pub fn inventory(&self, network: &NetworkKey) -> Option<&Inventory> {
        self.networks.get(network).map(|known| &known.inventory)
    }

    /// How the latest list of a network ended: `None` before the first.
    #[must_use]
    pub fn latest_list(&self, network: &NetworkKey) -> Option<Result<(), &Error>> {
        let lists = &self.networks.get(network)?.lists;
        match &lists.failure {
            Some(failure) => Some(Err(failure)),
            None => (lists.succeeded != Succeeded::Never).then_some(Ok(())),
        }
    }

    /// Whether more than one list of a network succeeded.
    #[must_use]
    pub fn was_listed_again(&self, network: &NetworkKey) -> bool {
        self.networks.get(network).is_some_and(|known| known.lists.succeeded == Succeeded::Again)
    }

    /// What there is in a network, as last listed; `None` before every resource was seen.
    ///
    /// It looks at each endpoint, as a list does: ask once for each list.
    #[must_use]
    pub fn census(&self, network: &NetworkKey) -> Option<Census> {
        let known = self.networks.get(network).filter(|_| self.all_seen())?;
        let drifted = i64::try_from(self.drifted(network)).unwrap_or(i64::MAX);
        let mut counts = EndpointCounts { drifted, ..EndpointCounts::default() };
        let mut first = BTreeMap::new();
        for endpoint in known.inventory.all_present() {
            if self.is_held(network, &endpoint.id) {
                counts.managed += 1;
                continue;
            }
            counts.unmanaged += 1;
            first.insert(&endpoint.id, endpoint);
            if first.len() > FEW {
                first.pop_last();
            }
        }
        let shown = |endpoint: &Arc<Endpoint>| {
            let (id, url) = (endpoint.id.to_string(), endpoint.url.redacted());
            UnmanagedEndpoint { id, url }
        };
        Some(Census { counts, unmanaged: first.into_values().map(shown).collect() })
    }
}
