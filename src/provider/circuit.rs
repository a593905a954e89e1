//! Leaves an API in peace that is down, and finds out gently when it is back. No clock, no I/O: every
//! question comes with the time.

use std::time::{Duration, Instant};

use super::pause::Pause;

/// Failures in a row, with no answer between them, that open the circuit.
const FAILURES: u32 = 5;
/// The pauses between probes.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What the circuit says to a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The API works, as far as is known.
    Free,
    /// The API was down; this call finds out whether it still is.
    Probe,
    /// The API is down, and it is not yet time for the next probe.
    Closed {
        /// When to ask again.
        retry_after: Duration,
        /// Why the latest call failed.
        cause: &'static str,
    },
}

/// The state of a network's circuit.
#[derive(Debug)]
pub(super) struct Circuit {
    state: State,
    pause: Pause,
    /// How many calls may be in flight: after an outage few, one more with each answer.
    allowance: u32,
    /// Why the latest call failed.
    cause: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The API answered the latest call, or has failed this often since it did.
    Working { failures: u32 },
    /// It failed too often; the pause tells until when it is left in peace.
    Down,
    /// It is being probed.
    Probed,
}

impl Circuit {
    pub(super) fn new() -> Self {
        Self {
            state: State::Working { failures: 0 },
            pause: Pause::growing(FIRST_PAUSE, LONGEST_PAUSE),
            allowance: u32::MAX,
            cause: "",
        }
    }

    /// Which way a call may go now. A probe begins with [`Circuit::probe`].
    pub(super) fn way(&self, now: Instant) -> Way {
        let retry_after = match self.state {
            State::Working { .. } => return Way::Free,
            State::Down => match self.pause.remaining(now) {
                None => return Way::Probe,
                Some(rest) => rest,
            },
            State::Probed => FIRST_PAUSE,
        };
        Way::Closed { retry_after, cause: self.cause }
    }

    /// Notes that a call goes out as the probe.
    pub(super) fn probe(&mut self) {
        self.state = State::Probed;
    }

    /// How many calls may be in flight.
    pub(super) fn allowance(&self) -> u32 {
        self.allowance
    }

    /// Notes that the API answered. Tells whether it is back from an outage.
    pub(super) fn answered(&mut self, was_probe: bool) -> bool {
        match self.state {
            State::Working { .. } => {
                self.state = State::Working { failures: 0 };
                self.allowance = self.allowance.saturating_add(1);
                false
            }
            State::Down | State::Probed if was_probe => {
                self.state = State::Working { failures: 0 };
                self.pause.reset();
                self.allowance = 1;
                true
            }
            // Late news of a call from before the outage.
            State::Down | State::Probed => false,
        }
    }

    /// Notes that the API could not be reached or did not answer. Tells whether it counts as down
    /// from now on.
    pub(super) fn failed(&mut self, was_probe: bool, cause: &'static str, now: Instant) -> bool {
        match self.state {
            State::Working { failures } if failures + 1 < FAILURES => {
                self.state = State::Working { failures: failures + 1 };
                return false;
            }
            State::Down | State::Probed if !was_probe => return false,
            State::Working { .. } | State::Down | State::Probed => {}
        }
        self.state = State::Down;
        self.cause = cause;
        self.pause.begin(now, None);
        true
    }

    /// Notes that the probe ended without an outcome; the next call is the probe.
    pub(super) fn abandoned(&mut self) {
        if self.state == State::Probed {
            self.state = State::Down;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: &str = "Unreachable";

    fn down(now: Instant) -> Circuit {
        let mut circuit = Circuit::new();
        for _ in 0..FAILURES {
            circuit.failed(false, CAUSE, now);
        }
        circuit
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let now = Instant::now();
        let mut circuit = Circuit::new();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                assert!(!circuit.failed(false, CAUSE, now));
            }
            circuit.answered(false);
        }
        assert_eq!(circuit.way(now), Way::Free);

        for _ in 1..FAILURES {
            circuit.failed(false, CAUSE, now);
        }
        assert!(circuit.failed(false, CAUSE, now));
        assert_eq!(circuit.way(now), Way::Closed { retry_after: FIRST_PAUSE, cause: CAUSE });
    }

    #[test]
    fn probes_one_at_a_time_with_growing_pauses() {
        let mut now = Instant::now();
        let mut circuit = down(now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let Way::Closed { retry_after, .. } = circuit.way(now) else { panic!("closed") };
            pauses.push(retry_after.as_secs());
            now += retry_after;
            assert_eq!(circuit.way(now), Way::Probe);
            circuit.probe();
            assert!(matches!(circuit.way(now), Way::Closed { .. }), "a second probe");
            circuit.failed(true, CAUSE, now);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn comes_back_with_one_call_at_a_time_and_then_more() {
        let now = Instant::now();
        let mut circuit = down(now);
        circuit.probe();

        assert!(circuit.answered(true));

        assert_eq!((circuit.way(now), circuit.allowance()), (Way::Free, 1));
        circuit.answered(false);
        circuit.answered(false);
        assert_eq!(circuit.allowance(), 3);
    }

    #[test]
    fn late_news_changes_nothing() {
        let now = Instant::now();
        let mut circuit = down(now);
        circuit.answered(false);
        circuit.failed(false, "TimedOut", now + FIRST_PAUSE);

        assert_eq!(circuit.way(now), Way::Closed { retry_after: FIRST_PAUSE, cause: CAUSE });
    }

    #[test]
    fn an_abandoned_probe_is_taken_up_by_the_next_call() {
        let now = Instant::now();
        let mut circuit = down(now);
        circuit.probe();
        circuit.abandoned();

        assert_eq!(circuit.way(now + FIRST_PAUSE), Way::Probe);
    }
}
