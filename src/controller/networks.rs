//! The controllers of the two kinds of network.

use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, future};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use url::Url;

use super::credentials::CredentialWatches;
use super::streams::{received, selected, steady};
use crate::network::{
    Access, CredentialsError, Declared, Entry, Kept, Network, NetworkResource, Unavailable, Verdict,
    credential_secrets, read_credentials, report,
};
use crate::planning::Reason;
use crate::provider::{self, AddressPolicy, ClientConfig, ErrorClass};
use crate::reconcile::Context;
use crate::resources::{ClusterWebhookNetwork, FINALIZER, WebhookNetwork};
use crate::state::NetworkKey;

/// How long to wait before looking again at a network that failed, or that is still in use.
const RETRY: Duration = Duration::from_secs(5);

/// What the controllers of networks need.
#[derive(Clone)]
pub(super) struct Parts {
    /// What the resources' activations share.
    pub(super) context: Arc<Context>,
    /// The client for watches.
    pub(super) watches: Client,
    /// Wakes a network.
    pub(super) wake: UnboundedSender<NetworkKey>,
}

/// A kind of network, as the API server serves it.
trait Kind:
    NetworkResource
    + Resource<DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    const PLURAL: &'static str;
    fn api(client: Client, key: &NetworkKey) -> Api<Self>;
    fn reference(key: &NetworkKey) -> Option<ObjectRef<Self>>;
}

impl Kind for ClusterWebhookNetwork {
    const PLURAL: &'static str = "ClusterWebhookNetworks";

    fn api(client: Client, _: &NetworkKey) -> Api<Self> {
        Api::all(client)
    }

    fn reference(key: &NetworkKey) -> Option<ObjectRef<Self>> {
        match key {
            NetworkKey::Cluster { name } => Some(ObjectRef::new(name)),
            NetworkKey::Namespaced { .. } => None,
        }
    }
}

impl Kind for WebhookNetwork {
    const PLURAL: &'static str = "WebhookNetworks";

    fn api(client: Client, key: &NetworkKey) -> Api<Self> {
        match key {
            NetworkKey::Namespaced { namespace, .. } => Api::namespaced(client, namespace),
            NetworkKey::Cluster { .. } => Api::default_namespaced(client),
        }
    }

    fn reference(key: &NetworkKey) -> Option<ObjectRef<Self>> {
        match key {
            NetworkKey::Namespaced { namespace, name } => Some(ObjectRef::new(name).within(namespace)),
            NetworkKey::Cluster { .. } => None,
        }
    }
}

/// Runs both controllers until `shutdown`.
pub(super) async fn run(parts: Parts, mut woken: UnboundedReceiver<NetworkKey>, shutdown: CancellationToken) {
    let (cluster, woken_cluster) = tokio::sync::mpsc::unbounded_channel();
    let (namespaced, woken_namespaced) = tokio::sync::mpsc::unbounded_channel();
    let route = tokio::spawn(async move {
        while let Some(key) = woken.recv().await {
            let lane = if matches!(key, NetworkKey::Cluster { .. }) { &cluster } else { &namespaced };
            // The receivers end with their controllers; after that nothing needs waking.
            let _ = lane.send(key);
        }
    });
    let credentials = CredentialWatches::new(parts.watches.clone(), parts.wake.clone());
    let shared = Arc::new(Shared { parts, credentials });
    future::join(
        control::<ClusterWebhookNetwork>(&shared, woken_cluster, shutdown.clone()),
        control::<WebhookNetwork>(&shared, woken_namespaced, shutdown.clone()),
    )
    .await;
    route.abort();
}

/// What the reconciliations of networks share.
struct Shared {
    parts: Parts,
    credentials: CredentialWatches,
}

