//! What the interposers of one test share: the journal, the plans, and the gate that stops everything.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::call::{Call, Kind};
use crate::plan::{Expectation, Plan, PlanError, Stop, Strictness, Violation};
use crate::signature::{Shape, Signature};

mod gate;

pub(crate) use gate::{Admitted, InFlight, Letter};

/// A bounded wait ran out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited {within:?} for {what}; the last calls were:\n{journal}")]
pub struct TimedOut {
    /// What was waited for.
    pub what: &'static str,
    /// How long.
    pub within: Duration,
    /// The end of the journal, one call a line.
    pub journal: String,
}

/// Shared by all interposers of a test; a clone is the same world.
#[derive(Debug, Clone)]
pub struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Never held across an await.
    state: Mutex<State>,
    /// Bumped whenever the state has changed; everything that waits, waits for this.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing passes while this holds.
    frozen: bool,
    /// How many times the operator has been given up for dead.
    life: u32,
    /// Calls that wait to be let in.
    waiting: usize,
    /// Mutations that have been sent and not yet answered.
    in_flight: usize,
    /// All calls that were let in.
    journal: Vec<Call>,
    /// How often each shape was seen in this life.
    ordinals: HashMap<Shape, u32>,
    /// The counted mutations of this life.
    counted: usize,
    /// The plans to come; only the first is looked at.
    plans: VecDeque<Plan>,
    /// The plan whose call was let in but whose moment has not come, and that call's sequence.
    active: Option<(Plan, u64)>,
    /// The news for `reached`.
    stops: VecDeque<Result<Stop, PlanError>>,
    /// The plans whose moment never came.
    missed: Vec<Plan>,
    /// What each life may do; a life without an entry may do anything.
    expected: HashMap<u32, Expectation>,
    /// What was done against it.
    violations: Vec<Violation>,
    /// Path segments that differ from run to run, and what to call them.
    aliases: Vec<(String, String)>,
    /// Group and resource of the mutations that do not count.
    ignored: Vec<(String, String)>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A running world without plans, in which Leases and Events do not count.
    #[must_use]
    pub fn new() -> Self {
        let ignored = [("coordination.k8s.io", "leases"), ("events.k8s.io", "events"), ("", "events")]
            .map(|(group, resource)| (group.to_owned(), resource.to_owned()))
            .into();
        let state = Mutex::new(State { ignored, ..State::default() });
        Self(Arc::new(Inner { state, changed: watch::Sender::new(0) }))
    }

    /// Replaces the list of (group, resource) whose mutations do not count.
    pub fn ignore(&self, resources: impl IntoIterator<Item = (String, String)>) {
        self.lock().ignored = resources.into_iter().collect();
    }

    /// In signatures, calls a path segment that equals `literal` by `placeholder`, such as a namespace
    /// whose name is new in every run.
    pub fn alias(&self, literal: impl Into<String>, placeholder: impl Into<String>) {
        self.lock().aliases.push((literal.into(), placeholder.into()));
    }

    /// Queues plans. Only the first that is outstanding is looked at, so for a pair of stops give two:
    /// the second is looked for once the first has been reached, in whatever life that is then.
    pub fn plan(&self, plans: impl IntoIterator<Item = Plan>) {
        self.lock().plans.extend(plans);
    }

    /// Waits until the next plan is reached. The world is then frozen, until [`resume`](Self::resume) or
    /// [`abandon`](Self::abandon).
    ///
    /// # Errors
    /// When no plan is queued, when no call matches in time, and when one matched but its moment did not
    /// come (the server did not answer, the client did not take the answer).
    pub async fn reached(&self, within: Duration) -> Result<Stop, PlanError> {
        let news = self.until(|state| {
            let idle = state.plans.is_empty() && state.active.is_none();
            state.stops.pop_front().or_else(|| idle.then_some(Err(PlanError::NoPlan)))
        });
        if let Ok(news) = tokio::time::timeout(within, news).await {
            return news;
        }
        let state = self.lock();
        let outstanding = state.active.as_ref().map(|(plan, _)| plan).or(state.plans.front());
        let plan = outstanding.map(ToString::to_string).unwrap_or_default();
        Err(PlanError::NotReached { plan, within, journal: state.tail() })
    }

    /// The plans that were not reached: those still queued, and those whose moment never came.
    #[must_use]
    pub fn unreached(&self) -> Vec<Plan> {
        let state = self.lock();
        let active = state.active.iter().map(|(plan, _)| plan);
        state.missed.iter().chain(active).chain(&state.plans).cloned().collect()
    }

    /// Stops everything, without a plan.
    pub fn freeze(&self) {
        self.lock().frozen = true;
        self.announce();
    }

    /// Lets everything go on, the held call included.
    pub fn resume(&self) {
        self.lock().frozen = false;
        self.announce();
    }

    /// The operator is dead: drops what it has under way and lets a new life begin.
    ///
    /// A call that is held before being sent, or waits to be let in, is never forwarded; an answer that
    /// is held is discarded; its connections are closed. Call this once the process has been waited
    /// for, for anything that connects afterwards counts as the new life. Calls already sent go on at the
    /// server: see [`settled`](Self::settled).
    pub fn abandon(&self) {
        {
            let mut state = self.lock();
            state.life += 1;
            state.frozen = false;
            state.counted = 0;
            state.ordinals.clear();
            if let Some((plan, _)) = state.active.take() {
                state.missed.push(plan);
            }
        }
        self.announce();
    }

    /// The life that the operator is in: how often it was [abandoned](Self::abandon).
    #[must_use]
    pub fn life(&self) -> u32 {
        self.lock().life
    }

    /// Whether everything stands still.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.lock().frozen
    }

    /// Waits until at least `calls` wait to be let into a frozen world.
    ///
    /// # Errors
    /// When there are fewer for the whole time.
    pub async fn blocked(&self, calls: usize, within: Duration) -> Result<(), TimedOut> {
        let enough = self.until(|state| (state.waiting >= calls).then_some(()));
        self.bounded("calls to be held back", within, enough).await
    }

    /// Waits until the server has answered every mutation that was sent to it.
    ///
    /// # Errors
    /// When one is unanswered for the whole time.
    pub async fn settled(&self, within: Duration) -> Result<(), TimedOut> {
        let settled = self.until(|state| (state.in_flight == 0).then_some(()));
        self.bounded("the mutations under way to be answered", within, settled).await
    }

    /// Waits until the journal holds a call for which `holds`, and gives the first. It runs under the
    /// world's lock: it must not call the world.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn saw(&self, holds: impl Fn(&Call) -> bool, within: Duration) -> Result<Call, TimedOut> {
        let seen = self.until(|state| state.journal.iter().find(|call| holds(call)).cloned());
        self.bounded("a certain call", within, seen).await
    }

    /// From now on, a counted mutation of `life` that is not `known` is a [`Violation`]. It is let
    /// through all the same.
    pub fn expect(&self, life: u32, strictness: Strictness, known: impl IntoIterator<Item = Signature>) {
        let known = known.into_iter().collect();
        self.lock().expected.insert(life, Expectation { strictness, known });
    }

    /// The mutations that were not expected.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().violations.clone()
    }

    /// All calls so far, both sides, in the order in which they were let in.
    #[must_use]
    pub fn journal(&self) -> Vec<Call> {
        self.lock().journal.clone()
    }

    /// The counted mutations so far.
    #[must_use]
    pub fn mutations(&self) -> Vec<Call> {
        self.lock().journal.iter().filter(|call| call.counted).cloned().collect()
    }

    /// The counted mutations of one life.
    #[must_use]
    pub fn mutations_in(&self, life: u32) -> Vec<Call> {
        let state = self.lock();
        state.journal.iter().filter(|call| call.counted && call.life == life).cloned().collect()
    }

    async fn bounded<T>(
        &self,
        what: &'static str,
        within: Duration,
        wait: impl Future<Output = T>,
    ) -> Result<T, TimedOut> {
        tokio::time::timeout(within, wait).await.map_err(|_| TimedOut {
            what,
            within,
            journal: self.lock().tail(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        self.0.changed.send_modify(|changes| *changes += 1);
    }

    /// Waits until `check` gives something. It is asked again whenever the state has changed.
    async fn until<T>(&self, mut check: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changes = self.0.changed.subscribe();
        loop {
            if let Some(found) = check(&mut self.lock()) {
                return found;
            }
            if changes.changed().await.is_err() {
                // The sender lives in `self`: it cannot be gone.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl State {
    fn counts(&self, kind: Kind, target: &crate::call::Target) -> bool {
        let ignored = || match target {
            crate::call::Target::Kubernetes(resource) => self
                .ignored
                .iter()
                .any(|(group, plural)| *group == resource.group && *plural == resource.resource),
            crate::call::Target::Remote(_) | crate::call::Target::Other => false,
        };
        kind == Kind::Mutation && !ignored()
    }

    fn call(&mut self, sequence: u64) -> Option<&mut Call> {
        let at = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.journal.get_mut(at)
    }

    fn tail(&self) -> String {
        let from = self.journal.len().saturating_sub(20);
        self.journal[from..].iter().fold(String::new(), |mut text, call| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {call}");
            text
        })
    }
}
