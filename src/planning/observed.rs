//! What is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::attempt::{Attempt, InHand, Progress};
use super::deadline::Reach;
use super::network::{Identity, NetworkState};
use super::secret::{HeldSecret, SecretState, SecretWrites};
use super::step::{Action, StepKind};
use super::timing::{Timing, later};
use crate::provider::{Endpoint, EndpointId, EndpointUrl, EventTypes};

/// All that is known of one resource when a step is planned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The resource's uid.
    pub uid: String,
    /// Its generation.
    pub generation: Option<i64>,
    /// What its status says.
    pub recorded: Recorded,
    /// Whether our finalizer is set.
    pub finalizer: Finalizer,
    /// The latest attempt.
    pub attempt: Option<Attempt>,
    /// Whether the resource still has the record of it.
    pub record: Record,
    /// What this process knows of its outcome.
    pub progress: Progress,
    /// A created endpoint whose secret is in memory and nowhere else.
    pub in_hand: Option<InHand>,
    /// The declared name of the Secret.
    pub secret_name: String,
    /// The Secret under the declared name.
    pub secret: SecretState,
    /// Secrets of ours under other names.
    pub former_secrets: BTreeMap<String, HeldSecret>,
    /// Those endpoints on record whose secrets are in Secrets that belong to nobody.
    pub released: BTreeSet<EndpointId>,
    /// Whether the Secret can be written, as far as is known.
    pub secret_writes: SecretWrites,
    /// Whether the network can be asked, and what it allows.
    pub network: NetworkState,
    /// Whether it is still waited for by a resource that is let go in the end.
    pub reach: Reach,
    /// The durations to go by.
    pub timing: Timing,
    /// When the latest complete list of the network began, by the API's clock.
    pub listed_at: Option<Timestamp>,
    /// Whether somebody asks for another list.
    pub fresh_list: FreshList,
    /// The endpoints that this resource may hold, as last seen; none before the first list.
    pub remote: BTreeMap<EndpointId, Remote>,
    /// Endpoints with the attempt's or the declared URL that no other resource holds and whose secrets are in
    /// no released Secret.
    pub candidates: Vec<Endpoint>,
    /// Items of the latest list that could not be read, but for those that another resource holds.
    pub unread: Unread,
    /// How many creates of other resources' open attempts may have made one of `candidates`.
    pub rival_posts: u32,
    /// Earlier activations of an endpoint, which somebody may keep setting inactive.
    pub activations: Option<(EndpointId, Repetition)>,
    /// Earlier replacements of endpoints whose secrets were lost.
    pub recoveries: Option<Repetition>,
    /// How long a lost Secret is waited for yet.
    pub grace: Duration,
    /// The endpoint that is to be adopted, while none is held.
    pub claim: Option<EndpointId>,
    /// Another network, named as people do, in which that endpoint is.
    pub claimed_elsewhere: Option<String>,
    /// What was done so often of late that it is not done yet again, and for how long.
    pub resting: Vec<(StepKind, Duration)>,
    /// What was done just before in the same activation.
    pub previous: Option<Action>,
}

/// What a status says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recorded {
    /// The endpoints that it names.
    pub endpoints: BTreeMap<EndpointId, Role>,
    /// The number of the latest attempt that it calls resolved.
    pub resolved_attempt: u64,
    /// The generation that it speaks of.
    pub generation: Option<i64>,
    /// The latest generation that was reached: what differs from that one is drift.
    pub applied_generation: Option<i64>,
    /// The generation that it calls ready.
    pub ready_generation: Option<i64>,
    /// The current endpoint as it tells of it.
    pub seen: Option<Box<RecordedEndpoint>>,
    /// The next endpoint as it tells of it.
    pub next: Option<Box<RecordedEndpoint>>,
    /// Since when the Secret has held the secret of the next endpoint, by the API's clock.
    pub next_since: Option<Timestamp>,
    /// The request for another secret that was answered last.
    pub handled_rotation: Option<String>,
}

/// An endpoint as a status tells of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordedEndpoint {
    /// The URL that the API showed.
    pub url: EndpointUrl,
    /// The URL that was asked for, where the API showed it as another one.
    pub requested_url: Option<EndpointUrl>,
    /// The events that the API showed.
    pub enabled_events: EventTypes,
    /// When it was created, by the API's clock.
    pub created_at: Option<Timestamp>,
}

