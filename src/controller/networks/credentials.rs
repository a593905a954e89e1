//! The watches of the Secrets that credentials are in: one by one, and by their metadata only, so that no
//! other Secret is ever seen.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt as _, future};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::super::streams::steady;
use crate::state::NetworkKey;

/// The watches of the Secrets that the networks' credentials are in.
pub(super) struct CredentialWatches {
    client: Client,
    /// Wakes the network whose credentials changed.
    wake: UnboundedSender<NetworkKey>,
    networks: Mutex<HashMap<NetworkKey, Watches>>,
}

/// The watches of one network.
struct Watches {
    secrets: BTreeSet<(String, String)>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Watches {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl CredentialWatches {
    pub(super) fn new(client: Client, wake: UnboundedSender<NetworkKey>) -> Self {
        Self { client, wake, networks: Mutex::default() }
    }

    /// Watches the Secrets, given by namespace and name, that a network's credentials are in, and none
    /// that they were in before.
    pub(super) fn watch(&self, key: &NetworkKey, secrets: BTreeSet<(String, String)>) {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.get(key).is_some_and(|watches| watches.secrets == secrets) {
            return;
        }
        let tasks = secrets.iter().map(|(namespace, name)| self.begin(key, namespace, name)).collect();
        networks.insert(key.clone(), Watches { secrets, tasks });
    }

    /// Ends the watches of a network that is gone.
    pub(super) fn end(&self, key: &NetworkKey) {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn begin(&self, key: &NetworkKey, namespace: &str, name: &str) -> JoinHandle<()> {
        let api = Api::<PartialObjectMeta<Secret>>::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let (wake, key) = (self.wake.clone(), key.clone());
        tokio::spawn(steady("credentials", watcher(api, config)).for_each(move |event| {
            if !matches!(event, Event::Init | Event::InitApply(_)) {
                // The receiver ends with the controllers.
                let _ = wake.send(key.clone());
            }
            future::ready(())
        }))
    }
}
