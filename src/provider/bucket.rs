//! A token bucket that can be closed until a given time.

use std::time::{Duration, Instant};

use super::config::Limits;

/// A wait is rounded to nanoseconds; whoever has waited that long must find the request ready.
const SLACK: f64 = 1e-6;

/// Requests are let out at a steady rate, after a quiet time a burst at once.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    burst: f64,
    /// Requests that may go out, as of `as_of`.
    level: f64,
    /// When `level` was right; while the bucket is closed, the time when it opens.
    as_of: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        let burst = f64::from(limits.burst);
        Self { per_second: limits.requests_per_second, burst, level: burst, as_of: now }
    }

    /// How long until the request that has `ahead` others before it may go out.
    pub(super) fn wait(&self, ahead: usize, now: Instant) -> Duration {
        let closed = self.as_of.saturating_duration_since(now);
        // A queue of 2^52 requests does not fit into memory.
        #[expect(clippy::cast_precision_loss, reason = "the length of a queue in memory is exact in an f64")]
        let missing = ahead as f64 + 1.0 - self.level_at(now);
        if missing <= SLACK {
            return closed;
        }
        let refill = Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(Duration::MAX);
        closed.saturating_add(refill)
    }

    /// Takes one request out if it may go now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if !self.wait(0, now).is_zero() {
            return false;
        }
        self.level = (self.level_at(now) - 1.0).max(0.0);
        self.as_of = now;
        true
    }

    /// Lets nothing out before `until`, and then no burst: one request, and the others at the rate.
    pub(super) fn close(&mut self, until: Instant) {
        self.level = self.level.min(1.0);
        self.as_of = self.as_of.max(until);
    }

    fn level_at(&self, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.as_of).as_secs_f64();
        (self.level + elapsed * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(requests_per_second: f64, burst: u32, now: Instant) -> Bucket {
        Bucket::new(Limits { requests_per_second, burst, in_flight: 1 }, now)
    }

    #[test]
    fn lets_a_burst_out_and_then_keeps_the_rate() {
        let start = Instant::now();
        let mut bucket = bucket(10.0, 3, start);
        let mut out = 0;
        for tenth in 0..=10 {
            let now = start + tenth * Duration::from_millis(100);
            while bucket.take(now) {
                out += 1;
            }
        }
        assert_eq!(out, 3 + 10);
    }

    #[test]
    fn whoever_waits_as_long_as_told_may_go() {
        for rate in [0.1, 3.0, 7.0, 999.0] {
            let mut now = Instant::now();
            let mut bucket = bucket(rate, 1, now);
            for _ in 0..100 {
                now += bucket.wait(0, now);
                assert!(bucket.take(now), "{rate} per second");
            }
        }
    }

    #[test]
    fn foresees_the_wait_of_a_queue() {
        let start = Instant::now();
        let bucket = bucket(10.0, 5, start);

        assert_eq!(bucket.wait(4, start), Duration::ZERO);
        assert_eq!(bucket.wait(14, start), Duration::from_secs(1));
    }

    #[test]
    fn opens_without_a_burst() {
        let start = Instant::now();
        let mut bucket = bucket(10.0, 5, start);
        let until = start + Duration::from_mins(1);
        bucket.close(until);

        assert!(!bucket.take(until.checked_sub(Duration::from_millis(1)).unwrap()));
        assert!(bucket.take(until));
        assert!(!bucket.take(until));
        assert!(bucket.take(until + Duration::from_millis(100)));
    }
}
