//! The controllers of the two kinds of network.

mod configure;
mod credentials;
mod finalizer;
mod kind;
mod parts;
mod report;

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt as _, Stream, StreamExt as _, future};
use kube::Api;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::configure::{client, fingerprint};
use self::credentials::CredentialWatches;
use self::kind::Kind;
pub(super) use self::parts::Parts;
use super::relist::with_unseen_deletes;
use super::streams::{selected, slim, steady, watched};
use super::tasks::Life;
use crate::index::{Access, Entry, Incarnation, Kept, NetworkKey, Replaced};
use crate::network::{
    Credentials, CredentialsError, Declared, Network, Verdict, credential_secrets, read_credentials,
};
use crate::planning::{Openness, Reason, Unavailable};
use crate::reconcile::Urgency;
use crate::resources::{ClusterWebhookNetwork, Lenient, WebhookNetwork};

type ClusterWebhookNetworks = Lenient<ClusterWebhookNetwork>;
type WebhookNetworks = Lenient<WebhookNetwork>;

/// How long to wait before looking again at a network that failed, or that is still in use.
const RETRY: Duration = Duration::from_secs(5);

/// A page that takes longer, pauses and all, stands still: a pause within a list is five minutes at most.
const LONGEST_PAGE: Duration = Duration::from_mins(30);

/// Runs both controllers until they are to drain.
pub(super) async fn run(parts: Parts, mut woken: UnboundedReceiver<NetworkKey>) {
    let (cluster, woken_cluster) = tokio::sync::mpsc::unbounded_channel();
    let (namespaced, woken_namespaced) = tokio::sync::mpsc::unbounded_channel();
    parts.tasks.spawn("the queue of networks", Life::Term, async move {
        while let Some(key) = woken.recv().await {
            let lane = if matches!(key, NetworkKey::Cluster { .. }) { &cluster } else { &namespaced };
            // The receivers end with their controllers; after that nothing needs waking.
            let _ = lane.send(key);
        }
    });
    let credentials = CredentialWatches::new(parts.watches.clone(), parts.wake.clone(), parts.tasks.clone());
    let shared = Arc::new(Shared { parts, credentials, written: Mutex::default() });
    let client = &shared.parts.watches;
    let settings = &shared.parts.context.settings;
    let namespaced = watched(WebhookNetworks::PLURAL, client, &settings.namespaces, &selected(settings));
    let namespaced = control::<WebhookNetworks>(&shared, namespaced, woken_namespaced);
    if settings.namespaces.is_empty() {
        let cluster = steady(ClusterWebhookNetworks::PLURAL, Api::all(client.clone()), selected(settings));
        let cluster = control::<ClusterWebhookNetworks>(&shared, cluster, woken_cluster);
        future::join(cluster, namespaced).await;
    } else {
        // Nothing is known of those, and nothing is to be.
        shared.parts.context.index().all_networks_seen(ClusterWebhookNetworks::PLURAL);
        namespaced.await;
    }
}

/// What the reconciliations of networks share.
struct Shared {
    parts: Parts,
    credentials: CredentialWatches,
    /// The resource versions of our latest writes of finalizers.
    written: Mutex<HashMap<NetworkKey, Option<u64>>>,
}

fn control<K>(
    shared: &Arc<Shared>,
    watch: impl Stream<Item = Event<K>> + Send + 'static,
    woken: UnboundedReceiver<NetworkKey>,
) -> impl Future<Output = ()> + Send
where
    K: Kind,
    ObjectRef<K>: Eq + Hash,
{
    let (store, writer) = reflector::store();
    let feed = Arc::clone(shared);
    let events =
        with_unseen_deletes(store.clone(), watch.map(slim)).inspect(move |event| feed.feed(event)).map(Ok);
    let changed = events.reflect(writer).touched_objects().predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    );
    run_controller(changed, store, woken, Arc::clone(shared))
}

async fn run_controller<K: Kind>(
    changed: impl Stream<Item = watcher::Result<K>> + Send + 'static,
    store: reflector::Store<K>,
    woken: UnboundedReceiver<NetworkKey>,
    shared: Arc<Shared>,
) {
    let shutdown = shared.parts.draining.clone();
    let held = stopped_before_it_began(store.clone(), shutdown.clone());
    let controller = Controller::for_stream(changed, store)
        .reconcile_on(UnboundedReceiverStream::new(woken).filter_map(|key| future::ready(K::reference(&key))))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile::<K>, |_, never: &Infallible, _| match *never {}, shared)
        .for_each(|outcome| async move {
            if let Err(error) = outcome {
                debug!("not reconciled: {error}");
            }
        });
    future::select(std::pin::pin!(controller), std::pin::pin!(held)).await;
}

