//! One activation of one `WebhookEndpoint`: observe, plan, perform, until there is nothing to do; report.
//!
//! An activation carries no input: whatever woke it, it takes the same path.

mod context;
mod events;
mod failure;
mod finish;
mod locks;
mod metrics;
mod perform;
mod record;
mod refusal;
mod remote;
mod secret_object;
mod secret_values;
mod secrets;
mod status;
mod urgency;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tracing::{Instrument as _, debug, info_span, warn};

pub use context::{Context, Settings};
pub(crate) use events::events;
pub use metrics::ReconcileMetrics;
pub use remote::warn_of_loss;
pub use urgency::Urgency;

use crate::index::{Api, Clocks, Incarnation, LocalState, Resource, ResourceKey, StoredMeta, Waits};
use crate::network::Network;
use crate::planning::{Action, Observed, Outcome, Step, Timing, plan};
use crate::provider::EndpointUrl;
use failure::Failure;
use locks::Held;

/// An activation that is not done by then is dropped; what it remembers is safe at every point.
const LIMIT: Duration = Duration::from_mins(5);
/// More steps than any resource needs; a plan that does not come to an end is a defect, not a loop.
const STEPS: usize = 32;

/// An endpoint's URL at its API: creates with it go one at a time.
type RemoteUrl = (Api, EndpointUrl);

/// The locks that an activation needs to go on.
pub type UrlLocks = Held<RemoteUrl>;

/// How an activation ended, or a part of one.
pub enum Ended<T> {
    /// There is nothing to do before this time has passed, or something changes. Then it is this urgent, or as urgent as
    /// it was.
    Done(Option<(Duration, Option<Urgency>)>),
    /// It can go on with what this gives.
    Needs(BoxFuture<'static, T>),
}

/// Reconciles one resource; says when to do so again, if nothing happens before. What goes wrong is reported on the
/// resource and tried again in its own time.
///
/// Nobody takes up another's turn while waiting for a lock: it is given up meanwhile.
pub async fn reconcile(key: &ResourceKey, locks: Option<UrlLocks>, context: &Context) -> Ended<UrlLocks> {
    let Some(resource) = context.index().resource(key) else { return Ended::Done(None) };
    if locks.is_none()
        && let Some(pause) = pause_left(context, &resource)
    {
        return Ended::Done(Some((pause, Some(Urgency::Retry))));
    }
    let key = resource.key.clone();
    let span = info_span!("reconcile", namespace = &*key.namespace, name = &*key.name);
    let version = resource.resource_version.clone();
    let seen = BTreeMap::new();
    let mut activation =
        Activation { context, key, resource, version, seen, network: None, locks, failed: None };
    activation.local(LocalState::begin);
    let done = tokio::time::timeout(LIMIT, activation.run().instrument(span)).await;
    done.unwrap_or_else(|_| {
        warn!(resource = %activation.key, "not done within {LIMIT:?}: begins anew");
        Ended::Done(activation.next_pause().map(|pause| (pause, Some(Urgency::Retry))))
    })
}

/// What is left of a pause after a failure, if nothing has happened since.
fn pause_left(context: &Context, resource: &Resource) -> Option<Duration> {
    let mut index = context.index();
    let woken = index.take_woken(&resource.key);
    let local = index.local(&resource.key, &resource.uid)?;
    local.pause_left(resource.resource_version.as_deref(), Instant::now()).filter(|_| !woken)
}

/// What an activation works with.
struct Activation<'a> {
    context: &'a Context,
    key: ResourceKey,
    /// The resource as it was observed last.
    resource: Arc<Resource>,
    /// Its resource version then, or after a write of ours since.
    version: Option<String>,
    /// Its Secrets, and one that may be its, as they were observed last: a write loses against one that has changed
    /// since.
    seen: BTreeMap<String, StoredMeta>,
    /// Its network, if it could be asked when the resource was observed last.
    network: Option<Reached>,
    /// The locks of the URLs that it creates endpoints with.
    locks: Option<UrlLocks>,
    /// What was tried last, and failed.
    failed: Option<Action>,
}

/// A network that can be asked.
#[derive(Clone)]
struct Reached {
    network: Arc<Network>,
    /// What is asked through this one says nothing of another that takes its place.
    incarnation: Incarnation,
}

