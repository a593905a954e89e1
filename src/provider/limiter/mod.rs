//! When a request of a network may go out: its rate, how many are in flight, who goes first, and whether the API
//! is up.

mod circuit;
mod queue;
mod rate;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use self::circuit::{Circuit, Kind};
use self::queue::{Queue, Waiter};
use self::rate::Rate;
use super::config::{Limits, Priority};
use super::operation::Operation;

/// How soon one that gave up in the queue may ask again, at the earliest.
const LEAST_RETRY: Duration = Duration::from_secs(1);

/// The limiter of one network.
#[derive(Debug)]
pub(super) struct Limiter {
    state: Mutex<State>,
    /// Told when an outage begins.
    outage: Notify,
}

#[derive(Debug)]
struct State {
    rate: Rate,
    queue: Queue,
    circuit: Circuit,
    in_flight: u32,
    max_in_flight: u32,
}

/// Why a request may not go out. It was not sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The API asked for a pause.
    Paused { retry_after: Duration },
    /// Too many requests are ahead.
    Spent { retry_after: Duration },
    /// The API is down.
    Down { retry_after: Duration, cause: &'static str },
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The API answered.
    Answered,
    /// The API answered that there are too many requests, or that it wants a pause.
    Limited { retry_after: Option<Duration> },
    /// The API could not be reached or did not answer, for a reason in one word.
    Failed { cause: &'static str, retry_after: Option<Duration> },
}

impl Outcome {
    /// Whether the API told how long to wait.
    pub(super) fn asks_for_a_pause(&self) -> bool {
        match self {
            Self::Answered => false,
            Self::Limited { retry_after } | Self::Failed { retry_after, .. } => retry_after.is_some(),
        }
    }
}

/// A request's leave to go out; it counts as in flight until this is dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    granted_at: Instant,
    kind: Kind,
}

/// A request in the queue; it leaves when this is dropped, also when its caller gave up.
struct Waiting<'a> {
    limiter: &'a Limiter,
    waiter: Waiter,
    operation: Operation,
    priority: Priority,
    /// When it gives up.
    deadline: Instant,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        let state = State {
            rate: Rate::new(limits, Instant::now()),
            queue: Queue::default(),
            circuit: Circuit::new(),
            in_flight: 0,
            max_in_flight: limits.in_flight,
        };
        Self { state: Mutex::new(state), outage: Notify::new() }
    }

    /// Waits for the request's turn for `patience` at most; one that would have to wait longer is refused
    /// at once.
    pub(super) async fn acquire(
        &self,
        operation: Operation,
        priority: Priority,
        patience: Duration,
    ) -> Result<Permit<'_>, Refusal> {
        let waiting = self.join(operation, priority, patience)?;
        loop {
            let now = Instant::now();
            let wake_at = match self.lock().start(&waiting, now)? {
                ControlFlow::Break(kind) => return Ok(Permit { limiter: self, granted_at: now, kind }),
                ControlFlow::Continue(wake_at) => wake_at,
            };
            tokio::select! {
                () = waiting.waiter.wake.notified() => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
        }
    }

    /// Takes other limits over. What the API asked for still holds; whether it is up is found out again.
    pub(super) fn adjust(&self, limits: Limits) {
        let mut state = self.lock();
        state.rate.adjust(limits, Instant::now());
        state.circuit = Circuit::new();
        state.max_in_flight = limits.in_flight;
        state.queue.wake_first();
    }

    /// What is left of a pause that the API asked for.
    pub(super) fn pause(&self) -> Duration {
        self.lock().rate.paused(Instant::now()).unwrap_or_default()
    }

    /// See [`super::Client::outage_pause`].
    pub(super) fn outage_pause(&self) -> Option<Duration> {
        self.lock().circuit.open_for(Instant::now())
    }

    /// See [`super::Client::outage_began`].
    pub(super) async fn outage_began(&self) {
        self.outage.notified().await;
    }

    fn join(
        &self,
        operation: Operation,
        priority: Priority,
        patience: Duration,
    ) -> Result<Waiting<'_>, Refusal> {
        let now = Instant::now();
        let mut state = self.lock();
        state.circuit.admit(operation, now)?;
        if state.foreseen_wait(priority, now) > patience {
            return Err(state.refusal(priority, now));
        }
        let waiter = state.queue.join(priority);
        Ok(Waiting { limiter: self, waiter, operation, priority, deadline: now + patience })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets a request out if it may go now; else tells when to look again, unless something changes before.
    fn start(&mut self, waiting: &Waiting<'_>, now: Instant) -> Result<ControlFlow<Kind, Instant>, Refusal> {
        let kind = self.circuit.admit(waiting.operation, now)?;
        let paused = self.rate.paused(now).unwrap_or_default();
        if now >= waiting.deadline || now + paused > waiting.deadline {
            return Err(self.refusal(waiting.priority, now));
        }
        let most = self.max_in_flight.min(self.circuit.allowance());
        if !self.queue.is_first(&waiting.waiter) || self.in_flight >= most {
            return Ok(ControlFlow::Continue(waiting.deadline));
        }
        if !self.rate.take(now) {
            return Ok(ControlFlow::Continue(waiting.deadline.min(now + self.rate.wait(0, now))));
        }
        self.queue.pop();
        self.in_flight += 1;
        self.circuit.started(kind);
        Ok(ControlFlow::Break(kind))
    }

    fn refusal(&self, priority: Priority, now: Instant) -> Refusal {
        if let Some(retry_after) = self.rate.paused(now) {
            return Refusal::Paused { retry_after };
        }
        Refusal::Spent { retry_after: self.foreseen_wait(priority, now).max(LEAST_RETRY) }
    }

    /// How long a request that joins the queue now will wait at least.
    fn foreseen_wait(&self, priority: Priority, now: Instant) -> Duration {
        self.rate.wait(self.queue.ahead(priority), now)
    }
}

impl Permit<'_> {
    /// Tells what became of the request.
    pub(super) fn finish(self, outcome: Outcome) {
        let now = Instant::now();
        let mut state = self.limiter.lock();
        match outcome {
            Outcome::Answered => state.rate.served(self.granted_at),
            Outcome::Limited { retry_after } => state.rate.limited(self.granted_at, retry_after, now),
            Outcome::Failed { cause, retry_after } => {
                if retry_after.is_some() {
                    state.rate.limited(self.granted_at, retry_after, now);
                }
                if state.circuit.failed(self.kind, cause, now) {
                    tracing::warn!(cause, "the API is down; calls rest");
                    self.limiter.outage.notify_one();
                }
                return;
            }
        }
        if state.circuit.answered(self.kind) {
            tracing::info!("the API is back");
            state.rate.resume_at(now);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.circuit.abandoned(self.kind);
        state.in_flight = state.in_flight.saturating_sub(1);
        state.queue.wake_first();
    }
}

/// Each that leaves the queue, also by a refusal, wakes the one after it.
impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.queue.leave(&self.waiter);
        state.queue.wake_first();
    }
}