fn control<K>(
    shared: &Arc<Shared>,
    woken: UnboundedReceiver<NetworkKey>,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + Send + use<K>
where
    K: Kind,
    ObjectRef<K>: Eq + Hash,
{
    let (store, writer) = reflector::store();
    let api = Api::<DeserializeGuard<K>>::all(shared.parts.watches.clone());
    let feed = Arc::clone(shared);
    let events = steady(K::PLURAL, watcher(api, selected(&shared.parts.context.settings)))
        .filter_map(|event| future::ready(readable::<K>(event)))
        .inspect(move |event| {
            if let Event::Delete(network) = event {
                feed.end(&network.key());
            }
        })
        .map(Ok);
    let changed = events.reflect(writer).touched_objects().predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    );
    run_controller(changed, store, woken, Arc::clone(shared), shutdown)
}

async fn run_controller<K: Kind>(
    changed: impl Stream<Item = watcher::Result<K>> + Send + 'static,
    store: reflector::Store<K>,
    woken: UnboundedReceiver<NetworkKey>,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
) {
    Controller::for_stream(changed, store)
        .reconcile_on(received(woken).filter_map(|key| future::ready(K::reference(&key))))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile::<K>, |_, never: &Infallible, _| match *never {}, shared)
        .for_each(|outcome| async move {
            if let Err(error) = outcome {
                debug!("not reconciled: {error}");
            }
        })
        .await;
}

fn readable<K: Kind>(event: Event<DeserializeGuard<K>>) -> Option<Event<K>> {
    let read = |DeserializeGuard(outcome): DeserializeGuard<K>| match outcome {
        Ok(mut network) => {
            network.meta_mut().managed_fields = None;
            Some(network)
        }
        Err(invalid) => {
            let name = invalid.metadata.name.unwrap_or_default();
            warn!(name, "ignoring one of the {} that can't be read: {}", K::PLURAL, invalid.error);
            None
        }
    };
    Some(match event {
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
        Event::InitApply(guard) => Event::InitApply(read(guard)?),
        Event::Apply(guard) => Event::Apply(read(guard)?),
        Event::Delete(guard) => Event::Delete(read(guard)?),
    })
}

