//! What all activations share.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt as _};
use tokio::sync::OwnedMutexGuard;
use tokio::sync::mpsc::UnboundedSender;
use tracing::warn;

use super::mind::Minds;
use super::observe::claim_of;
use super::slots::Slots;
use crate::network::{Network, Networks};
use crate::provider::EndpointUrl;
use crate::resources::WebhookEndpoint;
use crate::state::{Claims, NetworkKey, ResourceKey, SecretIndex, version};

/// The operator's own settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long after a create a list may fail to show its endpoint.
    pub settle: Duration,
    /// Non-public addresses that namespaced networks may connect to nevertheless.
    pub address_exceptions: Vec<ipnet::IpNet>,
    /// How many resources of a network are reconciled at once.
    pub concurrency: u16,
    /// A label selector: resources and networks without these labels are another deployment's.
    pub selector: Option<String>,
    /// How many times shorter than in life the pauses between tries are; for tests of the operator.
    pub hurry: NonZeroU16,
}

/// What all activations share.
pub struct Context {
    /// The Kubernetes client.
    pub client: Client,
    /// The operator's own settings.
    pub settings: Settings,
    /// The resources, as the watch shows them.
    cache: Store<WebhookEndpoint>,
    /// The networks that there are.
    pub networks: Networks,
    pub(super) recorder: Recorder,
    pub(super) minds: Minds,
    /// By the API, as the first of its networks, and the URL: an API that does not answer holds up nobody
    /// else's creates.
    pub(super) urls: Locks<(NetworkKey, EndpointUrl)>,
    pub(super) namespaces: Locks<String>,
    pub(super) slots: Slots,
    /// The resources that something happened to, until they are reconciled.
    woken: Mutex<HashSet<ResourceKey>>,
    claims: Mutex<Claims>,
    secrets: Mutex<SecretIndex>,
    labels: Mutex<HashMap<String, BTreeMap<String, String>>>,
    proven: Mutex<HashSet<String>>,
    latest: Mutex<HashMap<ResourceKey, WebhookEndpoint>>,
    /// The uids of resources that were let go, while the cache shows them.
    let_go: Mutex<HashMap<ResourceKey, String>>,
    waiting: Mutex<HashSet<ResourceKey>>,
    drifted: Mutex<HashSet<ResourceKey>>,
    seen_all: AtomicBool,
    queue: UnboundedSender<ResourceKey>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of a resource.
pub(super) fn key_of(resource: &WebhookEndpoint) -> ResourceKey {
    ResourceKey { namespace: resource.namespace().unwrap_or_default(), name: resource.name_any() }
}

impl Context {
    /// A context that looks resources up in `cache`; those that something happened to are sent to `queue`.
    #[must_use]
    pub fn new(
        client: Client,
        settings: Settings,
        cache: Store<WebhookEndpoint>,
        queue: UnboundedSender<ResourceKey>,
    ) -> Self {
        let reporter = Reporter {
            controller: "webhookoperator.dev/webhook-operator".to_owned(),
            instance: std::env::var("POD_NAME").ok(),
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            slots: Slots::new(settings.concurrency),
            woken: Mutex::default(),
            client,
            settings,
            cache,
            networks: Networks::default(),
            minds: Minds::default(),
            urls: Locks::default(),
            namespaces: Locks::default(),
            claims: Mutex::default(),
            secrets: Mutex::default(),
            labels: Mutex::default(),
            proven: Mutex::default(),
            latest: Mutex::default(),
            let_go: Mutex::default(),
            waiting: Mutex::default(),
            drifted: Mutex::default(),
            seen_all: AtomicBool::new(false),
            queue,
        }
    }

    /// Begins no more activations: those that wait for their turn are not needed any more.
    pub fn stop(&self) {
        self.slots.close();
    }

    /// The claims of all resources.
    pub fn claims(&self) -> MutexGuard<'_, Claims> {
        locked(&self.claims)
    }

