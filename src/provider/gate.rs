//! Where every request of a network has to pass: budget and circuit together, with a queue before it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::budget::{Budget, Ticket, Turn};
use super::circuit::{Circuit, Way};
use super::config::{Limits, Priority};

/// How soon one that gave up in the queue may ask again, at the earliest.
const LEAST_RETRY: Duration = Duration::from_secs(1);

/// The gate of one network.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    /// How long a request may queue; one that would have to wait longer is refused at once.
    patience: Duration,
}

#[derive(Debug)]
struct State {
    budget: Budget,
    circuit: Circuit,
    /// How to wake each request in the queue.
    wakers: BTreeMap<Ticket, Arc<Notify>>,
}

/// Why a request may not pass. It was not sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The API asked for a pause.
    Paused { retry_after: Duration },
    /// Too many requests are ahead.
    Spent { retry_after: Duration },
    /// The API is down.
    Down { retry_after: Duration, cause: &'static str },
}

/// What became of a request that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The API answered.
    Answered,
    /// The API answered that there are too many requests, or that it wants a pause.
    Limited { retry_after: Option<Duration> },
    /// The API could not be reached or did not answer, for a reason in one word.
    Failed { cause: &'static str, retry_after: Option<Duration> },
}

/// A request's leave to go out; it counts as in flight until this is dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    gate: &'a Gate,
    passed_at: Instant,
    kind: Kind,
    /// Set until the outcome is told.
    is_open: bool,
}

/// What a request is to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of many.
    Regular,
    /// The one that finds out whether the API is back.
    Probe,
}

impl Gate {
    pub(super) fn new(limits: Limits, patience: Duration) -> Self {
        let state = State {
            budget: Budget::new(limits, Instant::now()),
            circuit: Circuit::new(),
            wakers: BTreeMap::new(),
        };
        Self { state: Mutex::new(state), patience }
    }

    /// Waits for the request's turn.
    pub(super) async fn pass(&self, priority: Priority) -> Result<Permit<'_>, Refusal> {
        let place = self.join(priority, Instant::now())?;
        loop {
            let now = Instant::now();
            let wake_at = match self.lock().turn(&place, now)? {
                (Turn::Go, kind) => return Ok(Permit { gate: self, passed_at: now, kind, is_open: true }),
                (Turn::In(wait), _) => place.deadline.min(now + wait),
                (Turn::NotYet, _) => place.deadline,
            };
            tokio::select! {
                () = place.waker.notified() => {}
                () = tokio::time::sleep_until(wake_at.into()) => {}
            }
        }
    }

    /// How long the API is left in peace from now on.
    pub(super) fn rest(&self) -> Duration {
        match self.lock().circuit.way(Instant::now()) {
            Way::Closed { retry_after, .. } => retry_after,
            Way::Free | Way::Probe => Duration::ZERO,
        }
    }

    fn join(&self, priority: Priority, now: Instant) -> Result<Place<'_>, Refusal> {
        let mut state = self.lock();
        if let Way::Closed { retry_after, cause } = state.circuit.way(now) {
            return Err(Refusal::Down { retry_after, cause });
        }
        if state.budget.foreseen_wait(priority, now) > self.patience {
            return Err(state.refusal(priority, now));
        }
        let ticket = state.budget.join(priority);
        let waker = Arc::new(Notify::new());
        state.wakers.insert(ticket, waker.clone());
        Ok(Place { gate: self, ticket, priority, deadline: now + self.patience, waker })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn turn(&mut self, place: &Place<'_>, now: Instant) -> Result<(Turn, Kind), Refusal> {
        let (kind, allowance) = match self.circuit.way(now) {
            Way::Closed { retry_after, cause } => return Err(Refusal::Down { retry_after, cause }),
            Way::Free => (Kind::Regular, self.circuit.allowance()),
            Way::Probe => (Kind::Probe, u32::MAX),
        };
        let rest = self.budget.paused(now).unwrap_or_default();
        if now >= place.deadline || now + rest > place.deadline {
            return Err(self.refusal(place.priority, now));
        }
        let turn = self.budget.turn(place.ticket, allowance, now);
        if turn == Turn::Go && kind == Kind::Probe {
            self.circuit.probe();
        }
        Ok((turn, kind))
    }

    fn refusal(&self, priority: Priority, now: Instant) -> Refusal {
        if let Some(retry_after) = self.budget.paused(now) {
            return Refusal::Paused { retry_after };
        }
        Refusal::Spent { retry_after: self.budget.foreseen_wait(priority, now).max(LEAST_RETRY) }
    }

    fn answered(&mut self, kind: Kind, now: Instant) {
        if self.circuit.answered(kind == Kind::Probe) {
            tracing::info!("the API is back");
            self.budget.calm_down(now);
        }
    }

    /// Wakes the request whose turn is next. Each that leaves the queue, also by a refusal, wakes the
    /// one after it.
    fn wake_next(&self) {
        if let Some(waker) = self.budget.next().and_then(|ticket| self.wakers.get(&ticket)) {
            waker.notify_one();
        }
    }
}