async fn reconcile<K: Kind>(network: Arc<K>, shared: Arc<Shared>) -> Result<Action, Infallible> {
    let key = network.key();
    let outcome = async {
        if network.meta().deletion_timestamp.is_some() {
            return shared.let_go(&*network, &key).await;
        }
        shared.hold(&*network, &key).await?;
        let verdict = shared.establish(&key, network.declared()).await;
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
    /// Ends a network that is gone.
    fn end(&self, key: &NetworkKey) {
        self.credentials.end(key);
        if self.parts.context.networks.remove(key) {
            self.parts.context.wake_network(key);
        }
    }

    /// A network may go once no endpoint refers to it: without it, none could be deleted remotely.
    async fn let_go<K: Kind>(&self, network: &K, key: &NetworkKey) -> Result<Action, kube::Error> {
        let endpoints = self.parts.context.claims().of_network(key).count();
        if endpoints > 0 {
            self.establish(key, network.declared()).await;
            self.report(network, key, &Verdict::InUse { endpoints }).await?;
            return Ok(Action::requeue(RETRY));
        }
        let mut finalizers = network.finalizers().to_vec();
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        self.patch_finalizers(network, key, finalizers).await?;
        self.end(key);
        Ok(Action::await_change())
    }

    async fn hold<K: Kind>(&self, network: &K, key: &NetworkKey) -> Result<(), kube::Error> {
        if network.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(());
        }
        let mut finalizers = network.finalizers().to_vec();
        finalizers.push(FINALIZER.to_owned());
        self.patch_finalizers(network, key, finalizers).await
    }

    async fn patch_finalizers<K: Kind>(
        &self,
        network: &K,
        key: &NetworkKey,
        finalizers: Vec<String>,
    ) -> Result<(), kube::Error> {
        let body = json!({ "metadata": {
            "uid": network.uid(),
            "resourceVersion": network.resource_version(),
            "finalizers": finalizers,
        }});
        let api = K::api(self.parts.context.client.clone(), key);
        match api.patch_metadata(&network.name_any(), &PatchParams::default(), &Patch::Merge(body)).await {
            // Gone already, or looked at again when the watch shows what changed.
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            other => other.map(drop),
        }
    }

    /// Makes the network that is declared, unless it is there, and says how it stands.
    async fn establish(&self, key: &NetworkKey, declared: Declared) -> Verdict {
        self.credentials.watch(key, credential_secrets(&declared.auth));
        let access = Access::declared(&declared.settings, declared.namespaces.clone());
        if let Some(versions) = self.credentials.versions(key)
            && let Some(verdict) = self.keep(key, &fingerprint(&declared, &versions), &access)
        {
            return verdict;
        }
        let reading = self.credentials.begin_read(key);
        let (auth, versions) = match read_credentials(&self.parts.context.client, &declared.auth).await {
            Ok(read) => read,
            Err(error @ CredentialsError::NoSecret { .. }) => return self.withdraw(key, access, &error),
            Err(error) => return self.fail(key, access, "CredentialsNotFound", &error),
        };
        let fingerprint = fingerprint(&declared, &versions);
        self.credentials.end_read(key, reading, versions);
        if let Some(verdict) = self.keep(key, &fingerprint, &access) {
            return verdict;
        }
        let client = match self.configure(&declared, auth).and_then(|config| Ok(provider::Client::new(config)?)) {
            Ok(client) => client,
            Err(error) => return self.fail(key, access, "InvalidConfiguration", &error),
        };
        let timeout = declared.settings.timeout.into();
        let interval = declared.settings.resync_interval.into();
        let network = Arc::new(Network::new(key.clone(), client, timeout, interval));
        let lister = tokio::spawn(self.keep_listing(Arc::clone(&network)));
        let entry = Entry { access, fingerprint, network: Ok(network), tasks: vec![lister] };
        self.parts.context.networks.put(key.clone(), entry);
        self.verdict(key)
    }

    /// How the network stands that is there already, if the declaration needs no other client.
    fn keep(&self, key: &NetworkKey, fingerprint: &str, access: &Access) -> Option<Verdict> {
        match self.parts.context.networks.keep(key, fingerprint, access) {
            Kept::Same => {}
            Kept::NewAccess => self.parts.context.wake_network(key),
            Kept::No => return None,
        }
        Some(self.verdict(key))
    }

    fn configure(&self, declared: &Declared, auth: provider::Auth) -> Result<ClientConfig, InvalidNetwork> {
        let settings = &declared.settings;
        let exceptions = self.parts.context.settings.address_exceptions.clone();
        Ok(ClientConfig {
            api_url: Url::parse(&settings.api_url)?,
            auth,
            timeout: settings.timeout.into(),
            limits: provider::Limits {
                requests_per_second: settings.limits.requests_per_second.into(),
                burst: settings.limits.burst,
                in_flight: settings.limits.in_flight,
            },
            ca_bundle: settings.ca_bundle.as_ref().map(|pem| pem.clone().into_bytes()),
            allow_http: settings.allow_http,
            address_policy: if declared.confined {
                AddressPolicy::PublicOnly { exceptions }
            } else {
                AddressPolicy::Any
            },
        })
    }

    /// Without credentials nothing new is begun; what is being deleted goes on with the last ones.
    fn withdraw(&self, key: &NetworkKey, access: Access, error: &CredentialsError) -> Verdict {
        let message = error.to_string();
        let Some(is_news) = self.parts.context.networks.withdraw(key, &unavailable(key, &message)) else {
            return self.fail(key, access, "CredentialsNotFound", error);
        };
        if is_news {
            self.parts.context.wake_network(key);
        }
        Verdict::Failed { reason: "CredentialsNotFound".to_owned(), message, stalled: true }
    }

    fn fail(&self, key: &NetworkKey, access: Access, reason: &str, error: &dyn std::error::Error) -> Verdict {
        let message = error.to_string();
        let network = Err(unavailable(key, &message));
        let entry = Entry { access, fingerprint: String::new(), network, tasks: Vec::new() };
        if self.parts.context.networks.put(key.clone(), entry) {
            self.parts.context.wake_network(key);
        }
        Verdict::Failed { reason: reason.to_owned(), message, stalled: true }
    }

    /// The lister's task: each list wakes the resources that it says something new about.
    fn keep_listing(&self, network: Arc<Network>) -> impl Future<Output = ()> + Send + use<> {
        let (held, listed) = (Arc::clone(&self.parts.context), Arc::clone(&self.parts.context));
        let wake = self.parts.wake.clone();
        let key = network.key.clone();
        network.keep_listing(
            move |id| held.claims().is_held(id),
            move |seen| {
                for id in &seen.news {
                    let holders = listed.claims().holders(id).cloned().collect::<Vec<_>>();
                    holders.into_iter().for_each(|holder| listed.wake(holder));
                }
                if seen.turn {
                    listed.wake_network(&key);
                } else {
                    listed.wake_waiting(&key);
                }
                // The receiver ends with the controllers; after that no status is written.
                let _ = wake.send(key.clone());
            },
        )
    }

    fn verdict(&self, key: &NetworkKey) -> Verdict {
        let network = match self.parts.context.networks.registered(key) {
            Some(Ok(network)) => network,
            Some(Err(unavailable)) => {
                return Verdict::Failed {
                    reason: unavailable.reason.as_str().to_owned(),
                    message: unavailable.message,
                    stalled: true,
                };
            }
            None => return Verdict::Reconciling,
        };
        match network.latest() {
            None => Verdict::Reconciling,
            Some(Ok(())) => {
                let network_id = network.inventory().network_id().map(ToString::to_string);
                let counts = self.parts.context.count(&network);
                Verdict::Ready { network_id, counts, is_first: !network.was_listed_again() }
            }
            Some(Err(error)) => Verdict::Failed {
                reason: error.reason().to_owned(),
                message: error.to_string(),
                stalled: matches!(
                    error.class(),
                    ErrorClass::Unauthorized | ErrorClass::Forbidden | ErrorClass::Permanent
                ),
            },
        }
    }

    async fn report<K: Kind>(&self, network: &K, key: &NetworkKey, verdict: &Verdict) -> Result<(), kube::Error> {
        let api = K::api(self.parts.context.client.clone(), key);
        // The cache shows no status newer than this process's own last one.
        let before = self.parts.context.networks.reported(key, &network.uid().unwrap_or_default());
        let before = before.or_else(|| network.status().cloned()).unwrap_or_default();
        let after = report(&before, verdict, network.meta().generation, Timestamp::now());
        if after == before {
            return Ok(());
        }
        let body = json!({ "metadata": { "uid": network.uid() }, "status": after });
        api.patch_status(&network.name_any(), &PatchParams::default(), &Patch::Merge(body)).await?;
        self.parts.context.networks.note_reported(key, &network.uid().unwrap_or_default(), after);
        Ok(())
    }
}

fn unavailable(key: &NetworkKey, message: &str) -> Unavailable {
    Unavailable { reason: Reason::NetworkNotReady, message: format!("{key} is not ready: {message}") }
}

/// Why a declared network can't be worked with.
#[derive(Debug, thiserror::Error)]
enum InvalidNetwork {
    #[error("spec.apiUrl is not a URL: {0}")]
    ApiUrl(#[from] url::ParseError),
    #[error(transparent)]
    Config(#[from] provider::ConfigError),
}

/// A text that differs when two declarations need two clients. It holds no credential.
fn fingerprint(declared: &Declared, versions: &str) -> String {
    let Declared { settings, auth, namespaces: _, confined } = declared;
    let mut settings = settings.clone();
    settings.allowed_url_hosts.clear();
    json!([settings, auth, confined, versions]).to_string()
}