    /// The metadata of all Secrets of ours.
    pub fn secrets(&self) -> MutexGuard<'_, SecretIndex> {
        locked(&self.secrets)
    }

    /// The labels of a namespace; `None` before the watch has shown it.
    pub(super) fn namespace_labels(&self, namespace: &str) -> Option<BTreeMap<String, String>> {
        locked(&self.labels).get(namespace).cloned()
    }

    /// Takes in the labels of a namespace; tells whether they are new.
    pub fn see_namespace(&self, name: &str, labels: BTreeMap<String, String>) -> bool {
        locked(&self.labels).insert(name.to_owned(), labels.clone()) != Some(labels)
    }

    /// Forgets a namespace that is gone.
    pub fn forget_namespace(&self, name: &str) {
        locked(&self.labels).remove(name);
        locked(&self.proven).remove(name);
    }

    /// Forgets all namespaces but these, which are all that there are.
    pub fn forget_namespaces_but(&self, names: &HashSet<String>) {
        locked(&self.labels).retain(|name, _| names.contains(name));
        locked(&self.proven).retain(|name| names.contains(name));
    }

    /// Wakes a resource.
    pub fn wake(&self, key: ResourceKey) {
        // Its Secret may go after it.
        if self.cached(&key).is_none() {
            return;
        }
        note(&self.woken, &key, true);
        // The receiver lives as long as the controller; after it nothing needs waking.
        let _ = self.queue.send(key);
    }

    /// Whether something woke a resource since this was asked last.
    pub(super) fn take_woken(&self, key: &ResourceKey) -> bool {
        locked(&self.woken).remove(key)
    }

    /// Wakes all resources.
    pub fn wake_all(&self) {
        let keys = self.claims().keys().cloned().collect::<Vec<_>>();
        for key in keys {
            self.wake(key);
        }
    }

    /// Wakes all resources of a namespace.
    pub fn wake_namespace(&self, namespace: &str) {
        let keys = self.claims().in_namespace(namespace).cloned().collect::<Vec<_>>();
        for key in keys {
            self.wake(key);
        }
    }

    /// Wakes all resources of a network.
    pub fn wake_network(&self, network: &NetworkKey) {
        let keys = self.claims().of_network(network).map(|(key, _)| key.clone()).collect::<Vec<_>>();
        for key in keys {
            self.wake(key);
        }
    }

    /// Wakes the resources of a network that a list may move on.
    pub fn wake_waiting(&self, network: &NetworkKey) {
        let waiting = locked(&self.waiting).clone();
        let claims = self.claims();
        let concerned = claims.of_network(network).filter(|(key, _)| waiting.contains(*key));
        concerned.for_each(|(key, _)| self.wake(key.clone()));
    }

    pub(super) fn note_waiting(&self, key: &ResourceKey, waits: bool) {
        note(&self.waiting, key, waits);
    }

    pub(super) fn note_drifted(&self, key: &ResourceKey, drifted: bool) {
        note(&self.drifted, key, drifted);
    }

    /// Takes in that the cache shows every resource.
    pub fn note_seen_all(&self) {
        self.seen_all.store(true, Ordering::Release);
        let outdated = |key: &ResourceKey, own: &WebhookEndpoint| {
            self.cached(key).is_none_or(|cached| !is_newer(own, &cached))
        };
        locked(&self.latest).retain(|key, own| !outdated(key, own));
    }

    /// How many endpoints of a network there are, as last listed; `None` before every resource was seen.
    #[must_use]
    pub fn count(&self, network: &Network) -> Option<crate::resources::EndpointCounts> {
        if !self.seen_all.load(Ordering::Acquire) {
            return None;
        }
        let networks = self.networks.of_same_api(&network.key);
        let inventory = network.inventory();
        let claims = self.claims();
        let present = inventory.all_present().count();
        let managed = inventory.all_present().filter(|endpoint| claims.is_held(&endpoint.id, &networks));
        let managed = managed.count();
        let drifted = locked(&self.drifted);
        let drifted = claims.of_network(&network.key).filter(|(key, _)| drifted.contains(*key)).count();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        Some(crate::resources::EndpointCounts {
            managed: number(managed),
            drifted: number(drifted),
            unmanaged: number(present - managed),
        })
    }

    /// Whether a Secret of ours was written, or shown writable, in a namespace.
    pub(super) fn is_proven(&self, namespace: &str) -> bool {
        locked(&self.proven).contains(namespace)
    }

    pub(super) fn note_proven(&self, namespace: &str, writable: bool) {
        if writable {
            locked(&self.proven).insert(namespace.to_owned());
        } else {
            locked(&self.proven).remove(namespace);
        }
    }

    /// A resource, as the watch shows it.
    #[must_use]
    pub fn cached(&self, key: &ResourceKey) -> Option<Arc<WebhookEndpoint>> {
        self.cache.get(&key.reference())
    }

    /// The newest that is known of a resource: what a watch shows may be older than our own writes.
    #[must_use]
    pub fn freshest(&self, key: &ResourceKey, cached: &WebhookEndpoint) -> WebhookEndpoint {
        let latest = locked(&self.latest);
        match latest.get(key) {
            Some(own) if own.uid() == cached.uid() && is_newer(own, cached) => own.clone(),
            _ => cached.clone(),
        }
    }

    /// Takes in a resource as one of our writes returned it.
    pub(super) fn wrote(&self, key: &ResourceKey, resource: &WebhookEndpoint) {
        locked(&self.latest).insert(key.clone(), resource.clone());
        self.claims().see(key, claim_of(resource, &self.secrets()));
    }

    /// Takes in a resource as the watch shows it.
    pub fn see(&self, resource: &WebhookEndpoint) {
        let key = key_of(resource);
        let claim = claim_of(&self.freshest(&key, resource), &self.secrets());
        self.claims().see(&key, claim);
    }

    /// Takes in that the cache shows a resource as it is here: a write of ours that is no newer need not
    /// be kept in mind.
    pub fn note_cached(&self, resource: &WebhookEndpoint) {
        let key = key_of(resource);
        let mut latest = locked(&self.latest);
        if latest.get(&key).is_some_and(|own| !is_newer(own, resource)) {
            latest.remove(&key);
        }
    }

    /// Says which endpoints are left whose secret is in memory and could not be stored: the next
    /// process deletes them and creates others.
    pub async fn warn_of_secrets_in_hand(&self) {
        for (key, id) in self.minds.in_hand().await {
            warn!(resource = %key, %id, "stopping before the secret of this endpoint could be stored; it will be replaced");
        }
    }

    /// Takes in that a resource is gone.
    pub fn see_deleted(&self, resource: &WebhookEndpoint) {
        self.forget(&key_of(resource), &resource.uid().unwrap_or_default());
    }

    /// Forgets a resource that is gone, or was let go; the latter is kept in mind as long as the cache shows
    /// it, for the answer to the write that let it go has no newer resource version.
    pub(super) fn forget(&self, key: &ResourceKey, uid: &str) {
        locked(&self.let_go).insert(key.clone(), uid.to_owned());
        if self.cached(key).is_none_or(|cached| cached.uid().as_deref() != Some(uid)) {
            locked(&self.let_go).remove(key);
        }
        let mut latest = locked(&self.latest);
        if latest.get(key).is_some_and(|own| own.uid().as_deref() == Some(uid)) {
            latest.remove(key);
        }
        drop(latest);
        note(&self.woken, key, false);
        note(&self.waiting, key, false);
        note(&self.drifted, key, false);
        self.claims().forget(key, uid);
        self.minds.forget(key);
    }

    /// Whether a resource was let go, though the cache still shows it.
    pub(super) fn was_let_go(&self, resource: &WebhookEndpoint) -> bool {
        let uid = locked(&self.let_go).get(&key_of(resource)).cloned();
        uid.is_some() && uid == resource.uid()
    }
}

