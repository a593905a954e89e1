//! What this process remembers of each resource.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use secrecy::SecretString;
use tracing::warn;

use crate::backoff::Backoff;
use crate::planning::Memory;
use crate::provider::EndpointId;
use crate::resources::WebhookEndpoint;
use crate::state::ResourceKey;

/// What this process remembers of one resource.
#[derive(Debug)]
pub(super) struct Mind {
    /// The resource that this is about: another one of the same name starts afresh.
    pub(super) uid: String,
    /// What planning goes by.
    pub(super) memory: Memory,
    /// The secret of the endpoint in hand, until it is stored.
    pub(super) secret: Option<SecretString>,
    /// The name of a Secret that turned out to be somebody else's.
    pub(super) foreign_secret: Option<String>,
    /// Whether the Secret has to be shown writable before an endpoint is created, whatever is known of
    /// the namespace: a write of it was refused.
    pub(super) doubtful: bool,
    /// The pauses after failures.
    pub(super) backoff: Backoff,
    /// The pauses between creates that showed no secret.
    creates: Backoff,
    /// Before this, no other create is sent.
    create_after: Option<Instant>,
}

/// The first and the longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(5));

impl Default for Mind {
    fn default() -> Self {
        Self {
            uid: String::new(),
            memory: Memory::default(),
            secret: None,
            foreign_secret: None,
            doubtful: false,
            backoff: Backoff::new(PAUSES.0, PAUSES.1),
            creates: Backoff::new(PAUSES.0, PAUSES.1),
            create_after: None,
        }
    }
}

impl Mind {
    /// A create may have taken effect and showed no secret. The first time may be an accident: the next
    /// create need not wait.
    pub(super) fn create_failed(&mut self) {
        let now = Instant::now();
        self.create_after = Some(self.create_after.map_or(now, |_| now + self.creates.next()));
    }

    /// A secret was shown, and is stored.
    pub(super) fn create_succeeded(&mut self) {
        self.creates.reset();
        self.create_after = None;
    }

    /// How long the next create has to wait.
    pub(super) fn create_pause(&self) -> Option<Duration> {
        self.create_after?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// Begins an activation: what was found out about a foreign Secret is looked at again.
    pub(super) fn begin(&mut self, view: &WebhookEndpoint) {
        let uid = view.uid().unwrap_or_default();
        if self.uid != uid {
            if let Some(hand) = self.memory.in_hand() {
                let id = &hand.id;
                warn!(%id, "the resource was let go by force before its secret was stored: its endpoint is unmanaged now");
            }
            *self = Self { uid, ..Self::default() };
        }
        if self.foreign_secret.take().is_some() {
            self.doubtful = true;
        }
    }
}

/// What this process remembers of all resources.
#[derive(Debug, Default)]
pub(super) struct Minds {
    minds: Mutex<HashMap<ResourceKey, Arc<tokio::sync::Mutex<Mind>>>>,
}

impl Minds {
    /// What is remembered of one resource. The controller runs one activation of it at a time, so
    /// nobody waits for the lock.
    pub(super) fn of(&self, key: &ResourceKey) -> Arc<tokio::sync::Mutex<Mind>> {
        let mut minds = self.minds.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(minds.entry(key.clone()).or_default())
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, key: &ResourceKey) {
        self.minds.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
    /// The endpoints whose secrets are in memory and nowhere else.
    pub(super) async fn in_hand(&self) -> Vec<(ResourceKey, EndpointId)> {
        let minds = self.minds.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut found = Vec::new();
        for (key, mind) in minds {
            if let Some(hand) = mind.lock().await.memory.in_hand() {
                found.push((key, hand.id.clone()));
            }
        }
        found
    }
}
