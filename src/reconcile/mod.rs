//! One activation of one `WebhookEndpoint`: observe, plan, perform, until there is nothing to do; report.
//!
//! An activation carries no input: whatever woke it, it takes the same path.

mod context;
mod failure;
mod intent;
mod mind;
mod observe;
mod perform;
mod remote;
mod report;
mod resource;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::runtime::controller::Action as Requeue;
use tokio::sync::OwnedMutexGuard;
use tracing::{Instrument as _, debug, info_span, warn};

pub use context::{Context, Settings};
pub use observe::claim_of;

use crate::network::{Access, Network, Unavailable};
use crate::planning::{Action, Intent, Reason, Rest, State, Step, Timing, plan};
use crate::resources::WebhookEndpoint;
use crate::state::{NetworkKey, ResourceKey};
use failure::Failure;
use mind::Mind;

/// An activation that is not done by then is dropped; what it remembers is safe at every point.
const LIMIT: Duration = Duration::from_mins(2);
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
    let span = info_span!("reconcile", namespace = key.namespace, name = key.name);
    let mind = context.minds.of(&key);
    let mut mind = mind.lock().await;
    let activation = activate(&context, &key, &mut mind, &resource).instrument(span);
    let pause = match tokio::time::timeout(LIMIT, activation).await {
        Ok(pause) => pause,
        Err(_) => Some(mind.backoff.next()),
    };
    Ok(pause.map_or_else(Requeue::await_change, Requeue::requeue))
}

/// The controller's answer to an error that can't happen.
#[must_use]
pub fn on_error(
    _: Arc<WebhookEndpoint>,
    never: &std::convert::Infallible,
    _: Arc<Context>,
) -> Requeue {
    match *never {}
}

/// What an activation works with.
struct Activation<'a> {
    context: &'a Context,
    key: &'a ResourceKey,
    mind: &'a mut Mind,
    /// The resource as its latest write, or the cache, shows it.
    view: WebhookEndpoint,
    network: Result<(Arc<Network>, Access), Unavailable>,
    url_lock: Option<OwnedMutexGuard<()>>,
}

async fn activate(
    context: &Context,
    key: &ResourceKey,
    mind: &mut Mind,
    cached: &WebhookEndpoint,
) -> Option<Duration> {
    let view = context.freshest(key, cached);
    let network_key = NetworkKey::referred(&view.spec.network_ref, &key.namespace);
    let networks = &context.networks;
    let network = match view.metadata.deletion_timestamp {
        Some(_) => networks.get_for_removal(&network_key),
        None => networks.get(&network_key),
    };
    mind.begin(&view);
    let mut activation = Activation { context, key, mind, view, network, url_lock: None };
    let outcome = activation.run().await;
    let retry = activation.settle(outcome).await;
    context.note_waiting(key, retry.waiting);
    retry.pause
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
            let intent = intent::of(&self.view);
            let gate = self.gate(&intent);
            let observed = observe::observe(self, &intent);
            match plan(&intent, &observed, self.now(), &self.timing()) {
                Step::Rest(rest) => return Ok(gate.filter(|_| rest.state != State::Gone).unwrap_or(rest)),
                Step::Act(action) => {
                    if let Some(rest) = gate.filter(|_| concerns_network(&action)) {
                        return Ok(rest);
                    }
                    if concerns_creates(&action) && self.url_lock.is_none() {
                        // What was observed may have changed while this waited: plan again.
                        self.url_lock = Some(self.context.urls.lock(&self.view.spec.url).await);
                        continue;
                    }
                    debug!(?action, "performing");
                    self.perform(action, &intent).await?;
                }
            }
        }
        Err(Failure::Restless)
    }

    /// Why nothing may be asked of the network, if so.
    fn gate(&self, intent: &Intent) -> Option<Rest> {
        let access = match &self.network {
            Ok((_, access)) => access,
            Err(unavailable) => {
                let (reason, message) = (unavailable.reason, unavailable.message.clone());
                return Some(match reason {
                    Reason::NetworkNotFound => Rest::stalled(reason, message),
                    _ => Rest::reconciling(reason, message, None),
                });
            }
        };
        // A resource that is being deleted may take its endpoint along, whoever is allowed by now.
        let Intent::Keep(desired) = intent else { return None };
        let labels = self.context.namespace_labels(&self.key.namespace);
        if let Err(refusal) = access.check_namespace(&self.key.namespace, &labels) {
            return Some(Rest::stalled(Reason::NamespaceNotAllowed, refusal.to_string()));
        }
        let refusal = access.check_url(&desired.endpoint.url).err()?;
        Some(Rest::stalled(Reason::UrlNotAllowed, refusal.to_string()))
    }

    /// The time by the API's clock.
    fn now(&self) -> Timestamp {
        self.network.as_ref().map_or_else(|_| Timestamp::now(), |(network, _)| network.client.now())
    }

    fn timing(&self) -> Timing {
        let call = self.network.as_ref().map_or(Duration::ZERO, |(network, _)| network.timeout);
        Timing { settle: self.context.settings.settle, call }
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
                let pause = if probing { Some(self.mind.backoff.next()) } else { pause };
                let waiting = matches!(rest.state, State::Reconciling | State::Stalled);
                if !probing && !waiting {
                    self.mind.backoff.reset();
                }
                (rest, Retry { pause, waiting })
            }
            // A view was outdated: the watch brings the newer one.
            Err(Failure::Outdated) => {
                return Retry { pause: Some(self.mind.backoff.next()), waiting: true };
            }
            Err(failure) => {
                warn!(reason = failure.reason().as_str(), "{failure}");
                let pause = self.mind.backoff.next().max(failure.retry_after().unwrap_or_default());
                (failure.rest(), Retry { pause: Some(pause), waiting: true })
            }
        };
        if rest.state == State::Gone {
            self.context.forget(self.key, &self.view.uid().unwrap_or_default());
            return retry;
        }
        if let Err(failure) = self.report(&rest).await {
            warn!("can't report on the resource: {failure}");
            retry.pause = Some(self.mind.backoff.next());
        }
        retry
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
        | Action::ReleaseSecret { .. }
        | Action::RemoveFinalizer => false,
    }
}

/// Creates, and what finds out about them, go one at a time for a URL: otherwise the endpoint of one
/// resource's create would look, before its answer is in, like the trace of another's.
fn concerns_creates(action: &Action) -> bool {
    use crate::planning::DeleteCause::Orphan;
    matches!(
        action,
        Action::RecordAttempt(_) | Action::Create | Action::Delete { cause: Orphan { .. }, .. }
    )
}
