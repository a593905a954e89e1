//! How fast requests may go out: a token bucket that the API can pause. No clock, no I/O: every question comes
//! with the time.

use std::time::Duration;

use tokio::time::Instant;

use super::super::config::Limits;
use super::super::pause::Pause;

/// A wait is rounded to nanoseconds; whoever has waited that long must find the request ready.
const SLACK: f64 = 1e-6;
/// The pauses after a 429 that does not say how long to wait.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Requests go out at a steady rate, after a quiet time a burst at once.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    burst: f64,
    /// Requests that may go out, as of `as_of`.
    level: f64,
    /// When `level` was right; during a pause, the time when it ends.
    as_of: Instant,
    /// What the API asked for.
    pause: Pause,
    /// When the latest pause was asked for.
    paused_at: Option<Instant>,
}

impl Rate {
    /// With a whole burst at hand.
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        let burst = f64::from(limits.burst);
        Self {
            per_second: limits.requests_per_second,
            burst,
            level: burst,
            as_of: now,
            pause: Pause::growing(FIRST_PAUSE, LONGEST_PAUSE),
            paused_at: None,
        }
    }

    /// Takes another rate and burst over; a pause goes on.
    pub(super) fn adjust(&mut self, limits: Limits, now: Instant) {
        let level = self.level_at(now);
        self.per_second = limits.requests_per_second;
        self.burst = f64::from(limits.burst);
        self.level = level.min(self.burst);
        self.as_of = self.as_of.max(now);
    }

    /// How long until the request that has `ahead` others before it may go out.
    pub(super) fn wait(&self, ahead: usize, now: Instant) -> Duration {
        let paused = self.as_of.saturating_duration_since(now);
        // A queue of 2^52 requests does not fit into memory.
        #[expect(clippy::cast_precision_loss, reason = "the length of a queue in memory is exact in an f64")]
        let missing = ahead as f64 + 1.0 - self.level_at(now);
        if missing <= SLACK {
            return paused;
        }
        let refill = Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(Duration::MAX);
        paused.saturating_add(refill)
    }

    /// Lets one request out if it may go now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if !self.wait(0, now).is_zero() {
            return false;
        }
        self.level = (self.level_at(now) - 1.0).max(0.0);
        self.as_of = now;
        true
    }

    /// What is left of a pause that the API asked for.
    pub(super) fn paused(&self, now: Instant) -> Option<Duration> {
        self.pause.remaining(now)
    }

    /// Notes that the API asked a request that went out at `sent` for a pause, for `asked` or without
    /// saying how long.
    pub(super) fn limited(&mut self, sent: Instant, asked: Option<Duration>, now: Instant) {
        // The answers to requests that were out together are one refusal, not many.
        let same_wave = self.paused_at.is_some_and(|paused_at| sent < paused_at);
        if same_wave && asked.is_none() {
            return;
        }
        let pause = self.pause.begin(now, asked);
        self.paused_at = Some(now);
        self.resume_at(now + pause);
    }

    /// Notes that the API served a request that went out at `sent`.
    pub(super) fn served(&mut self, sent: Instant) {
        if self.paused_at.is_none_or(|paused_at| sent >= paused_at) {
            self.pause.reset();
        }
    }

    /// Lets nothing out before `at`, and then no burst: one request, and the others at the rate.
    pub(super) fn resume_at(&mut self, at: Instant) {
        self.level = self.level.min(1.0);
        self.as_of = self.as_of.max(at);
    }

    fn level_at(&self, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.as_of).as_secs_f64();
        (self.level + elapsed * self.per_second).min(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(requests_per_second: f64, burst: u32, now: Instant) -> Rate {
        Rate::new(Limits { requests_per_second, burst, in_flight: 1 }, now)
    }

    #[test]
    fn lets_a_burst_out_and_then_keeps_the_rate() {
        let start = Instant::now();
        let mut rate = rate(10.0, 3, start);
        let mut out = 0;
        for tenth in 0..=10 {
            let now = start + tenth * Duration::from_millis(100);
            while rate.take(now) {
                out += 1;
            }
        }
        assert_eq!(out, 3 + 10);
    }

    #[test]
    fn whoever_waits_as_long_as_told_may_go() {
        for per_second in [0.1, 3.0, 7.0, 999.0] {
            let mut now = Instant::now();
            let mut rate = rate(per_second, 1, now);
            for _ in 0..100 {
                now += rate.wait(0, now);
                assert!(rate.take(now), "{per_second} per second");
            }
        }
    }

    #[test]
    fn foresees_the_wait_of_a_queue() {
        let start = Instant::now();
        let rate = rate(10.0, 5, start);

        assert_eq!(rate.wait(4, start), Duration::ZERO);
        assert_eq!(rate.wait(14, start), SECOND);
    }

    #[test]
    fn a_pause_ends_without_a_burst() {
        let start = Instant::now();
        let mut rate = rate(10.0, 5, start);
        rate.limited(start, Some(60 * SECOND), start);
        let end = start + 60 * SECOND;

        assert_eq!(rate.paused(start), Some(60 * SECOND));
        assert!(!rate.take(end.checked_sub(Duration::from_millis(1)).unwrap()));
        assert!(rate.take(end));
        assert!(!rate.take(end));
        assert!(rate.take(end + Duration::from_millis(100)));
    }

    #[test]
    fn pauses_of_our_own_grow_once_per_wave_and_start_again_when_served() {
        let start = Instant::now();
        let mut rate = rate(10.0, 20, start);
        // Three requests that were out together are refused one after the other.
        for at in [1, 2, 3] {
            rate.limited(start, None, start + at * Duration::from_millis(1));
        }
        let mut now = start + Duration::from_millis(1);
        assert_eq!(rate.paused(now), Some(SECOND));

        // One that is sent after the pause is refused again.
        now += SECOND;
        rate.limited(now, None, now);
        assert_eq!(rate.paused(now), Some(2 * SECOND));

        // An answer to a request from before the pause says nothing about it.
        rate.served(start);
        assert_eq!(rate.paused(now), Some(2 * SECOND));

        now += 2 * SECOND;
        rate.served(now);
        rate.limited(now, None, now);
        assert_eq!(rate.paused(now), Some(SECOND));
    }
}
