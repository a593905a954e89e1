//! The watches of the Secrets that networks' credentials are in.
//!
//! Each Secret is watched by itself and by its metadata only. Credentials are read when one of them
//! changed, and not each time that a network is looked at.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt as _, future};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::super::streams::steady;
use super::super::tasks::{Life, Tasks};
use crate::index::NetworkKey;
use crate::provider::Auth;

/// The watches of all networks' credentials.
pub(super) struct CredentialWatches {
    /// The client for watches.
    client: Client,
    /// Wakes a network whose credentials changed.
    wake: UnboundedSender<NetworkKey>,
    watches: Mutex<HashMap<NetworkKey, Watch>>,
    /// Counts the credentials that were told apart.
    editions: AtomicU64,
    tasks: Tasks,
}

/// The watches of one network's credentials.
struct Watch {
    /// Namespace and name of each Secret.
    secrets: BTreeSet<(String, String)>,
    /// Counts the changes.
    changes: Arc<AtomicU64>,
    /// What the latest read found, and how many changes had come before it.
    read: Option<(u64, Found)>,
    tasks: Vec<JoinHandle<()>>,
}

/// Credentials that were read.
struct Found {
    auth: Auth,
    edition: Edition,
}

/// Tells credentials apart by what they are: whatever else changes in their Secrets, they stay the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Edition(pub(super) u64);

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// How many changes had come when a read was begun.
#[derive(Clone, Copy)]
pub(super) struct Reading(u64);

impl CredentialWatches {
    pub(super) fn new(client: Client, wake: UnboundedSender<NetworkKey>, tasks: Tasks) -> Self {
        Self { client, wake, watches: Mutex::default(), editions: AtomicU64::new(0), tasks }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NetworkKey, Watch>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches these Secrets, and no others, for a network.
    pub(super) fn watch(&self, key: &NetworkKey, secrets: BTreeSet<(String, String)>) {
        let mut watches = self.lock();
        if watches.get(key).is_some_and(|watch| watch.secrets == secrets) {
            return;
        }
        let changes = Arc::new(AtomicU64::new(0));
        let tasks = secrets.iter().map(|(namespace, name)| self.follow(key, namespace, name, &changes));
        let tasks = tasks.collect();
        watches.insert(key.clone(), Watch { secrets, changes, read: None, tasks });
    }

    fn follow(
        &self,
        key: &NetworkKey,
        namespace: &str,
        name: &str,
        changes: &Arc<AtomicU64>,
    ) -> JoinHandle<()> {
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let (wake, key, changes) = (self.wake.clone(), key.clone(), Arc::clone(changes));
        self.tasks.spawn(
            "a watch of credentials",
            Life::Term,
            steady("credentials", api, config).for_each(move |event| {
                if !matches!(event, Event::Init | Event::InitApply(_)) {
                    changes.fetch_add(1, Ordering::SeqCst);
                    // The receiver ends with the controllers.
                    let _ = wake.send(key.clone());
                }
                future::ready(())
            }),
        )
    }

    /// Begins a read: a change that comes while it is under way makes it outdated.
    pub(super) fn begin_read(&self, key: &NetworkKey) -> Reading {
        Reading(self.lock().get(key).map_or(0, |watch| watch.changes.load(Ordering::SeqCst)))
    }

    /// Notes what a read found.
    pub(super) fn end_read(&self, key: &NetworkKey, Reading(begun): Reading, auth: &Auth) -> Edition {
        let mut watches = self.lock();
        let mut watch = watches.get_mut(key);
        let before = watch.as_mut().and_then(|watch| watch.read.take());
        let same = before.map(|(_, found)| found).filter(|found| found.auth.is_same(auth));
        let found = same.unwrap_or_else(|| Found {
            auth: auth.clone(),
            edition: Edition(self.editions.fetch_add(1, Ordering::SeqCst)),
        });
        let edition = found.edition;
        if let Some(watch) = watch {
            watch.read = Some((begun, found));
        }
        edition
    }

    /// The credentials that the latest read found, unless a Secret may have changed since.
    pub(super) fn edition(&self, key: &NetworkKey) -> Option<Edition> {
        let watches = self.lock();
        let watch = watches.get(key)?;
        let (begun, found) = watch.read.as_ref()?;
        (*begun == watch.changes.load(Ordering::SeqCst)).then_some(found.edition)
    }

    /// Ends the watches for a network.
    pub(super) fn end(&self, key: &NetworkKey) {
        self.lock().remove(key);
    }
}