impl Activation<'_> {
    async fn run(&mut self) -> Ended<UrlLocks> {
        let begun = Instant::now();
        let converged = self.converge().await;
        self.context.metrics.reconciled(told(&converged), begun.elapsed());
        let outcome = match converged {
            Ok(Progress::Ended(outcome)) => Ok(outcome),
            Ok(Progress::NeedsLocks(urls)) => return Ended::Needs(self.context.urls.lock(urls).boxed()),
            // The watch tells what has come in its place.
            Ok(Progress::Gone) => return Ended::Done(None),
            Err(failure) => Err(failure),
        };
        let urgency = match &outcome {
            // Of a secret in hand nobody else has a copy.
            _ if self.local(|local| local.memory.in_hand().is_some()) == Some(true) => Some(Urgency::Change),
            Ok(_) => Some(Urgency::Drift),
            // Nothing was tried yet of what it was to do.
            Err(failure) if failure.nothing_was_done() => None,
            Err(_) => Some(Urgency::Retry),
        };
        Ended::Done(self.finish(outcome).await.map(|pause| (pause, urgency)))
    }

    async fn converge(&mut self) -> Result<Progress, Failure> {
        let mut previous = None;
        for _ in 0..STEPS {
            let Some((mut observed, now)) = self.observe() else { return Ok(Progress::Gone) };
            observed.previous = previous;
            match plan(&self.resource.intent, &observed, now) {
                Step::End(outcome) => {
                    if observed.resting.is_empty() {
                        self.local(|local| local.retain_deadline.answered());
                    }
                    return Ok(Progress::Ended(outcome));
                }
                Step::Act(action) => {
                    previous = observed.previous;
                    if action.excludes_others_of_its_url() {
                        match self.lock_urls() {
                            Locking::Held => {}
                            // What was observed may have changed since.
                            Locking::Locked => continue,
                            Locking::Taken(urls) => return Ok(Progress::NeedsLocks(urls)),
                        }
                    }
                    debug!(?action, "performing");
                    let done = self.perform(&action).await;
                    self.context.metrics.performed(&action, &done);
                    self.keep_pace(&action, &done);
                    if let Err(failure) = done {
                        self.failed = Some(action);
                        return Err(failure);
                    }
                    if action.concerns_network() {
                        self.local(|local| local.retain_deadline.answered());
                    }
                    previous = Some(action);
                }
            }
        }
        Err(Failure::Restless)
    }

    /// Counts what was done, whatever came of it. A create counts when it is sent.
    fn keep_pace(&self, action: &Action, done: &Result<(), Failure>) {
        let nothing = matches!(done, Err(failure) if failure.nothing_was_done());
        let Some(kind) = action.kind().filter(|_| !nothing && !matches!(action, Action::RecordAttempt(_)))
        else {
            return;
        };
        let (now, hurry) = (Instant::now(), self.context.settings.hurry);
        self.local(|local| local.pace.did(kind, now, hurry));
    }

    /// Looks at all that is known, and when that was by the API's clock. What a step took long for may have been
    /// overtaken: other credentials, or the network's deletion, which counts those that hold the finalizer by now.
    /// `None` when the resource is gone, or another one of its name has come.
    fn observe(&mut self) -> Option<(Observed, Timestamp)> {
        let (resource, observed, now) = self.look()?;
        self.version.clone_from(&resource.resource_version);
        self.resource = resource;
        Some((observed, now))
    }

    fn look(&mut self) -> Option<(Arc<Resource>, Observed, Timestamp)> {
        let mut index = self.context.index();
        let known = index.resource(&self.key).filter(|known| known.uid == self.resource.uid)?;
        let network = index.network(&known.network, known.network_use()).ok();
        let incarnation = index.incarnation(&known.network);
        self.network =
            network.zip(incarnation).map(|(network, incarnation)| Reached { network, incarnation });
        let clocks =
            Clocks { api: self.now(), cluster: self.context.cluster_time(), monotonic: Instant::now() };
        let Settings { settle, recovery_grace: recovery, .. } = self.context.settings;
        let (resource, observed) = index.observe(&self.key, clocks, Waits { settle, recovery })?;
        let secrets = index.owned_secrets(&self.key.namespace, &resource.uid);
        let unowned = observed.unowned_secret().and_then(|_| {
            let found = index.secret(&self.key.namespace, &resource.secret_name)?;
            Some((resource.secret_name.as_str(), found))
        });
        self.seen = secrets.chain(unowned).map(|(name, meta)| (name.to_owned(), meta.clone())).collect();
        Some((resource, observed, clocks.api))
    }

    /// Takes the locks of the URLs that this resource creates endpoints with, or may have, if nobody else has
    /// one of them.
    fn lock_urls(&mut self) -> Locking {
        let api = self.context.index().api(&self.resource.network);
        let attempted = self.resource.attempt.iter().map(|attempt| attempt.url.clone());
        let urls = attempted.chain([self.resource.url.clone()]).map(|url| (api.clone(), url));
        let urls = urls.collect::<BTreeSet<_>>();
        if self.locks.as_ref().is_some_and(|held| held.covers(&urls)) {
            return Locking::Held;
        }
        self.locks = None;
        self.locks = self.context.urls.try_lock(urls.clone());
        if self.locks.is_some() { Locking::Locked } else { Locking::Taken(urls) }
    }

    /// Changes what this process knows of the resource, unless it is gone.
    fn local<T>(&self, change: impl FnOnce(&mut LocalState) -> T) -> Option<T> {
        self.context.index().local(&self.key, &self.resource.uid).map(change)
    }

    /// The time by the API's clock.
    fn now(&self) -> Timestamp {
        self.network.as_ref().map_or_else(Timestamp::now, |reached| reached.network.client.now())
    }

    fn timing(&self) -> Timing {
        let call = self.network.as_ref().map_or(Duration::ZERO, |reached| reached.network.timeout);
        Timing { settle: self.context.settings.settle, call }
    }
}

/// How far an activation has come.
enum Progress {
    Ended(Outcome),
    NeedsLocks(BTreeSet<RemoteUrl>),
    Gone,
}

/// How an activation ended, in one word.
fn told(converged: &Result<Progress, Failure>) -> &'static str {
    match converged {
        Ok(Progress::Ended(_) | Progress::Gone) => "ok",
        Ok(Progress::NeedsLocks(_)) => "waiting",
        Err(Failure::Outdated) => "outdated",
        Err(_) => "failed",
    }
}

/// Whether an activation has the locks that it needs.
enum Locking {
    /// It had them.
    Held,
    /// It has them now.
    Locked,
    /// Somebody else has one of them.
    Taken(BTreeSet<RemoteUrl>),
}