/// Whether a resource still has the record of its latest attempt.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Record {
    /// It has.
    #[default]
    Kept,
    /// Somebody has removed it since this process wrote it.
    Removed,
}

/// What an endpoint is to its resource.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// The one that is declared.
    Current,
    /// The one that will take the place of the current one.
    Next,
    /// One whose place was taken.
    Retiring {
        /// When, by the API's clock.
        since: Timestamp,
    },
}

impl Recorded {
    /// The endpoint that the status calls the current one.
    #[must_use]
    pub fn current(&self) -> Option<&EndpointId> {
        self.with_role(Role::Current)
    }

    /// The endpoint that the status calls the next one.
    #[must_use]
    pub fn next(&self) -> Option<&EndpointId> {
        self.with_role(Role::Next)
    }

    fn with_role(&self, role: Role) -> Option<&EndpointId> {
        self.endpoints.iter().find_map(|(id, own)| (*own == role).then_some(id))
    }
}

/// Whether somebody asks for a fresh list of the network.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum FreshList {
    /// Nobody does, or there was one since.
    #[default]
    NotRequested,
    /// Somebody does, and there was none since; it is due at this time, by the API's clock.
    Requested(Timestamp),
}

/// Whether our finalizer is set.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Finalizer {
    /// It is not.
    #[default]
    Absent,
    /// It is.
    Set,
}

/// A remote endpoint that a resource may hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Remote {
    /// How it was last seen.
    pub presence: Presence,
    /// Who holds it.
    pub holders: Holders,
}

/// A remote endpoint as last seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// It was there.
    Present(Arc<Endpoint>),
    /// A list that should have shown it did not.
    Unlisted,
    /// Asked for by its id, it was not there at this time, by the API's clock.
    Missing {
        /// When.
        since: Timestamp,
    },
    /// It was neither listed nor found by its id, and neither again a moment later; or we deleted it.
    Gone,
}

impl From<Endpoint> for Presence {
    fn from(endpoint: Endpoint) -> Self {
        Self::Present(Arc::new(endpoint))
    }
}

/// Endpoints that are there and could not be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unread {
    /// Those whose ids could be read.
    pub ids: BTreeSet<EndpointId>,
    /// How many there are beside.
    pub nameless: usize,
}

/// Who holds an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holders {
    /// This resource alone.
    Sole,
    /// Another resource, too.
    Several,
}

/// How often the same was done.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Repetition {
    /// How many times in a row.
    pub count: u32,
    /// When it was done last, by the API's clock.
    pub at: Timestamp,
}

/// How long what was done is left alone before it is done again.
const PATIENCE: [Duration; 6] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
    Duration::from_hours(24),
];
/// How long after it was done last it is forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(48);

impl Repetition {
    /// Counts that it is done at `now`.
    #[must_use]
    pub fn again(earlier: Option<Self>, now: Timestamp) -> Self {
        let earlier = earlier.filter(|last| now.duration_since(last.at) < FORGOTTEN);
        Self { count: earlier.map_or(0, |last| last.count).saturating_add(1), at: now }
    }

    /// Until when it is not done again.
    pub(super) fn patient_until(self) -> Option<Timestamp> {
        let step = (self.count as usize).checked_sub(1)?.min(PATIENCE.len() - 1);
        Some(later(self.at, PATIENCE[step]))
    }
}

impl Observed {
    /// Whether it is the known network that is looked at; the known one as long as it can't be asked.
    pub(super) fn identity(&self) -> Identity {
        match &self.network {
            NetworkState::Available(admission) => admission.identity,
            NetworkState::Unavailable(_) => Identity::Confirmed,
        }
    }

    /// The Secret under the declared name, when it is this resource's.
    #[must_use]
    pub fn held_secret(&self) -> Option<&HeldSecret> {
        match &self.secret {
            SecretState::Held(held) => Some(held),
            SecretState::Absent
            | SecretState::Foreign
            | SecretState::Ownerless(_)
            | SecretState::OfFormerResource(_) => None,
        }
    }

    /// The Secret under the declared name, when it has our type and no owner that is there.
    #[must_use]
    pub fn unowned_secret(&self) -> Option<&HeldSecret> {
        match &self.secret {
            SecretState::Ownerless(found) | SecretState::OfFormerResource(found) => Some(found),
            SecretState::Absent | SecretState::Foreign | SecretState::Held(_) => None,
        }
    }

