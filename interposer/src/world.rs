//! What the interposers of one test share: the journal, the plans, and the gate that stops everything.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::call::Call;
use crate::plan::{Plan, PlanError, Stop};
use crate::signature::Shape;
use crate::target::{Kind, Target};

mod gate;

pub(crate) use gate::{Admitted, InFlight, Letter};

/// Group and resource of the mutations that do not count.
const IGNORED: [(&str, &str); 3] =
    [("coordination.k8s.io", "leases"), ("events.k8s.io", "events"), ("", "events")];

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
    /// The plans to come; only the first is looked at.
    plans: VecDeque<Plan>,
    /// The plan whose call was let in but whose moment has not come, and that call's sequence.
    active: Option<(Plan, u64)>,
    /// The news for `reached`.
    stops: VecDeque<Result<Stop, PlanError>>,
    /// Path segments that differ from run to run, and what to call them.
    aliases: Vec<(String, String)>,
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
        Self(Arc::new(Inner { state: Mutex::default(), changed: watch::Sender::new(0) }))
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
            state.ordinals.clear();
            state.active = None;
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

fn counts(kind: Kind, target: &Target) -> bool {
    let ignored = || match target {
        Target::Kubernetes(named) => IGNORED.contains(&(named.group.as_str(), named.resource.as_str())),
        Target::Remote(_) | Target::Other => false,
    };
    kind == Kind::Mutation && !ignored()
}
