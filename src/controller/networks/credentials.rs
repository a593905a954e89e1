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
use super::super::tasks::Tasks;
use crate::index::NetworkKey;

/// The watches of all networks' credentials.
pub(super) struct CredentialWatches {
    /// The client for watches.
    client: Client,
    /// Wakes a network whose credentials changed.
    wake: UnboundedSender<NetworkKey>,
    watches: Mutex<HashMap<NetworkKey, Watch>>,
    tasks: Tasks,
}

/// The watches of one network's credentials.
struct Watch {
    /// Namespace and name of each Secret.
    secrets: BTreeSet<(String, String)>,
    /// Counts the changes.
    changes: Arc<AtomicU64>,
    /// What the latest read found, and how many changes had come before it.
    read: Option<(u64, String)>,
    tasks: Vec<JoinHandle<()>>,
}

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
        Self { client, wake, watches: Mutex::default(), tasks }
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
        self.tasks.spawn(steady("credentials", api, config).for_each(move |event| {
            if !matches!(event, Event::Init | Event::InitApply(_)) {
                changes.fetch_add(1, Ordering::SeqCst);
                // The receiver ends with the controllers.
                let _ = wake.send(key.clone());
            }
            future::ready(())
        }))
    }

    /// Begins a read: a change that comes while it is under way makes it outdated.
    pub(super) fn begin_read(&self, key: &NetworkKey) -> Reading {
        Reading(self.lock().get(key).map_or(0, |watch| watch.changes.load(Ordering::SeqCst)))
    }

    /// Notes which versions of the Secrets a read found.
    pub(super) fn end_read(&self, key: &NetworkKey, Reading(begun): Reading, versions: String) {
        if let Some(watch) = self.lock().get_mut(key) {
            watch.read = Some((begun, versions));
        }
    }

    /// The versions that the latest read found, unless a Secret may have changed since.
    pub(super) fn versions(&self, key: &NetworkKey) -> Option<String> {
        let watches = self.lock();
        let watch = watches.get(key)?;
        let (begun, versions) = watch.read.as_ref()?;
        (*begun == watch.changes.load(Ordering::SeqCst)).then(|| versions.clone())
    }

    /// Ends the watches for a network.
    pub(super) fn end(&self, key: &NetworkKey) {
        self.lock().remove(key);
    }
}
