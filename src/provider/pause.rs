//! Pauses that grow while things stay bad.

use std::time::Duration;

use tokio::time::Instant;

/// A pause that doubles from one beginning to the next, until it is reset.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    first: Duration,
    longest: Duration,
    /// How long the next pause of our own is.
    next: Duration,
    until: Option<Instant>,
}

impl Pause {
    pub(super) fn growing(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first, until: None }
    }

    /// Begins a pause: as long as asked for, or else of our own length, which grows.
    /// It never shortens one that is under way. Returns how long it is from `now`.
    pub(super) fn begin(&mut self, now: Instant, asked: Option<Duration>) -> Duration {
        let length = if let Some(asked) = asked {
            asked
        } else {
            let length = self.next;
            self.next = (length * 2).min(self.longest);
            length
        };
        let until = self.until.map_or(now + length, |until| until.max(now + length));
        self.until = Some(until);
        until.saturating_duration_since(now)
    }

    /// What is left of the pause, if it is under way.
    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Ends the pause; the next one of our own is as short as the first.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn grows_up_to_its_limit_and_starts_again_after_a_reset() {
        let mut pause = Pause::growing(SECOND, 5 * SECOND);
        let mut now = Instant::now();
        let mut lengths = Vec::new();
        for _ in 0..4 {
            let length = pause.begin(now, None);
            assert_eq!(pause.remaining(now), Some(length));
            now += length;
            assert_eq!(pause.remaining(now), None);
            lengths.push(length.as_secs());
        }
        assert_eq!(lengths, [1, 2, 4, 5]);

        pause.reset();

        assert_eq!(pause.begin(now, None), SECOND);
    }

    #[test]
    fn is_as_long_as_asked_for_and_never_shortened() {
        let mut pause = Pause::growing(SECOND, 5 * SECOND);
        let now = Instant::now();

        assert_eq!(pause.begin(now, Some(30 * SECOND)), 30 * SECOND);
        assert_eq!(pause.begin(now + SECOND, Some(SECOND)), 29 * SECOND);
    }
}
