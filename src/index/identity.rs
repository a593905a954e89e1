//! Which of the vendor's networks a declared network leads to.
//!
//! The credentials determine it, and no call asks for it: it shows in the endpoints. Where the API names no network,
//! an endpoint that a resource holds shows that it is still the same one.

use crate::planning::Identity;
use crate::provider::NetworkId;
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
    /// Whether the declared id came with the present handle: then its first list tells whether that one is there.
    named: bool,
}

/// What answers have shown of which network it is.
#[derive(Clone, Debug, Default)]
pub(super) enum Shown {
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
pub(super) struct Evidence {
    /// What its endpoints name.
    pub(super) shown: Shown,
    /// Whether a resource holds one of its endpoints.
    pub(super) ours: bool,
    /// Whether no resource has anything to lose in this network.
    pub(super) vacant: bool,
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
        // Without credentials, it can't be told yet what a person confirms.
        let is_usable = !origin.credentials.is_empty();
        standing.origin = origin;
        standing.shown = Shown::Nothing;
        if is_usable {
            standing.named = declared.is_some() && standing.declared != declared;
            standing.declared = declared;
        }
        standing
    }

    /// Takes in what is declared. Naming another network than before is how a person confirms what is there now.
    /// Tells whether that is a change.
    pub(super) fn declare(&mut self, declared: Option<NetworkId>) -> bool {
        if self.declared == declared {
            return false;
        }
        self.declared = declared;
        self.named = false;
        if self.declared.is_some() && !self.contradicts() {
            self.confirm();
        }
        true
    }

    /// The id that is declared.
    pub(super) fn declared(&self) -> Option<&NetworkId> {
        self.declared.as_ref()
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

    /// Takes in that the same credentials are in other versions of their Secrets.
    pub(super) fn renew(&mut self, origin: Origin) {
        let confirmed = self.is_confirmed();
        self.origin = origin;
        if confirmed {
            self.confirm();
        }
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

    /// Takes in the network that the endpoint of an answer names, if it does.
    pub(super) fn answer(&mut self, id: Option<&NetworkId>) {
        match id {
            Some(id) => self.name(id),
            None if matches!(self.shown, Shown::Nothing) => self.shown = Shown::Nameless,
            None => {}
        }
    }

    fn name(&mut self, id: &NetworkId) {
        self.shown = Shown::Id(id.clone());
        if self.known() == Some(id) {
            self.confirm();
        } else if self.known().is_none() && self.is_confirmed() {
            self.recorded = Some(id.clone());
        }
    }

    /// Takes in what a list shows.
    pub(super) fn list(&mut self, evidence: Evidence) {
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
        let named = std::mem::take(&mut self.named);
        if (ours || vacant || named) && !self.contradicts() && (named || !self.is_confirmed()) {
            self.confirm();
        }
    }
}