impl Permit<'_> {
    /// What the request is to the circuit.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Tells what became of the request.
    pub(super) fn finish(mut self, outcome: Outcome) {
        self.is_open = false;
        let now = Instant::now();
        let mut state = self.gate.lock();
        match outcome {
            Outcome::Answered => {
                state.budget.served(self.passed_at);
                state.answered(self.kind, now);
            }
            Outcome::Limited { retry_after } => {
                state.budget.limited(self.passed_at, retry_after, now);
                state.answered(self.kind, now);
            }
            Outcome::Failed { cause, retry_after } => {
                if retry_after.is_some() {
                    state.budget.limited(self.passed_at, retry_after, now);
                }
                if state.circuit.failed(self.kind == Kind::Probe, cause, now) {
                    tracing::warn!(cause, "the API is down; calls rest");
                }
            }
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        if self.is_open && self.kind == Kind::Probe {
            state.circuit.abandoned();
        }
        state.budget.release();
        state.wake_next();
    }
}

/// A request in the queue; it leaves when this is dropped, also when its caller gave up.
struct Place<'a> {
    gate: &'a Gate,
    ticket: Ticket,
    priority: Priority,
    /// When the request gives up.
    deadline: Instant,
    waker: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.budget.leave(self.ticket);
        state.wakers.remove(&self.ticket);
        state.wake_next();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn gate(burst: u32, in_flight: u32) -> Gate {
        Gate::new(Limits { requests_per_second: 1000.0, burst, in_flight }, PATIENCE)
    }

    /// What `pass` says without waiting.
    fn at_once(gate: &Gate) -> Option<Result<Permit<'_>, Refusal>> {
        gate.pass(Priority::Change).now_or_never()
    }

    fn fail(gate: &Gate, times: u32) {
        for _ in 0..times {
            at_once(gate)
                .unwrap()
                .unwrap()
                .finish(Outcome::Failed { cause: "Unreachable", retry_after: None });
        }
    }

    /// Asks again whenever it is told to.
    async fn pass_when_told(gate: &Gate) -> Permit<'_> {
        let asking = async {
            loop {
                match gate.pass(Priority::Change).await {
                    Ok(permit) => return permit,
                    Err(Refusal::Down { retry_after, .. }) => tokio::time::sleep(retry_after).await,
                    Err(refusal) => panic!("{refusal:?}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap()
    }

    #[tokio::test]
    async fn one_that_is_done_or_dropped_lets_the_next_pass() {
        let gate = gate(100, 1);
        let first = gate.pass(Priority::Change).await.unwrap();
        let mut waiting = Box::pin(gate.pass(Priority::Change));
        assert!(waiting.as_mut().now_or_never().is_none());

        first.finish(Outcome::Answered);
        let second = waiting.await.unwrap();
        let mut waiting = Box::pin(gate.pass(Priority::Change));
        assert!(waiting.as_mut().now_or_never().is_none());

        drop(second);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_does_not_block_the_queue() {
        let gate = gate(100, 1);
        let first = gate.pass(Priority::Change).await.unwrap();
        let mut impatient = Box::pin(gate.pass(Priority::Change));
        let mut waiting = Box::pin(gate.pass(Priority::Resync));
        assert!(impatient.as_mut().now_or_never().is_none());
        assert!(waiting.as_mut().now_or_never().is_none());

        drop(impatient);
        drop(first);

        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn waits_for_the_rate() {
        let gate = Gate::new(Limits { requests_per_second: 100.0, burst: 1, in_flight: 8 }, PATIENCE);
        let started = Instant::now();
        for _ in 0..6 {
            gate.pass(Priority::Resync).await.unwrap().finish(Outcome::Answered);
        }
        assert!(started.elapsed() >= Duration::from_millis(49), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn refuses_at_once_what_would_wait_too_long() {
        let gate = Gate::new(Limits { requests_per_second: 0.1, burst: 1, in_flight: 8 }, PATIENCE);
        gate.pass(Priority::Change).await.unwrap().finish(Outcome::Answered);

        let Some(Err(Refusal::Spent { retry_after })) = at_once(&gate) else { panic!("a refusal") };
        assert!(retry_after > PATIENCE, "{retry_after:?}");
    }

    #[tokio::test]
    async fn gives_up_when_nothing_comes_back_in_time() {
        let gate = Gate::new(
            Limits { requests_per_second: 100.0, burst: 9, in_flight: 1 },
            Duration::from_millis(20),
        );
        let _hanging = gate.pass(Priority::Change).await.unwrap();

        let refusal = gate.pass(Priority::Change).await.unwrap_err();

        assert_eq!(refusal, Refusal::Spent { retry_after: LEAST_RETRY });
    }

    #[tokio::test]
    async fn a_pause_turns_away_those_who_come_and_those_who_wait() {
        let gate = gate(100, 1);
        let first = gate.pass(Priority::Change).await.unwrap();
        let waiting =
            [Priority::Change, Priority::Resync, Priority::Change].map(|priority| gate.pass(priority));
        let mut waiting = Box::pin(futures::future::join_all(waiting));
        assert!(waiting.as_mut().now_or_never().is_none());

        first.finish(Outcome::Limited { retry_after: Some(Duration::from_mins(1)) });

        let refused = tokio::time::timeout(PATIENCE / 2, waiting).await.unwrap();
        assert!(refused.iter().all(|refused| matches!(refused, Err(Refusal::Paused { .. }))), "{refused:?}");
        assert!(matches!(at_once(&gate), Some(Err(Refusal::Paused { .. }))));
    }

    #[tokio::test]
    async fn a_short_pause_is_waited_out() {
        let gate = gate(100, 1);
        let first = gate.pass(Priority::Change).await.unwrap();
        first.finish(Outcome::Limited { retry_after: Some(Duration::from_millis(30)) });
        let started = Instant::now();

        gate.pass(Priority::Change).await.unwrap();

        assert!(started.elapsed() >= Duration::from_millis(25));
    }

    #[tokio::test]
    async fn an_api_that_is_down_is_left_in_peace_and_then_probed_once() {
        let gate = gate(100, 8);
        fail(&gate, 5);
        let Some(Err(Refusal::Down { retry_after, cause })) = at_once(&gate) else { panic!("down") };
        assert!(retry_after <= Duration::from_secs(1));
        assert_eq!(cause, "Unreachable");

        let probe = pass_when_told(&gate).await;
        assert_eq!(probe.kind(), Kind::Probe);
        assert!(matches!(at_once(&gate), Some(Err(Refusal::Down { .. }))), "one probe at a time");

        probe.finish(Outcome::Answered);
        let first = at_once(&gate).unwrap().unwrap();
        assert_eq!(first.kind(), Kind::Regular);
        assert!(at_once(&gate).is_none(), "one request at a time after an outage");
    }
}
