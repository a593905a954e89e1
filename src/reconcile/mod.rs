//! One activation of one `WebhookEndpoint`: observe, plan, perform, until there is nothing to do; report.
//!
//! An activation carries no input: whatever woke it, it takes the same path.

mod context;
mod failure;
mod intent;
mod mind;
mod observe;
mod patience;
mod perform;
mod refusal;
mod remote;
mod report;
mod resource;
mod secrets;
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

use crate::backoff::jittered;
use crate::network::{Access, Network, Openness, Refusal, Unavailable};
use crate::planning::{Action, Intent, Reason, Removal, Rest, State, Step, Timing, plan};
use crate::provider::EndpointUrl;
use crate::resources::WebhookEndpoint;
use crate::state::{NetworkKey, ResourceKey};
use failure::Failure;
use mind::{Mind, Pause};
use patience::Patience;

/// An activation that is not done by then is dropped; what it remembers is safe at every point.
const LIMIT: Duration = Duration::from_mins(5);
/// The longest pause while a secret is in memory and nowhere else.
const LONGEST_IN_HAND: Duration = Duration::from_secs(30);
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
    let pause = match tokio::time::timeout(LIMIT, activation).await {
        Ok(pause) => pause,
        Err(_) => Some(next_pause(context, &mut mind)),
    };
    Ok(pause.map_or_else(Requeue::await_change, Requeue::requeue))
}

