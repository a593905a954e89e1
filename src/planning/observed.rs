//! What is known.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::attempt::{Attempt, Progress};
use crate::provider::{Endpoint, EndpointId};

/// All that is known of one resource when a step is planned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The resource's uid.
    pub uid: String,
    /// Whether our finalizer is set.
    pub finalizer: bool,
    /// The latest recorded attempt.
    pub attempt: Option<Attempt>,
    /// What this process knows of its outcome.
    pub progress: Progress,
    /// The number of the latest attempt that the status calls resolved.
    pub resolved_attempt: u64,
    /// The endpoint that the status names.
    pub recorded: Option<EndpointId>,
    /// Whether the declared state was reached since it last changed: what differs now is drift.
    pub reached: bool,
    /// A created endpoint whose secret is in memory and nowhere else.
    pub in_hand: Option<InHand>,
    /// The Secret under the declared name.
    pub secret: SecretState,
    /// Secrets of ours under other names.
    pub former_secrets: BTreeMap<String, HeldSecret>,
    /// Whether a dry run has to show that the Secret can be written before an endpoint is created.
    pub unproven: bool,
    /// Whether the network can be asked.
    pub reach: Reach,
    /// When the latest complete list of the network began, by the API's clock.
    pub listed_at: Option<Timestamp>,
    /// The endpoints that this resource may hold, as last seen.
    pub remote: BTreeMap<EndpointId, Presence>,
    /// Endpoints with the attempt's or the declared URL that no other resource holds and whose secrets are in
    /// no released Secret.
    pub unheld: Vec<Endpoint>,
    /// How many creates of other resources' open attempts may have made one of `unheld`.
    pub rival_posts: u32,
    /// Endpoints that another resource holds too.
    pub contested: BTreeSet<EndpointId>,
    /// Earlier reactivations of an endpoint that somebody keeps setting inactive.
    pub reactivation: Option<Reactivation>,
}

/// Whether the network can be asked.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Reach {
    /// It can, or there is still hope that it can.
    #[default]
    Open,
    /// It is missing, can't be used, or fails: a resource that is to be retained does not wait for it any more.
    Shut,
}

/// A created endpoint whose secret is in memory and nowhere else.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct InHand {
    /// The attempt that made it.
    pub attempt: u64,
    /// Its id.
    pub id: EndpointId,
    /// Whether the API's answer held the secret.
    pub has_secret: bool,
}

/// The Secret under the declared name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum SecretState {
    /// There is none.
    #[default]
    Absent,
    /// It is somebody else's.
    Foreign,
    /// It belongs to an earlier resource of the same name and awaits garbage collection.
    OfFormerResource,
    /// It is this resource's.
    Held(HeldSecret),
}

/// A Secret of this resource.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeldSecret {
    /// The endpoint whose secret it holds; `None` when that can't be told any more.
    pub endpoint: Option<EndpointId>,
    /// The attempt that made the endpoint.
    pub attempt: u64,
    /// Its labels, without the operator's own.
    pub labels: BTreeMap<String, String>,
    /// Its annotations, without the operator's own.
    pub annotations: BTreeMap<String, String>,
}

/// A remote endpoint as last seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// It was there.
    Present(Endpoint),
    /// A list that should have shown it did not.
    Unlisted,
    /// Asked for by its id, it was not there; or we deleted it.
    Gone,
}

/// Earlier reactivations of an endpoint.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Reactivation {
    /// How many in a row.
    pub count: u32,
    /// When the latest was, by the API's clock.
    pub at: Timestamp,
}

impl Observed {
    /// The Secret under the declared name, when it is this resource's.
    #[must_use]
    pub fn held_secret(&self) -> Option<&HeldSecret> {
        match &self.secret {
            SecretState::Held(held) => Some(held),
            SecretState::Absent | SecretState::Foreign | SecretState::OfFormerResource => None,
        }
    }

    /// Every Secret of this resource.
    pub fn held_secrets(&self) -> impl Iterator<Item = &HeldSecret> {
        self.held_secret().into_iter().chain(self.former_secrets.values())
    }

    /// The latest attempt, while its outcome is not on record.
    #[must_use]
    pub fn open_attempt(&self) -> Option<&Attempt> {
        let attempt = self.attempt.as_ref()?;
        if attempt.uid != self.uid || attempt.number <= self.resolved_attempt {
            return None;
        }
        if self.held_secrets().any(|secret| secret.attempt >= attempt.number) {
            return None;
        }
        Some(attempt)
    }

    /// The number for the next attempt.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        let recorded = self.attempt.as_ref().map_or(0, |attempt| attempt.number);
        let stored = self.held_secrets().map(|secret| secret.attempt).max().unwrap_or(0);
        recorded.max(stored).max(self.resolved_attempt) + 1
    }
}
