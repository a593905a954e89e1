//! Growing pauses between tries.

use std::time::Duration;

use rand::Rng as _;

/// Pauses that double from a first one up to a longest, each with jitter.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// The first one.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Pauses {
    /// The pause after so many others.
    #[must_use]
    pub fn pause(self, others: u32) -> Duration {
        let factor = 1_u32.checked_shl(others).unwrap_or(u32::MAX);
        jittered(self.first.saturating_mul(factor).min(self.longest))
    }
}

/// Growing pauses between tries.
#[derive(Clone, Debug)]
pub struct Backoff {
    pauses: Pauses,
    failures: u32,
}

impl Backoff {
    /// Pauses from `first` up to `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { pauses: Pauses { first, longest }, failures: 0 }
    }

    /// The pause before the next try.
    pub fn pause(&mut self) -> Duration {
        let pause = self.pauses.pause(self.failures);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A pause and up to a tenth of it more, at random, so that many waiters do not wake at once.
#[must_use]
pub fn jittered(pause: Duration) -> Duration {
    pause + pause.mul_f64(rand::rng().random_range(0.0..0.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_cap_and_starts_over() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        for expected in [1, 2, 4, 5, 5] {
            let pause = backoff.pause();
            let expected = Duration::from_secs(expected);
            assert!(pause >= expected && pause <= expected.mul_f64(1.1), "{pause:?}");
        }
        for _ in 0..100 {
            assert!(backoff.pause() <= Duration::from_millis(5500));
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(1100));
    }
}
