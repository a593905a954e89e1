//! The networks that there are, for those who look one up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use super::access::Access;
use super::lister::Network;
use crate::planning::Reason;
use crate::resources::WebhookNetworkStatus;
use crate::state::NetworkKey;

/// The networks that there are.
#[derive(Debug, Default)]
pub struct Networks {
    entries: Mutex<HashMap<NetworkKey, Entry>>,
    /// The networks whose credentials are gone, and why nothing new may be begun with them.
    withdrawn: Mutex<HashMap<NetworkKey, Unavailable>>,
    reported: Mutex<HashMap<NetworkKey, (String, WebhookNetworkStatus)>>,
}

/// One declared network.
#[derive(Debug)]
pub struct Entry {
    /// Who may use it.
    pub access: Access,
    /// Tells apart two declarations that need two clients.
    pub fingerprint: String,
    /// The network, or why there is none.
    pub network: Result<Arc<Network>, Unavailable>,
    /// What runs for as long as the entry stands.
    pub tasks: Vec<JoinHandle<()>>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Why a network can't be used now.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// For machines.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

impl Networks {
    fn with<T>(&self, look: impl FnOnce(&mut HashMap<NetworkKey, Entry>) -> T) -> T {
        look(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks a network up.
    ///
    /// # Errors
    ///
    /// When there is none of this name, or it can't be used now.
    pub fn get(&self, key: &NetworkKey) -> Result<(Arc<Network>, Access), Unavailable> {
        match self.withdrawn().get(key) {
            Some(unavailable) => Err(unavailable.clone()),
            None => self.get_for_removal(key),
        }
    }

    /// Looks a network up for a resource that is being deleted, which may still use it when its
    /// credentials are gone: a namespace is deleted with everything in it, in any order.
    ///
    /// # Errors
    ///
    /// When there is none of this name, or it can't be used now.
    pub fn get_for_removal(&self, key: &NetworkKey) -> Result<(Arc<Network>, Access), Unavailable> {
        self.with(|entries| {
            let entry = entries.get(key).ok_or_else(|| Unavailable {
                reason: Reason::NetworkNotFound,
                message: format!("{key} does not exist: create it, or correct spec.networkRef"),
            })?;
            let network = entry.network.as_ref().map_err(Clone::clone)?;
            match network.failure() {
                None => Ok((Arc::clone(network), entry.access.clone())),
                Some(failure) => Err(Unavailable {
                    reason: Reason::NetworkNotReady,
                    message: format!("{key} is not ready: {failure}"),
                }),
            }
        })
    }

    fn withdrawn(&self) -> MutexGuard<'_, HashMap<NetworkKey, Unavailable>> {
        self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has nothing new begun with a network whose credentials are gone. `None` when there is no such
    /// network in use; else whether that is a change.
    pub fn withdraw(&self, key: &NetworkKey, why: &Unavailable) -> Option<bool> {
        let in_use = self.with(|entries| entries.get(key).is_some_and(|entry| entry.network.is_ok()));
        in_use.then(|| self.withdrawn().insert(key.clone(), why.clone()).as_ref() != Some(why))
    }

    /// The network as it is registered, whether or not it can be used.
    #[must_use]
    pub fn registered(&self, key: &NetworkKey) -> Option<Result<Arc<Network>, Unavailable>> {
        self.with(|entries| entries.get(key).map(|entry| entry.network.clone()))
    }

    /// Keeps the network of a declaration that needs no other client, and its new access. Tells
    /// whether there was one to keep.
    pub fn keep(&self, key: &NetworkKey, fingerprint: &str, access: &Access) -> Kept {
        let kept = self.with(|entries| match entries.get_mut(key) {
            Some(entry) if entry.fingerprint == fingerprint && entry.network.is_ok() => {
                if entry.access == *access {
                    return Kept::Same;
                }
                entry.access = access.clone();
                Kept::NewAccess
            }
            _ => Kept::No,
        });
        match kept {
            Kept::Same | Kept::NewAccess if self.withdrawn().remove(key).is_some() => Kept::NewAccess,
            _ => kept,
        }
    }

    /// Registers a network in the place of an earlier one. Tells whether that is a change.
    pub fn put(&self, key: NetworkKey, entry: Entry) -> bool {
        self.withdrawn().remove(&key);
        self.with(|entries| {
            let same = matches!(
                (entries.get(&key).map(|earlier| &earlier.network), &entry.network),
                (Some(Err(earlier)), Err(later)) if earlier == later
            );
            entries.insert(key, entry);
            !same
        })
    }

    /// The status that was last written for the network with this uid.
    #[must_use]
    pub fn reported(&self, key: &NetworkKey, uid: &str) -> Option<WebhookNetworkStatus> {
        let reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.get(key).filter(|(of, _)| of == uid).map(|(_, status)| status.clone())
    }

    /// Notes the status that was written.
    pub fn note_reported(&self, key: &NetworkKey, uid: &str, status: WebhookNetworkStatus) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        reported.insert(key.clone(), (uid.to_owned(), status));
    }

    /// Ends a network that is not declared any more. Tells whether there was one.
    pub fn remove(&self, key: &NetworkKey) -> bool {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.withdrawn().remove(key);
        self.with(|entries| entries.remove(key).is_some())
    }
}

/// Whether a registered network could be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// As it is.
    Same,
    /// With other rules for who may use it.
    NewAccess,
    /// There is none, or it needs another client.
    No,
}
