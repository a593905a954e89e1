//! What this process remembers of each resource.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use secrecy::SecretString;
use tracing::warn;

use super::deadline::RetainDeadline;
use crate::backoff::Backoff;
use crate::planning::Memory;
use crate::provider::EndpointId;
use crate::resources::WebhookEndpoint;
use crate::state::{ResourceKey, version};

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
    /// How many creates in a row may have taken effect without showing their secret.
    pub(super) lost_answers: u32,
    /// How long the network is waited for by a resource that is let go in the end.
    pub(super) retain_deadline: RetainDeadline,
    /// How many activations in a row ended because a view was outdated.
    pub(super) outdated: u32,
    /// The pauses after failures.
    pub(super) backoff: Backoff,
    /// The pause under way after a failure.
    pub(super) pause: Option<Pause>,
}

/// A pause after a failure.
#[derive(Debug)]
pub(super) struct Pause {
    /// The resource version that the activation ended with, its own writes included.
    pub(super) resource_version: Option<String>,
    /// When it ends.
    pub(super) until: Instant,
}

impl Default for Mind {
    fn default() -> Self {
        Self {
            uid: String::new(),
            memory: Memory::default(),
            secret: None,
            foreign_secret: None,
            doubtful: false,
            lost_answers: 0,
            retain_deadline: RetainDeadline::default(),
            outdated: 0,
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_mins(5)),
            pause: None,
        }
    }
}

impl Mind {
    /// How long a pause after a failure lasts yet, unless the resource has changed since. The watch shows
    /// the writes of the activation that failed: that is no reason to try again.
    pub(super) fn rest(&self, cached: &WebhookEndpoint, now: Instant) -> Option<Duration> {
        let pause = self.pause.as_ref()?;
        let own = version(pause.resource_version.as_deref());
        if cached.uid().unwrap_or_default() != self.uid || version(cached.resource_version().as_deref()) > own
        {
            return None;
        }
        Some(pause.until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// The resource is gone. An endpoint in hand is lost with it, which has to be said somewhere.
    pub(super) fn warn_of_loss(&self) {
        if let Some(hand) = self.memory.in_hand() {
            let id = &hand.id;
            warn!(%id, "the resource was let go by force before its secret was stored: its endpoint is unmanaged now");
        }
    }

    /// Begins an activation: what was found out about a foreign Secret is looked at again.
    pub(super) fn begin(&mut self, view: &WebhookEndpoint) {
        let uid = view.uid().unwrap_or_default();
        if self.uid != uid {
            self.warn_of_loss();
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
        let mind = self.minds.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        // One that is locked is under way, and looks for itself.
        if let Some(mind) = mind.as_ref().and_then(|mind| mind.try_lock().ok()) {
            mind.warn_of_loss();
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(resource_version: &str) -> WebhookEndpoint {
        serde_json::from_value(json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "WebhookEndpoint",
            "metadata": { "name": "e", "uid": "u", "resourceVersion": resource_version },
            "spec": { "url": "https://example.com", "enabledEvents": ["ocpp.message"] },
        }))
        .unwrap()
    }

    #[test]
    fn a_pause_is_kept_until_it_ends_or_somebody_changes_the_resource() {
        let now = Instant::now();
        let until = now + Duration::from_secs(2);
        let pause = Pause { resource_version: Some("12".to_owned()), until };
        let mind = Mind { uid: "u".to_owned(), pause: Some(pause), ..Mind::default() };

        assert_eq!(mind.rest(&seen("9"), now), Some(Duration::from_secs(2)), "an own write");
        assert_eq!(mind.rest(&seen("12"), now), Some(Duration::from_secs(2)), "the latest own write");
        assert_eq!(mind.rest(&seen("13"), now), None, "a change");
        assert_eq!(mind.rest(&seen("12"), until), None, "the end");
        assert_eq!(Mind::default().rest(&seen("12"), now), None, "no pause");
    }
}
