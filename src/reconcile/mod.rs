//! One activation of one `WebhookEndpoint`: observe, plan, perform, until there is nothing to do; report.
//!
//! An activation carries no input: whatever woke it, it takes the same path.

mod context;
mod deadline;
mod failure;
mod gate;
mod intent;
mod mind;
mod observe;
mod perform;
mod refusal;
mod remote;
mod report;
mod resource;
mod secrets;
mod settle;
mod slots;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::controller::Action as Requeue;
use tokio::sync::OwnedMutexGuard;
use tracing::{Instrument as _, debug, info_span, warn};

pub use context::{Context, Settings};
pub use observe::claim_of;
pub use remote::pages;

use crate::network::{Access, Network, Unavailable};
use crate::planning::{Action, Rest, State, Step, Timing, plan};
use crate::provider::EndpointUrl;
use crate::resources::WebhookEndpoint;
use crate::state::{NetworkKey, ResourceKey};
use deadline::RetainDeadline;
use failure::Failure;
use gate::{concerns_network, look_up};
use mind::{Mind, Pause};
use settle::next_pause;

/// An activation that is not done by then is dropped; what it remembers is safe at every point.
const LIMIT: Duration = Duration::from_mins(5);
/// More steps than any resource needs; a plan that does not come to rest is a defect, not a loop.
const STEPS: usize = 32;

/// Reconciles one resource; says when to do so again.
///
/// # Errors
///
/// Never: what goes wrong is reported on the resource and tried again in its own time.
pub async fn reconcile(
    resource: Arc<WebhookEndpoint>,
    context: Arc<Context>,
) -> Result<Requeue, std::convert::Infallible> {
    let key = context::key_of(&resource);
    let network = NetworkKey::referred(&resource.spec.network_ref, &key.namespace);
    let Some(_slot) = context.slots.enter(&network).await else { return Ok(Requeue::await_change()) };
    // It may have waited long: what counts is what the cache shows now.
    let Some(resource) = context.cached(&key).filter(|resource| !context.was_let_go(resource)) else {
        return Ok(Requeue::await_change());
    };
    // Thousands may be waiting above; only those that are in have the size of an activation.
    Box::pin(in_turn(&key, &resource, &context)).await
}

async fn in_turn(
    key: &ResourceKey,
    resource: &WebhookEndpoint,
    context: &Context,
) -> Result<Requeue, std::convert::Infallible> {
    let span = info_span!("reconcile", namespace = key.namespace, name = key.name);
    let mind = context.minds.of(key);
    let mut mind = mind.lock().await;
    let woken = context.take_woken(key);
    if let Some(rest) = mind.rest(resource, Instant::now()).filter(|_| !woken) {
        return Ok(Requeue::requeue(rest));
    }
    let activation = activate(context, key, &mut mind, resource).instrument(span);
    let pause = tokio::time::timeout(LIMIT, activation).await.unwrap_or_else(|_| {
        warn!(resource = %key, "not done within {LIMIT:?}: begins anew");
        Some(next_pause(context, &mut mind))
    });
    // Taken away by force, perhaps while this was under way: what it has noted meanwhile must not stay.
    let uid = resource.uid();
    if context.cached(key).is_none_or(|cached| cached.uid() != uid) {
        mind.warn_of_loss();
        context.forget(key, &uid.unwrap_or_default());
    }
    Ok(pause.map_or_else(Requeue::await_change, Requeue::requeue))
}

/// The controller's answer to an error that can't happen.
#[must_use]
pub fn on_error(_: Arc<WebhookEndpoint>, never: &std::convert::Infallible, _: Arc<Context>) -> Requeue {
    match *never {}
}

/// What an activation works with.
struct Activation<'a> {
    context: &'a Context,
    key: &'a ResourceKey,
    mind: &'a mut Mind,
    /// The resource as its latest write, or the cache, shows it.
    view: WebhookEndpoint,
    network_key: NetworkKey,
    network: Result<(Arc<Network>, Access), Unavailable>,
    /// The networks among which an id means one endpoint.
    networks: BTreeSet<NetworkKey>,
    url_locks: Vec<OwnedMutexGuard<()>>,
}