/// Ends when a controller is to stop that has seen no first list. Nothing of it is under way then, and by itself
/// it would not end: kube's controller waits for that list, and no longer asks for it.
async fn stopped_before_it_began<K: Kind>(store: reflector::Store<K>, shutdown: CancellationToken) {
    shutdown.cancelled().await;
    if store.wait_until_ready().now_or_never().is_some() {
        future::pending::<()>().await;
    }
}

async fn reconcile<K: Kind>(network: Arc<K>, shared: Arc<Shared>) -> Result<Action, Infallible> {
    let key = network.key();
    let Parts { fence, draining, .. } = &shared.parts;
    if !fence.is_open() {
        draining.run_until_cancelled(fence.opened()).await;
        // It may have changed meanwhile.
        return Ok(Action::requeue(Duration::ZERO));
    }
    if shared.is_outdated(&*network, &key) {
        // The watch brings the newer one.
        return Ok(Action::await_change());
    }
    let outcome = async {
        if network.meta().deletion_timestamp.is_some() {
            return shared.let_go(&*network, &key).await;
        }
        shared.hold(&*network, &key).await?;
        let verdict = match network.declared() {
            Ok(declared) => shared.establish(&key, declared, Openness::Open).await?,
            Err(why) => shared.leave(&key, why),
        };
        let failed = matches!(verdict, Verdict::Failed { .. });
        shared.report(&*network, &key, &verdict).await?;
        Ok(if failed { Action::requeue(crate::backoff::jittered(RETRY * 6)) } else { Action::await_change() })
    };
    Ok(outcome.await.unwrap_or_else(|error: kube::Error| {
        warn!(network = %key, "can't reconcile the network: {error}");
        Action::requeue(crate::backoff::jittered(RETRY))
    }))
}

impl Shared {
    fn feed<K: Kind>(&self, event: &Event<K>) {
        match event {
            Event::InitApply(network) => self.parts.context.index().expect_network(network.key()),
            Event::InitDone => {
                if self.parts.context.index().all_networks_seen(K::PLURAL) {
                    self.parts.wake_all();
                }
            }
            Event::Delete(network) => self.end(&network.key()),
            Event::Init | Event::Apply(_) => {}
        }
    }

