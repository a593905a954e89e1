//! What lists and answers show of which network it is, and what is known of that.

use std::sync::Arc;

use super::identity::{Claim, Evidence, Shown};
use super::key::NetworkKey;
use super::networks::Known;
use super::resources::Record;
use super::{Incarnation, Index};
use crate::planning::Identity;
use crate::provider::{Endpoint, EndpointUrl, NetworkId};
use crate::resources::NetworkConfirmation;

impl<N> Index<N> {
    /// Takes in what the endpoints of a network show of which one it is.
    pub(super) fn identify(&mut self, network: &NetworkKey, endpoints: &[Arc<Endpoint>]) {
        let Some(standing) = self.networks.get(network).map(Known::standing) else { return };
        let known = standing.known();
        let named = || endpoints.iter().filter_map(|endpoint| endpoint.network_id.as_ref());
        // Of several, the known one counts.
        let shown = match named().find(|id| Some(*id) == known).or_else(|| named().next()) {
            Some(id) => Shown::Id(id.clone()),
            None if endpoints.is_empty() => Shown::Nothing,
            None => Shown::Nameless,
        };
        let uncertain = standing.identity() != Identity::Confirmed;
        let evidence = Evidence {
            shown,
            ours: uncertain && endpoints.iter().any(|endpoint| self.is_ours(network, endpoint)),
            vacant: uncertain && self.is_vacant(network, known),
        };
        if let Some(known) = self.networks.get_mut(network) {
            known.standing_mut().list(evidence);
        }
    }

    /// Looks again at the networks of which it is not certain which they are: now it is known who holds what. Names
    /// them.
    pub(super) fn identify_all(&mut self) -> Vec<NetworkKey> {
        let networks = self.networks.uncertain();
        for network in &networks {
            let listed = self.inventory(network).filter(|seen| seen.listed_at().is_some());
            if let Some(present) = listed.map(|seen| seen.all_present().cloned().collect::<Vec<_>>()) {
                self.identify(network, &present);
            }
        }
        networks
    }

    /// Whether an endpoint is one that a resource of the network holds: its id may be another endpoint's elsewhere.
    fn is_ours(&self, network: &NetworkKey, endpoint: &Endpoint) -> bool {
        let leads_there = |record: &Record| {
            let resource = &record.resource;
            let seen = resource.status.endpoint.as_ref();
            let seen = seen.map(|seen| EndpointUrl::from(seen.url.as_str()));
            resource.network == *network
                && (resource.url == endpoint.url || seen.as_ref() == Some(&endpoint.url))
        };
        self.holders(network, &endpoint.id).filter_map(|key| self.record(key)).any(leads_there)
    }

    /// Whether no resource holds an endpoint of a network, or may have made one. Of a network of which nothing was
    /// ever seen, no more will be known by waiting.
    fn is_vacant(&self, network: &NetworkKey, known: Option<&NetworkId>) -> bool {
        let holdings = self.of_network(network).filter_map(|key| Some(&self.record(key)?.holding));
        let mut holdings =
            holdings.filter(|holding| !holding.is_empty() || (known.is_some() && holding.is_open()));
        self.all_seen() && holdings.next().is_none()
    }

    /// Takes in the answer to a create through this incarnation of a network. Tells whether it is certain that the
    /// endpoint was made in the known one.
    pub fn answered(&mut self, network: &NetworkKey, through: Incarnation, id: Option<&NetworkId>) -> bool {
        let Some(known) = self.networks.get_mut(network) else { return true };
        if known.inventory.incarnation() != through {
            // It was asked when that one was certain; the answer says nothing of the one that took its place.
            return known.standing().known().is_none_or(|known| id.is_none_or(|id| id == known));
        }
        let standing = known.standing_mut();
        standing.answer(id);
        standing.identity() == Identity::Confirmed
    }

    /// What is declared of a network, for as long as its declaration can't be read.
    #[must_use]
    pub fn claim(&self, network: &NetworkKey) -> Claim {
        let declared = self.networks.get(network).and_then(|known| known.standing().declared().cloned());
        Claim { declared, ..Claim::default() }
    }

    /// The id by which a network is known, and another one that it shows instead.
    #[must_use]
    pub fn network_ids(&self, network: &NetworkKey) -> (Option<&NetworkId>, Option<&NetworkId>) {
        let standing = self.networks.get(network).map(Known::standing);
        standing.map_or((None, None), |standing| (standing.known(), standing.other()))
    }

    /// Whether it is the known network that the API shows.
    #[must_use]
    pub fn identity(&self, network: &NetworkKey) -> Identity {
        self.networks.get(network).map(|known| known.standing().identity()).unwrap_or_default()
    }

    /// How it was when it was last certain which network it is.
    #[must_use]
    pub fn confirmation(&self, network: &NetworkKey) -> Option<&NetworkConfirmation> {
        self.networks.get(network)?.standing().confirmation()
    }
}
