//! What becomes of the Secrets, watched all the time: whatever happens, none of them may hold another secret
//! than its endpoint's, and none may go, or be overwritten, while its endpoint lives.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use secrecy::ExposeSecret as _;
use simulator::{EndpointId, Handle};
use tokio::task::AbortHandle;
use webhook_operator::index::previous_key;
use webhook_operator::resources::{PREVIOUS_ENDPOINT_ID_ANNOTATION, SECRET_TYPE};

use crate::owner::owner;

/// Watches the Secrets of a namespace until it is dropped.
pub struct Witness {
    seen: Arc<Mutex<Seen>>,
    task: AbortHandle,
}

/// What was seen so far.
#[derive(Default)]
pub struct Seen {
    /// The Secrets by their uids.
    secrets: BTreeMap<String, Stored>,
    /// Those that a list which is not complete yet has shown.
    listed: BTreeSet<String>,
    /// Secrets that a user deletes.
    pub deleted_by_user: BTreeSet<String>,
    /// Secrets whose owner a user takes away.
    pub stripped_by_user: BTreeSet<String>,
    /// The endpoints whose Secrets have no owner although no user took it away.
    pub released: BTreeSet<EndpointId>,
    /// The endpoints whose Secrets a user has deleted, or has taken the owner of.
    pub lost_by_user: BTreeSet<EndpointId>,
    /// What must not be.
    violations: Vec<String>,
}

struct Stored {
    name: String,
    /// The endpoints whose secrets it holds, the latest first.
    endpoints: Vec<EndpointId>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Witness {
    pub fn watch(secrets: Api<Secret>, simulator: Handle) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let watched = Arc::clone(&seen);
        let config = watcher::Config::default().fields(&format!("type={SECRET_TYPE}"));
        let task = tokio::spawn(async move {
            let mut events = std::pin::pin!(watcher(secrets, config));
            while let Some(event) = events.next().await {
                // It lists anew by itself.
                let Ok(event) = event else { continue };
                watched.lock().expect("nobody panics with it").take(event, &simulator);
            }
        });
        Self { seen, task: task.abort_handle() }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics with it")
    }

    /// What was seen that must not be.
    pub fn violations(&self) -> Vec<String> {
        self.seen().violations.clone()
    }
}

impl Seen {
    fn take(&mut self, event: Event<Secret>, simulator: &Handle) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(secret) => {
                self.listed.insert(secret.uid().unwrap_or_default());
                self.stored(&secret, simulator);
            }
            Event::InitDone => {
                let listed = mem::take(&mut self.listed);
                let gone = self.secrets.keys().filter(|uid| !listed.contains(*uid)).cloned();
                for uid in gone.collect::<Vec<_>>() {
                    self.gone(&uid, simulator);
                }
            }
            Event::Apply(secret) => self.stored(&secret, simulator),
            Event::Delete(secret) => self.gone(&secret.uid().unwrap_or_default(), simulator),
        }
    }

    fn stored(&mut self, secret: &Secret, simulator: &Handle) {
        let (name, uid) = (secret.name_any(), secret.uid().unwrap_or_default());
        let value = |key: &str| {
            let value = secret.data.as_ref().and_then(|data| data.get(key));
            value.map(|value| String::from_utf8_lossy(&value.0).into_owned()).unwrap_or_default()
        };
        let latest = EndpointId::from(value("endpointId"));
        let others = secret.annotations().get(PREVIOUS_ENDPOINT_ID_ANNOTATION);
        let others = others.map(|ids| ids.split(',').map(EndpointId::from).collect::<Vec<_>>());
        let endpoints = [latest].into_iter().chain(others.into_iter().flatten()).collect::<Vec<_>>();
        for (place, endpoint) in endpoints.iter().enumerate() {
            let key = place.checked_sub(1).map_or_else(|| "secret".to_owned(), previous_key);
            let truth = simulator.secret_of(endpoint);
            if truth.is_none_or(|truth| truth.expose_secret() != value(&key)) {
                self.violations.push(format!("{key} of Secret {name:?} is not the secret of {endpoint}"));
            }
            if owner(&secret.metadata).is_some() {
                self.released.remove(endpoint);
            } else if self.stripped_by_user.contains(&uid) {
                self.lost_by_user.insert(endpoint.clone());
            } else {
                self.released.insert(endpoint.clone());
            }
        }
        let Some(before) = self.secrets.insert(uid, Stored { name: name.clone(), endpoints }) else { return };
        for before in before.endpoints {
            if simulator.endpoint(&before).is_some() && !self.is_stored(&before) {
                self.violations
                    .push(format!("Secret {name:?} holds the secret of {before} no more, which lives"));
            }
        }
    }

    fn gone(&mut self, uid: &str, simulator: &Handle) {
        let Some(Stored { name, endpoints }) = self.secrets.remove(uid) else { return };
        for endpoint in endpoints {
            if self.is_stored(&endpoint) {
                continue;
            }
            if self.deleted_by_user.contains(uid) {
                self.lost_by_user.insert(endpoint);
            } else if simulator.endpoint(&endpoint).is_some() {
                self.violations.push(format!("Secret {name:?} of {endpoint}, which lives, was deleted"));
            }
        }
    }

    /// Whether a Secret holds the secret of an endpoint.
    pub fn is_stored(&self, endpoint: &EndpointId) -> bool {
        self.secrets.values().any(|stored| stored.endpoints.contains(endpoint))
    }
}
