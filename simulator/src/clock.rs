//! The API's own clock, which need not agree with anybody else's.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Time as the API tells it.
///
/// `elapsed` only grows and drives expiry and retries; the wall clock is what the API writes into
/// `Date`, `createdAt` and signatures, and can be set wrong.
#[derive(Debug)]
pub(crate) struct Clock {
    /// When the simulator started, by this machine.
    started: Instant,
    /// What the wall clock said then.
    started_at: Timestamp,
    /// By how much tests have moved time forward.
    advanced: Duration,
    /// By how much the wall clock is wrong.
    skew: SignedDuration,
}

impl Clock {
    pub(crate) fn new(skew: SignedDuration) -> Self {
        Self { started: Instant::now(), started_at: Timestamp::now(), advanced: Duration::ZERO, skew }
    }

    /// The API's time since its start, which includes what was skipped.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed() + self.advanced
    }

    /// The API's time of day.
    pub(crate) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX);
        self.started_at.saturating_add(passed.saturating_add(self.skew)).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.advanced = self.advanced.saturating_add(by);
    }

    pub(crate) fn set_skew(&mut self, skew: SignedDuration) {
        self.skew = skew;
    }
}

/// A time as the API writes it: RFC 3339 in UTC, whole seconds.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// A time as HTTP writes it.
pub(crate) fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
