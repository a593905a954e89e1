//! Leaves an API in peace that is down, and finds out gently when it is back. No clock, no I/O: every
//! question comes with the time.

use std::time::Duration;

use tokio::time::Instant;

use super::super::operation::Operation;
use super::super::pause::Pause;
use super::Refusal;

/// Failures in a row, with no answer between them, that open the circuit.
const FAILURES: u32 = 5;
/// The pauses between probes.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What a request is to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of many.
    Regular,
    /// The one that finds out whether the API is back.
    Probe,
}

/// A circuit breaker.
#[derive(Debug)]
pub(super) struct Circuit {
    state: State,
    pause: Pause,
    /// How many requests may be in flight: after an outage few, one more with each answer.
    allowance: u32,
    /// Why the latest request failed.
    cause: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The API answered the latest request, or has failed this often since it did.
    Closed { failures: u32 },
    /// It failed too often; the pause tells until when it is left in peace.
    Open,
    /// The probe is under way.
    HalfOpen,
}

impl Circuit {
    pub(super) fn new() -> Self {
        Self {
            state: State::Closed { failures: 0 },
            pause: Pause::growing(FIRST_PAUSE, LONGEST_PAUSE),
            allowance: u32::MAX,
            cause: "",
        }
    }

    /// Whether a request may go out, and as what. Whether an API is back is for a list to find out: what
    /// became of a change that fails would be unknown.
    pub(super) fn admit(&self, operation: Operation, now: Instant) -> Result<Kind, Refusal> {
        let pause = match self.state {
            State::Closed { .. } => return Ok(Kind::Regular),
            State::Open => self.pause.remaining(now),
            State::HalfOpen => Some(FIRST_PAUSE),
        };
        match pause {
            None if operation == Operation::List => Ok(Kind::Probe),
            _ => Err(Refusal::Down { retry_after: pause.unwrap_or(FIRST_PAUSE), cause: self.cause }),
        }
    }

    /// How long the API is left in peace from now on, if it is down.
    pub(super) fn open_for(&self, now: Instant) -> Option<Duration> {
        (!self.is_closed()).then(|| self.pause.remaining(now).unwrap_or_default())
    }

    /// How many requests may be in flight.
    pub(super) fn allowance(&self) -> u32 {
        match self.state {
            State::Closed { .. } => self.allowance,
            State::Open | State::HalfOpen => u32::MAX,
        }
    }

    /// Notes that a request goes out.
    pub(super) fn started(&mut self, kind: Kind) {
        if kind == Kind::Probe {
            self.state = State::HalfOpen;
        }
    }

    /// Notes that the API answered. Tells whether it is back from an outage.
    pub(super) fn answered(&mut self, kind: Kind) -> bool {
        if kind == Kind::Probe {
            self.pause.reset();
            self.allowance = 1;
        } else if self.is_closed() {
            self.allowance = self.allowance.saturating_add(1);
        } else {
            // Late news of a request from before the outage.
            return false;
        }
        self.state = State::Closed { failures: 0 };
        kind == Kind::Probe
    }

    /// Notes that the API could not be reached or did not answer. Tells whether an outage begins.
    pub(super) fn failed(&mut self, kind: Kind, cause: &'static str, now: Instant) -> bool {
        match self.state {
            State::Closed { failures } if failures + 1 < FAILURES => {
                self.state = State::Closed { failures: failures + 1 };
                return false;
            }
            State::Open | State::HalfOpen if kind == Kind::Regular => return false,
            State::Closed { .. } | State::Open | State::HalfOpen => {}
        }
        let begins = self.is_closed();
        self.state = State::Open;
        self.cause = cause;
        self.pause.begin(now, None);
        begins
    }

    /// Notes that the probe ended without an outcome; the next list is the probe.
    pub(super) fn abandoned(&mut self, kind: Kind) {
        if kind == Kind::Probe && self.state == State::HalfOpen {
            self.state = State::Open;
        }
    }

    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: &str = "Unreachable";

    fn open(now: Instant) -> Circuit {
        let mut circuit = Circuit::new();
        for _ in 0..FAILURES {
            circuit.failed(Kind::Regular, CAUSE, now);
        }
        circuit
    }

    fn refused(retry_after: Duration) -> Result<Kind, Refusal> {
        Err(Refusal::Down { retry_after, cause: CAUSE })
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let now = Instant::now();
        let mut circuit = Circuit::new();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                assert!(!circuit.failed(Kind::Regular, CAUSE, now));
            }
            circuit.answered(Kind::Regular);
        }
        assert_eq!(circuit.admit(Operation::Create, now), Ok(Kind::Regular));
        assert_eq!(circuit.open_for(now), None);

        for _ in 1..FAILURES {
            circuit.failed(Kind::Regular, CAUSE, now);
        }
        assert!(circuit.failed(Kind::Regular, CAUSE, now));
        assert_eq!(circuit.admit(Operation::List, now), refused(FIRST_PAUSE));
        assert_eq!(circuit.open_for(now), Some(FIRST_PAUSE));
    }

    #[test]
    fn lets_one_list_at_a_time_probe_with_growing_pauses() {
        let mut now = Instant::now();
        let mut circuit = open(now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let pause = circuit.open_for(now).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(circuit.open_for(now), Some(Duration::ZERO));
            for other in [Operation::Create, Operation::Get, Operation::Patch, Operation::Delete] {
                assert_eq!(circuit.admit(other, now), refused(FIRST_PAUSE));
            }
            assert_eq!(circuit.admit(Operation::List, now), Ok(Kind::Probe));
            circuit.started(Kind::Probe);
            assert_eq!(circuit.admit(Operation::List, now), refused(FIRST_PAUSE), "a second probe");
            assert!(!circuit.failed(Kind::Probe, CAUSE, now), "it has begun before");
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn closes_with_one_request_at_a_time_and_then_more() {
        let now = Instant::now();
        let mut circuit = open(now);
        circuit.started(Kind::Probe);

        assert!(circuit.answered(Kind::Probe));

        assert_eq!(circuit.admit(Operation::Create, now), Ok(Kind::Regular));
        assert_eq!(circuit.allowance(), 1);
        circuit.answered(Kind::Regular);
        circuit.answered(Kind::Regular);
        assert_eq!(circuit.allowance(), 3);
    }

    #[test]
    fn late_news_changes_nothing() {
        let now = Instant::now();
        let mut circuit = open(now);
        circuit.answered(Kind::Regular);
        circuit.failed(Kind::Regular, "TimedOut", now + FIRST_PAUSE);

        assert_eq!(circuit.admit(Operation::List, now), refused(FIRST_PAUSE));
    }

    #[test]
    fn an_abandoned_probe_is_taken_up_by_the_next_list() {
        let now = Instant::now();
        let mut circuit = open(now);
        circuit.started(Kind::Probe);
        circuit.abandoned(Kind::Probe);

        assert_eq!(circuit.admit(Operation::List, now + FIRST_PAUSE), Ok(Kind::Probe));
    }
}
