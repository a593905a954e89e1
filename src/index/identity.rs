//! Which of the vendor's networks a declared network leads to.
//!
//! The credentials determine it, and no call asks for it: it shows in the endpoints. Where the API names no network,
//! an endpoint that a resource holds shows that it is still the same one.

use super::key::NetworkKey;
use super::networks::Known;
use super::resources::Record;
use super::{Incarnation, Index};
use crate::planning::Identity;
use crate::provider::{Endpoint, EndpointUrl, NetworkId};
use crate::resources::NetworkConfirmation;

/// What is declared and on record of which network it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    /// `spec.networkId`
    pub declared: Option<NetworkId>,
    /// `status.networkId`
    pub recorded: Option<NetworkId>,
    /// `status.confirmation`
    pub confirmation: Option<NetworkConfirmation>,
    /// What the handle goes by.
    pub origin: Origin,
}

/// Where a handle of a network leads, and by which credentials; it holds none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// The base URL of the API.
    pub api_url: String,
    /// The Secrets that the credentials are in, and their versions.
    pub credentials: String,
}

/// Which network it is, as far as is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    declared: Option<NetworkId>,
    recorded: Option<NetworkId>,
    /// How it was when it was last certain.
    confirmation: Option<NetworkConfirmation>,
    /// The one of the present handle.
    origin: Origin,
    /// What the present handle has shown.
    shown: Shown,
}

/// What answers have shown of which network it is.
#[derive(Clone, Debug, Default)]
enum Shown {
    /// Nothing: there were no endpoints.
    #[default]
    Nothing,
    /// Endpoints that name no network.
    Nameless,
    /// The id of a network.
    Id(NetworkId),
}

/// What a list shows of which network it is.
#[derive(Debug)]
struct Evidence {
    shown: Shown,
    /// Whether a resource holds one of its endpoints.
    ours: bool,
    /// Whether no resource has anything to lose in this network.
    vacant: bool,
}

impl Standing {
    /// Goes on from what was known before, or is on record, with another handle.
    pub(super) fn succeed(before: Option<Self>, claim: Claim) -> Self {
        let Claim { declared, recorded, confirmation, origin } = claim;
        let mut standing = before.unwrap_or_else(|| Self {
            declared: match &confirmation {
                Some(last) => last.declared_network_id.as_deref().map(Into::into),
                None => declared.clone(),
            },
            recorded,
            confirmation,
            ..Self::default()
        });
        standing.origin = origin;
        standing.shown = Shown::Nothing;
        standing.declare(declared);
        standing
    }

    /// Takes in what is declared. Naming another network than before is how a person confirms what is there now.
    /// Tells whether that is a change.
    pub(super) fn declare(&mut self, declared: Option<NetworkId>) -> bool {
        if self.declared == declared {
            return false;
        }
        self.declared = declared;
        if self.declared.is_some() && !self.contradicts() {
            self.confirm();
        }
        true
    }

    /// The id that it is known by.
    pub(super) fn known(&self) -> Option<&NetworkId> {
        self.declared.as_ref().or(self.recorded.as_ref())
    }

    /// The id that was seen instead of the known one.
    pub(super) fn other(&self) -> Option<&NetworkId> {
        match &self.shown {
            Shown::Id(id) if self.known() != Some(id) => Some(id),
            _ => None,
        }
    }

    fn contradicts(&self) -> bool {
        self.known().is_some() && self.other().is_some()
    }

    fn is_confirmed(&self) -> bool {
        self.confirmation.as_ref().is_some_and(|last| {
            last.api_url == self.origin.api_url && last.credentials == self.origin.credentials
        })
    }

    fn confirm(&mut self) {
        self.recorded = self.known().cloned();
        self.confirmation = Some(NetworkConfirmation {
            api_url: self.origin.api_url.clone(),
            credentials: self.origin.credentials.clone(),
            declared_network_id: self.declared.as_ref().map(ToString::to_string),
        });
    }

    /// How it was when it was last certain.
    pub(super) fn confirmation(&self) -> Option<&NetworkConfirmation> {
        self.confirmation.as_ref()
    }

    pub(super) fn identity(&self) -> Identity {
        match &self.shown {
            _ if self.contradicts() => Identity::Changed,
            _ if self.is_confirmed() => Identity::Confirmed,
            Shown::Nothing if self.known().is_some() => Identity::Unconfirmed,
            Shown::Nothing | Shown::Nameless | Shown::Id(_) => Identity::Untold,
        }
    }

    /// Takes in the network that one endpoint names.
    fn name(&mut self, id: &NetworkId) {
        self.shown = Shown::Id(id.clone());
        if self.known() == Some(id) {
            self.confirm();
        } else if self.known().is_none() && self.is_confirmed() {
            self.recorded = Some(id.clone());
        }
    }

    fn list(&mut self, evidence: Evidence) {
        let Evidence { shown, ours, vacant } = evidence;
        match shown {
            Shown::Id(id) => {
                if self.known().is_none() && (ours || vacant) {
                    self.recorded = Some(id.clone());
                }
                self.name(&id);
            }
            Shown::Nameless if matches!(self.shown, Shown::Nothing) => self.shown = Shown::Nameless,
            Shown::Nothing | Shown::Nameless => {}
        }
        if (ours || vacant) && !self.contradicts() && !self.is_confirmed() {
            self.confirm();
        }
    }
}

impl<N> Index<N> {
    /// Takes in what the endpoints of a network show of which one it is.
    pub(super) fn identify<'a>(
        &mut self,
        network: &NetworkKey,
        endpoints: impl Iterator<Item = &'a Endpoint> + Clone,
    ) {
        let Some(standing) = self.networks.get(network).map(Known::standing) else { return };
        let known = standing.known();
        let mut named = endpoints.clone().filter_map(|endpoint| endpoint.network_id.as_ref());
        // Of several, the known one counts.
        let first = named.clone().next();
        let shown = match named.find(|id| Some(*id) == known).or(first) {
            Some(id) => Shown::Id(id.clone()),
            None if endpoints.clone().next().is_some() => Shown::Nameless,
            None => Shown::Nothing,
        };
        let uncertain = standing.identity() != Identity::Confirmed;
        let evidence = Evidence {
            shown,
            ours: uncertain && endpoints.clone().any(|endpoint| self.is_ours(network, endpoint)),
            vacant: uncertain && self.is_vacant(network),
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
                self.identify(network, present.iter());
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

    /// Whether no resource holds an endpoint of a network, or may have made one.
    fn is_vacant(&self, network: &NetworkKey) -> bool {
        let mut records = self.of_network(network).filter_map(|key| self.record(key));
        self.all_seen() && records.all(|record| record.holding.is_empty())
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
        match id {
            Some(id) => standing.name(id),
            None if matches!(standing.shown, Shown::Nothing) => standing.shown = Shown::Nameless,
            None => {}
        }
        standing.identity() == Identity::Confirmed
    }

    /// What is declared of a network, for as long as its declaration can't be read.
    #[must_use]
    pub fn claim(&self, network: &NetworkKey) -> Claim {
        let standing = self.networks.get(network).map(Known::standing);
        Claim { declared: standing.and_then(|standing| standing.declared.clone()), ..Claim::default() }
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