/// The pause before the next try. This is the one place where pauses between tries are hurried: what is
/// logged is how long they are in life.
fn next_pause(context: &Context, mind: &mut Mind) -> Duration {
    let pause = mind.backoff.pause();
    let pause = if mind.memory.in_hand().is_some() { pause.min(LONGEST_IN_HAND) } else { pause };
    debug!(seconds = pause.as_secs_f64(), "pauses before the next try");
    pause / u32::from(context.settings.hurry.max(1))
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
    if let Err(Failure::Provider(error)) = &outcome
        && !error.is_held_back()
    {
        activation.mind.patience.failed(Instant::now());
    }
    let mut retry = activation.settle(outcome).await;
    if let Some(end) = activation.mind.patience.ends(activation.settling()) {
        let left = Some(end.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
        retry.pause = retry.pause.into_iter().chain(left).min();
    }
    context.note_waiting(key, retry.waiting);
    let resource_version = activation.view.resource_version();
    let pause = retry.pause.filter(|_| failed);
    mind.pause = pause.map(|pause| Pause { resource_version, until: Instant::now() + pause });
    retry.pause
}

fn look_up(
    context: &Context,
    view: &WebhookEndpoint,
    network: &NetworkKey,
) -> Result<(Arc<Network>, Access), Unavailable> {
    match view.metadata.deletion_timestamp {
        Some(_) => context.networks.get_for_removal(network),
        None => context.networks.get(network),
    }
}

/// When to look again.
struct Retry {
    pause: Option<Duration>,
    /// Whether a list of the network may move the resource on.
    waiting: bool,
}

impl Activation<'_> {
    async fn run(&mut self) -> Result<Rest, Failure> {
        for _ in 0..STEPS {
            if let Some(rest) = intent::paused(&self.view) {
                return Ok(rest);
            }
            // What a step before this one took long for may have been overtaken: other credentials, or the
            // network's deletion, which counts those that hold the finalizer by now.
            self.network = look_up(self.context, &self.view, &self.network_key);
            let intent = intent::of(&self.view);
            self.note_availability(&intent);
            let gate = self.gate(&intent);
            let observed = observe::observe(self, &intent);
            match plan(&intent, &observed, self.now(), &self.timing()) {
                Step::Rest(rest) => {
                    self.mind.patience.answered();
                    return Ok(gate.filter(|_| rest.state != State::Gone).unwrap_or(rest));
                }
                Step::Act(action) => {
                    let gate = gate.filter(|_| concerns_network(&action));
                    if let Some(rest) = gate.or_else(|| self.closed_to(&action)) {
                        return Ok(rest);
                    }
                    if concerns_creates(&action) && self.url_locks.is_empty() {
                        // What was observed may have changed while this waited: plan again.
                        self.url_locks = self.context.urls.lock_all(self.urls()).await;
                        continue;
                    }
                    debug!(?action, "performing");
                    let asks = concerns_network(&action);
                    self.perform(action, &intent).await?;
                    if asks {
                        self.mind.patience.answered();
                    }
                }
            }
        }
        Err(Failure::Restless)
    }

    /// Takes in whether the network can be asked. Only a resource that is to be retained goes on without it.
    fn note_availability(&mut self, intent: &Intent) {
        let now = Instant::now();
        match (&self.network, intent) {
            (_, Intent::Keep(_) | Intent::Remove(Removal::Delete)) => {
                self.mind.patience = Patience::default();
            }
            // The watch has not shown it yet.
            (Err(unavailable), _) if unavailable.reason != Reason::AwaitingList => {
                self.mind.patience.unavailable(now);
            }
            _ => self.mind.patience.available(now),
        }
    }

    /// How long finding out about a create takes when all is well.
    fn settling(&self) -> Duration {
        let Timing { settle, call } = self.timing();
        settle + 2 * call
    }

    /// Why nothing may be asked of the network, if so.
    fn gate(&self, intent: &Intent) -> Option<Rest> {
        let access = match &self.network {
            Ok((_, access)) => access,
            Err(unavailable) => {
                let (reason, mut message) = (unavailable.reason, unavailable.message.clone());
                message += match intent {
                    Intent::Keep(_) => "",
                    Intent::Remove(Removal::Delete) => {
                        "; to let go of the resource and leave its endpoint, set spec.deletionPolicy to Retain"
                    }
                    Intent::Remove(Removal::Retain) => {
                        "; a create that was not answered can't be looked into, so the resource is let go soon \
                         all the same"
                    }
                };
                return Some(match reason {
                    Reason::NetworkNotFound => Rest::stalled(reason, message),
                    _ => Rest::reconciling(reason, message, None),
                });
            }
        };
        // A resource that is being deleted may take its endpoint along, whoever is allowed by now.
        let Intent::Keep(desired) = intent else { return None };
        let labels = self.context.namespace_labels(&self.key.namespace);
        let allowed = access.check_namespace(&self.key.namespace, labels.as_ref());
        let refusal = allowed.and_then(|()| access.check_url(desired.endpoint.url.as_str())).err()?;
        let message = refusal.to_string();
        Some(match refusal {
            Refusal::UnknownNamespace { .. } => Rest::reconciling(Reason::AwaitingList, message, None),
            Refusal::Namespace { .. } => Rest::stalled(Reason::NamespaceNotAllowed, message),
            Refusal::Unreadable { .. } | Refusal::Http | Refusal::Host { .. } => {
                Rest::stalled(Reason::UrlNotAllowed, message)
            }
        })
    }

    /// Why a network that is being deleted makes nothing new, if so.
    fn closed_to(&self, action: &Action) -> Option<Rest> {
        let (_, access) = self.network.as_ref().ok()?;
        let makes_new = matches!(action, Action::RecordAttempt(_) | Action::Create);
        (makes_new && access.openness == Openness::Closing).then(|| {
            let message = format!("{} is being deleted: it takes no new endpoints", self.network_key);
            Rest::reconciling(Reason::NetworkNotReady, message, None)
        })
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

    /// After a start, and while a network's client is replaced, there is nothing to tell that a resource
    /// does not say better already: a fleet that is as declared stays unwritten.
    fn has_better_to_say(&self, rest: &Rest) -> bool {
        let reported = self.view.status.as_ref().and_then(|status| status.observed_generation);
        rest.reason == Reason::AwaitingList && reported == self.view.metadata.generation
    }

    /// Reports how the activation ended, and says when to look again.
    async fn settle(&mut self, outcome: Result<Rest, Failure>) -> Retry {
        let (rest, mut retry) = match outcome {
            Ok(rest) => {
                let pause = rest.wake.map(|wake| {
                    let left = wake.duration_since(self.now());
                    Duration::try_from(left).unwrap_or_default() + Duration::from_millis(50)
                });
                let probing = rest.reason == Reason::SecretNotOurs;
                let pause = if probing { Some(self.next_pause()) } else { pause };
                // What a list shows does not move a foreign Secret away.
                let waiting = !probing && matches!(rest.state, State::Reconciling | State::Stalled);
                if !probing && !waiting {
                    self.mind.backoff.reset();
                }
                (rest, Retry { pause, waiting })
            }
            // A view was outdated: the watch brings the newer one.
            Err(Failure::Outdated) => {
                return Retry { pause: Some(self.next_pause()), waiting: false };
            }
            // The budget is short: nothing went wrong, and there is nothing to tell.
            Err(Failure::Provider(error)) if error.is_held_back() => {
                let pause = jittered(error.retry_after().unwrap_or(Duration::from_secs(1)));
                return Retry { pause: Some(pause), waiting: false };
            }
            Err(failure) => {
                warn!(reason = failure.reason().as_str(), "{failure}");
                let mut asked = failure.retry_after().unwrap_or_default();
                if self.mind.memory.in_hand().is_some() {
                    asked = asked.min(LONGEST_IN_HAND);
                }
                let pause = self.next_pause().max(asked);
                (failure.rest(), Retry { pause: Some(pause), waiting: failure.may_pass_with_network() })
            }
        };
        if rest.state == State::Gone {
            self.mind.patience = Patience::default();
            self.context.forget(self.key, &self.view.uid().unwrap_or_default());
            return retry;
        }
        if self.has_better_to_say(&rest) {
            return retry;
        }
        if let Err(failure) = self.report(&rest).await {
            warn!("can't report on the resource: {failure}");
            retry.pause = Some(self.next_pause());
        }
        retry
    }

    fn next_pause(&mut self) -> Duration {
        next_pause(self.context, self.mind)
    }
}

fn concerns_network(action: &Action) -> bool {
    match action {
        Action::ProveSecretWritable
        | Action::RecordAttempt(_)
        | Action::Create
        | Action::Patch { .. }
        | Action::Confirm { .. }
        | Action::Delete { .. }
        | Action::List => true,
        Action::StoreSecret
        | Action::CopySecret { .. }
        | Action::DressSecret
        | Action::DeleteSecret { .. }
        | Action::RecordAnswered(_)
        | Action::ReleaseSecret { .. }
        | Action::SetFinalizer
        | Action::RemoveFinalizer(_) => false,
    }
}

/// Creates, and what finds out about them, go one at a time for a URL: otherwise the endpoint of one
/// resource's create would look, before its answer is in, like the trace of another's.
fn concerns_creates(action: &Action) -> bool {
    use crate::planning::DeleteCause::Orphan;
    matches!(action, Action::RecordAttempt(_) | Action::Create | Action::Delete { cause: Orphan { .. }, .. })
}