    /// Ends a network that is gone.
    fn end(&self, key: &NetworkKey) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.credentials.end(key);
        let removed = self.parts.context.index().remove_network(key);
        let Some(handle) = removed else { return };
        if let Ok(network) = handle {
            network.end();
        }
        self.parts.wake_resources(key);
    }

    /// Makes the network that is declared, unless it is there, and says how it stands.
    ///
    /// A network that works goes on when Kubernetes does not hand out its credentials for a moment.
    async fn establish(
        &self,
        key: &NetworkKey,
        declared: Declared,
        openness: Openness,
    ) -> Result<Verdict, kube::Error> {
        self.credentials.watch(key, credential_secrets(&declared.auth));
        let access = declared.access(openness);
        if let Some(edition) = self.credentials.edition(key)
            && let Some(verdict) = self.keep(key, &declared, &fingerprint(&declared, edition), &access, None)
        {
            return Ok(verdict);
        }
        let reading = self.credentials.begin_read(key);
        let Credentials { auth, origin } = match read_credentials(&self.parts.context.client, &declared.auth)
            .await
        {
            Ok(read) => read,
            // That the API server fails says nothing of the credentials: it is asked again soon.
            Err(CredentialsError::Kubernetes { source, .. }) if self.works(key) || !is_denied(&source) => {
                return Err(*source);
            }
            Err(error @ CredentialsError::NoSecret { .. }) if self.works(key) => {
                return Ok(self.withdraw(key, &error));
            }
            Err(error) => {
                self.fail(key, &declared, &error);
                return Ok(no_credentials(error.to_string()));
            }
        };
        let fingerprint = fingerprint(&declared, self.credentials.end_read(key, reading, &auth));
        if let Some(verdict) = self.keep(key, &declared, &fingerprint, &access, Some(&origin)) {
            return Ok(verdict);
        }
        let exceptions = &self.parts.context.settings.address_exceptions;
        let before = self.parts.context.index().registered(key).and_then(Result::ok);
        let before = before.as_ref().map(|network| &network.client);
        // It goes on counting for the one whose place it takes.
        let meter =
            before.map_or_else(|| self.parts.metrics.of(key.label()), |before| before.meter().clone());
        let leave = (self.parts.fence.clone(), meter);
        let client = match client(&declared, auth, exceptions, leave, before) {
            Ok(client) => client,
            Err(error) => {
                self.fail(key, &declared, &error);
                let reason = "InvalidConfiguration".to_owned();
                return Ok(Verdict::Failed { reason, message: error.to_string(), stalled: true });
            }
        };
        let timeout = declared.settings.timeout.into();
        let interval = declared.settings.resync_interval.into();
        let network = Arc::new(Network::new(key.clone(), client, timeout, interval));
        let handle = Ok(Arc::clone(&network));
        let (api, claim) = (declared.api(), declared.claim(origin));
        let put = self.put(key, Entry { access, api, fingerprint, timeout, claim, handle });
        let lister = self.keep_listing(network, put.incarnation);
        self.parts.tasks.spawn("a lister", Life::UntilDone, lister);
        Ok(self.verdict(key))
    }

    fn works(&self, key: &NetworkKey) -> bool {
        matches!(self.parts.context.index().registered(key), Some(Ok(_)))
    }

    /// How the network stands that is there already, if the declaration needs no other client.
    fn keep(
        &self,
        key: &NetworkKey,
        declared: &Declared,
        fingerprint: &str,
        access: &Access,
        credentials: Option<&str>,
    ) -> Option<Verdict> {
        let id = declared.network_id();
        let origin = credentials.map(|credentials| declared.origin(credentials.to_owned()));
        let kept = self.parts.context.index().keep_network(key, fingerprint, access, id, origin);
        match kept {
            Kept::Same => {}
            Kept::NewAccess => self.parts.wake_resources(key),
            Kept::No => return None,
        }
        Some(self.verdict(key))
    }

    /// Without credentials nothing new is begun; what is being deleted goes on with the last ones.
    fn withdraw(&self, key: &NetworkKey, error: &CredentialsError) -> Verdict {
        let message = error.to_string();
        let changed = self.parts.context.index().withdraw_network(key, unavailable(key, &message));
        if changed {
            self.parts.wake_resources(key);
        }
        no_credentials(message)
    }

    /// One that can't be read begins nothing new, and goes on with what it has for what is being deleted.
    fn leave(&self, key: &NetworkKey, why: String) -> Verdict {
        let unavailable = unavailable(key, &why);
        let news = if self.works(key) {
            self.parts.context.index().withdraw_network(key, unavailable)
        } else {
            let (api, claim) = {
                let index = self.parts.context.index();
                (index.api(key), index.claim(key))
            };
            let entry = Entry {
                access: Access::default(),
                api,
                fingerprint: String::new(),
                timeout: Duration::ZERO,
                claim,
                handle: Err(unavailable),
            };
            self.put(key, entry).news
        };
        if news {
            self.parts.wake_resources(key);
        }
        Verdict::Failed { reason: Reason::Unreadable.as_str().to_owned(), message: why, stalled: true }
    }

    fn fail(&self, key: &NetworkKey, declared: &Declared, error: &dyn std::error::Error) {
        let access = declared.access(Openness::Open);
        let message = error.to_string();
        let entry = Entry {
            access,
            api: declared.api(),
            fingerprint: String::new(),
            timeout: Duration::ZERO,
            claim: declared.claim(String::new()),
            handle: Err(unavailable(key, &message)),
        };
        if self.put(key, entry).news {
            self.parts.wake_resources(key);
        }
    }

    /// Registers a network, and ends the one before.
    fn put(&self, key: &NetworkKey, entry: Entry<Arc<Network>>) -> Replaced<Arc<Network>> {
        let replaced = self.parts.context.index().put_network(key, entry);
        if let Some(before) = &replaced.handle {
            before.end();
        }
        replaced
    }

    /// The lister's task: each list wakes the resources that it says something new about.
    fn keep_listing(
        &self,
        network: Arc<Network>,
        incarnation: Incarnation,
    ) -> impl Future<Output = ()> + Send + use<> {
        let begun = self.parts.pulses.of(format!("the lister of {}", network.key), LONGEST_PAGE);
        let ended = begun.clone();
        let (context, key) = (Arc::clone(&self.parts.context), network.key.clone());
        let (listed, of_network) = (Arc::clone(&self.parts.context), network.key.clone());
        let (shared, shared_network) = (Arc::clone(&self.parts.context), network.key.clone());
        let wake = self.parts.wake.clone();
        network.keep_listing(
            move |now| context.index().begin_list(&key, incarnation, now),
            move || begun.beat(LONGEST_PAGE),
            move |endpoints| shared.index().shared(&shared_network, endpoints),
            move |token, outcome, pause| {
                ended.beat(pause + LONGEST_PAGE);
                let concerned = match outcome {
                    Ok(listing) => listed.index().end_list(&of_network, token, listing),
                    Err(failure) => listed.index().list_failed(&of_network, token, failure),
                };
                listed.wake(concerned, Urgency::Drift);
                // The receiver ends with the controllers; after that no status is written.
                let _ = wake.send(of_network.clone());
            },
        )
    }
}

/// Whether the API server has decided so, and will again.
fn is_denied(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 401 || status.code == 403)
}

/// They may come with another commit, or from a vault: then this goes on by itself.
fn no_credentials(message: String) -> Verdict {
    Verdict::Failed { reason: "CredentialsNotFound".to_owned(), message, stalled: false }
}

fn unavailable(key: &NetworkKey, message: &str) -> Unavailable {
    Unavailable { reason: Reason::NetworkNotReady, message: format!("{key} is not ready: {message}") }
}
