//! What can be done.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::attempt::Attempt;
use super::rest::Rest;
use crate::provider::{EndpointId, EndpointPatch};

/// The next step for one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Do this, then plan again.
    Act(Action),
    /// Nothing to do now: report this and wait.
    Rest(Rest),
}

/// One call, or one write, that moves a resource on.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Dry-run the write of the Secret.
    ProveSecretWritable,
    /// Set the finalizer and record the attempt, in one write that an outdated view loses.
    RecordAttempt(Attempt),
    /// Set the finalizer of a resource that has lost it, in a write that an outdated view loses.
    SetFinalizer,
    /// Send the recorded attempt.
    Create,
    /// Write the secret in hand.
    StoreSecret,
    /// Copy the Secret to the declared name.
    CopySecret {
        /// The name it has.
        from: String,
    },
    /// Give the Secret its declared labels and annotations.
    DressSecret,
    /// Delete a Secret of ours that has been copied.
    DeleteSecret {
        /// Its name.
        name: String,
    },
    /// Put on record that this attempt, and those before it, were answered, which a Secret shows so far.
    RecordAnswered(u64),
    /// Let go of a Secret, so that it outlives the resource.
    ReleaseSecret {
        /// Its name; the declared one when `None`.
        name: Option<String>,
    },
    /// Change the endpoint.
    Patch {
        /// Its id.
        id: EndpointId,
        /// What is changed.
        patch: EndpointPatch,
        /// Whether this undoes a disablement that was not ours.
        reactivates: bool,
    },
    /// Ask for an endpoint that a list did not show.
    Confirm {
        /// Its id.
        id: EndpointId,
    },
    /// Delete an endpoint.
    Delete {
        /// Its id.
        id: EndpointId,
        /// Why.
        cause: DeleteCause,
    },
    /// List the network afresh.
    List,
    /// Let the resource go.
    RemoveFinalizer(Leftover),
}

/// What may be left in the network, with a secret that is stored nowhere, when a resource is let go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Leftover {
    /// Nothing.
    Nothing,
    /// What this attempt made, or others of its series.
    OfAttempt(Box<Attempt>),
}

/// Why an endpoint is deleted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DeleteCause {
    /// Its resource is deleted.
    Removed,
    /// It is the trace of a create whose answer was lost.
    Orphan {
        /// Whether it accounts for every create that may have taken effect.
        last: bool,
    },
    /// Its secret is in memory, and can't or need not be stored.
    InHand,
}

/// The durations that planning goes by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    /// How long after a create a list may fail to show its endpoint.
    pub settle: Duration,
    /// How long one call may take.
    pub call: Duration,
}

impl Timing {
    /// How far the API's clocks may disagree with each other: `createdAt` is compared with `Date`.
    pub(super) const SKEW: SignedDuration = SignedDuration::from_secs(5);

    /// Until when an attempt begun at `start` may be sent. Later it is begun anew: what is concluded from
    /// its times would no longer hold for what it makes.
    pub(super) fn sendable_until(&self, start: Timestamp) -> Timestamp {
        later(start, self.call)
    }

    /// When a create begun at `start` has either taken effect, and every list shows it, or never will.
    pub(super) fn settled(&self, start: Timestamp) -> Timestamp {
        later(later(self.sendable_until(start), self.call), self.settle)
    }

    /// When a create that was sent by `sent` has either taken effect, and every list shows it, or never will.
    pub(super) fn settled_after(&self, sent: Timestamp) -> Timestamp {
        later(later(sent, self.call), self.settle)
    }

    /// The times at which a series of creates may have made an endpoint for certain.
    pub(super) fn certain(&self, since: Timestamp, last: Timestamp) -> std::ops::RangeInclusive<Timestamp> {
        floor(since)..=later(self.settled(last), Self::SKEW.unsigned_abs())
    }

    /// Before this, an endpoint was there before the series began.
    pub(super) fn doubtful_from(since: Timestamp) -> Timestamp {
        floor(since).checked_sub(Self::SKEW).unwrap_or(Timestamp::MIN)
    }
}

/// `createdAt` may be cut off to the second, so the time it is compared with is cut off too.
fn floor(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

pub(super) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