async fn activate(
    context: &Context,
    key: &ResourceKey,
    mind: &mut Mind,
    cached: &WebhookEndpoint,
) -> Option<Duration> {
    let view = context.freshest(key, cached);
    let network_key = NetworkKey::referred(&view.spec.network_ref, &key.namespace);
    let network = look_up(context, &view, &network_key);
    mind.begin(&view);
    let networks = context.networks.of_same_api(&network_key);
    let url_locks = Vec::new();
    let mut activation = Activation { context, key, mind, view, network_key, network, networks, url_locks };
    let outcome = activation.run().await;
    let failed = outcome.is_err();
    let retry = activation.settle(outcome).await;
    context.note_waiting(key, retry.waiting);
    let resource_version = activation.view.resource_version();
    let pause = retry.pause.filter(|_| failed);
    mind.pause = pause.map(|pause| Pause { resource_version, until: Instant::now() + pause });
    retry.pause
}

impl Activation<'_> {
    async fn run(&mut self) -> Result<Rest, Failure> {
        let mut done = None;
        for _ in 0..STEPS {
            if let Some(rest) = intent::paused(&self.view) {
                self.mind.retain_deadline = RetainDeadline::default();
                return Ok(rest);
            }
            // What a step before this one took long for may have been overtaken: other credentials, or the
            // network's deletion, which counts those that hold the finalizer by now.
            self.network = look_up(self.context, &self.view, &self.network_key);
            self.networks = self.context.networks.of_same_api(&self.network_key);
            let intent = intent::of(&self.view);
            self.note_availability(&intent);
            let gate = self.gate(&intent);
            let observed = observe::observe(self, &intent);
            match plan(&intent, &observed, self.now(), &self.timing()) {
                Step::Rest(rest) => {
                    self.mind.retain_deadline.answered();
                    return Ok(gate.filter(|_| rest.state != State::Gone).unwrap_or(rest));
                }
                Step::Act(action) => {
                    let gate = gate.filter(|_| concerns_network(&action));
                    if let Some(rest) = gate.or_else(|| self.closed_to(&action)) {
                        return Ok(rest);
                    }
                    let urls = self.urls();
                    if concerns_creates(&action) && self.url_locks.is_empty() && !urls.is_empty() {
                        // What was observed may have changed while this waited: plan again.
                        self.url_locks = self.context.urls.lock_all(urls).await;
                        continue;
                    }
                    if done.as_ref() == Some(&action)
                        && let Some(what) = lasting(&action)
                    {
                        return Err(Failure::NoEffect { what });
                    }
                    done = Some(action.clone());
                    debug!(?action, "performing");
                    let asks = concerns_network(&action);
                    self.perform(action, &intent).await?;
                    if asks {
                        self.mind.retain_deadline.answered();
                    }
                }
            }
        }
        Err(Failure::Restless)
    }

    /// How long finding out about a create takes when all is well.
    fn settling(&self) -> Duration {
        let Timing { settle, call } = self.timing();
        settle + 2 * call
    }

    /// The URLs that this resource creates endpoints with, or may have, each with its API.
    fn urls(&self) -> BTreeSet<(NetworkKey, EndpointUrl)> {
        let attempted = observe::attempt(&self.view).map(|attempt| attempt.url);
        let urls = attempted.into_iter().chain([self.view.spec.url.as_str().into()]);
        let first = self.networks.first();
        urls.filter_map(|url| Some((first?.clone(), url))).collect()
    }

    /// The time by the API's clock.
    fn now(&self) -> Timestamp {
        self.network.as_ref().map_or_else(|_| Timestamp::now(), |(network, _)| network.client.now())
    }

    fn timing(&self) -> Timing {
        let call = self.network.as_ref().map_or(Duration::ZERO, |(network, _)| network.timeout);
        Timing { settle: self.context.settings.settle, call }
    }
}

/// What an action does that is not planned again once it is done; `None` for others.
fn lasting(action: &Action) -> Option<String> {
    match action {
        Action::Patch { id, .. } => Some(format!("the change of endpoint {id}")),
        Action::DressSecret => Some("giving the Secret its labels and annotations".to_owned()),
        Action::CopySecret { from } => Some(format!("moving the secret from Secret {from:?}")),
        _ => None,
    }
}

/// Creates, and what finds out about them, go one at a time for a URL: otherwise the endpoint of one
/// resource's create would look, before its answer is in, like the trace of another's. Of two resources that
/// hold one endpoint, the last to go takes it along.
fn concerns_creates(action: &Action) -> bool {
    use crate::planning::DeleteCause::Orphan;
    matches!(
        action,
        Action::RecordAttempt(_)
            | Action::Create
            | Action::Delete { cause: Orphan { .. }, .. }
            | Action::RemoveFinalizer(_)
    )
}
