//! The durations that planning goes by.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The durations that planning goes by.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Timing {
    /// How long after a create a list may fail to show its endpoint.
    pub settle: Duration,
    /// How long one call may take.
    pub call: Duration,
}

impl Timing {
    /// How far the API's clocks may disagree with each other: `createdAt` is compared with `Date`.
    pub(super) const SKEW: SignedDuration = SignedDuration::from_secs(5);

    /// How long after an endpoint was not found another list has to come that does not show it either: an API that
    /// fails over shows an empty copy for a moment.
    pub(crate) const MOMENT: Duration = Duration::from_secs(5);

    /// From when on a list that does not show an endpoint is believed, when it was not found by its id at `since`.
    pub(crate) fn believed_from(since: Timestamp) -> Timestamp {
        later(since, Self::MOMENT)
    }

    /// How long finding out about a create takes when all is well.
    #[must_use]
    pub fn settling(&self) -> Duration {
        self.settle.saturating_add(self.call).saturating_add(self.call)
    }

    /// Until when an attempt begun at `start` may be sent. Later it is begun anew: what is concluded from
    /// its times would no longer hold for what it makes.
    #[must_use]
    pub fn sendable_until(&self, start: Timestamp) -> Timestamp {
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

/// The second that a time is in: `createdAt` may be cut off to it, and so is what Kubernetes stores.
pub(super) fn floor(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

pub(super) fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