    /// Every Secret of this resource.
    pub fn held_secrets(&self) -> impl Iterator<Item = &HeldSecret> {
        self.held_secret().into_iter().chain(self.former_secrets.values())
    }

    /// The endpoints whose secrets are the current ones of this resource's Secrets.
    pub(super) fn stored(&self) -> impl Iterator<Item = &EndpointId> {
        self.held_secrets().filter_map(|secret| secret.endpoint.as_ref())
    }

    /// Whether the secret of the endpoint in hand is stored after all: the answer to that write may have been lost,
    /// and another name be declared since, or the Secret be stripped of its owner.
    pub(super) fn is_stored(&self, in_hand: &EndpointId) -> bool {
        let unowned = self.unowned_secret().and_then(|found| found.endpoint.as_ref());
        self.stored().chain(unowned).any(|id| id == in_hand)
    }

    /// Every endpoint that this resource holds, in whatever role.
    pub(super) fn held(&self) -> impl Iterator<Item = &EndpointId> {
        let previous = self.held_secrets().flat_map(|secret| &secret.previous);
        self.recorded.endpoints.keys().chain(self.stored()).chain(previous)
    }

    /// Until when an endpoint that was set active before is left inactive: somebody, perhaps the API itself, keeps
    /// setting it inactive.
    pub(super) fn patience(&self, id: &EndpointId) -> Option<Timestamp> {
        let (_, earlier) = self.activations.as_ref().filter(|(activated, _)| activated == id)?;
        earlier.patient_until()
    }

    /// Whether a Secret of this resource holds the secret of an endpoint, as far as what it holds is believed.
    pub(super) fn has_secret_of(&self, id: &EndpointId) -> bool {
        self.held_secrets().flat_map(HeldSecret::holds).any(|held| held == id)
    }

    /// Whether the secret of the endpoint that the status calls the current one is in no Secret of this resource.
    #[must_use]
    pub fn lacks_secret(&self) -> bool {
        let unowned = self.unowned_secret().and_then(|found| found.endpoint.as_ref());
        self.recorded.current().is_some_and(|id| !self.has_secret_of(id) && unowned != Some(id))
    }

    /// How an endpoint that this resource may hold was last seen.
    pub(super) fn presence(&self, id: &EndpointId) -> Option<&Presence> {
        self.remote.get(id).map(|remote| &remote.presence)
    }

    /// An endpoint that this resource may hold, if it was there.
    pub(super) fn present(&self, id: &EndpointId) -> Option<&Endpoint> {
        match self.presence(id)? {
            Presence::Present(endpoint) => Some(endpoint),
            Presence::Unlisted | Presence::Missing { .. } | Presence::Gone => None,
        }
    }

    /// Whether another resource holds an endpoint too.
    pub(super) fn is_contested(&self, id: &EndpointId) -> bool {
        self.remote.get(id).is_some_and(|remote| remote.holders == Holders::Several)
    }

    /// Whether the declared state was reached since it last changed.
    pub(super) fn is_applied(&self) -> bool {
        self.generation.is_some() && self.recorded.applied_generation == self.generation
    }

    /// The latest attempt, while its outcome is not on record.
    #[must_use]
    pub fn open_attempt(&self) -> Option<&Attempt> {
        let attempt = self.attempt.as_ref()?;
        attempt.is_open(&self.uid, self.resolved()).then_some(attempt)
    }

    /// The endpoint that an attempt made, as far as a Secret tells.
    pub(super) fn made_by(&self, attempt: &Attempt) -> Option<&EndpointId> {
        let made = self.held_secrets().filter(|secret| secret.attempt == attempt.number);
        made.filter(|_| attempt.uid == self.uid).find_map(|secret| secret.endpoint.as_ref())
    }

    /// The number of the latest attempt whose outcome is on record, in the status or by a Secret.
    pub(super) fn resolved(&self) -> u64 {
        let stored = self.held_secrets().map(|secret| secret.attempt).max().unwrap_or(0);
        stored.max(self.recorded.resolved_attempt)
    }

    /// The number for the next attempt.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        let recorded = self.attempt.as_ref().map_or(0, |attempt| attempt.number);
        recorded.max(self.resolved()) + 1
    }
}