fn note(set: &Mutex<HashSet<ResourceKey>>, key: &ResourceKey, contained: bool) {
    if contained {
        locked(set).insert(key.clone());
    } else {
        locked(set).remove(key);
    }
}

fn is_newer(own: &WebhookEndpoint, cached: &WebhookEndpoint) -> bool {
    version(own.metadata.resource_version.as_deref()) > version(cached.metadata.resource_version.as_deref())
}

/// One lock for each of some things.
#[derive(Debug)]
pub(super) struct Locks<T> {
    locks: Mutex<HashMap<T, Arc<tokio::sync::Mutex<()>>>>,
}

impl<T> Default for Locks<T> {
    fn default() -> Self {
        Self { locks: Mutex::default() }
    }
}

impl<T: Clone + Eq + Hash + Ord> Locks<T> {
    /// Waits for the lock of `thing`.
    pub(super) async fn lock(&self, thing: &T) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = locked(&self.locks);
            // Locks that nobody holds or waits for are dropped here.
            locks.retain(|other, lock| other == thing || Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(thing.clone()).or_default())
        };
        lock.lock_owned().await
    }

    /// Waits for the locks of several things, one after the other in their order, so that nobody waits
    /// in a circle.
    pub(super) async fn lock_all(&self, things: BTreeSet<T>) -> Vec<OwnedMutexGuard<()>> {
        let mut guards = Vec::with_capacity(things.len());
        for thing in things {
            guards.push(self.lock(&thing).await);
        }
        guards
    }
}
