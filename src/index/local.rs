//! What this process, and no other, knows of one resource.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::inventory::Incarnation;
use super::pace::Pace;
use super::version;
use crate::backoff::Backoff;
use crate::planning::{Memory, RetainDeadline};
use crate::provider::EndpointId;

/// What this process, and no other, knows of one resource. A crash loses it, and nothing with it.
#[derive(Debug)]
pub struct LocalState {
    /// What planning goes by.
    pub memory: Memory,
    /// The secret of the endpoint in hand, until it is stored.
    pub secret: Option<SecretString>,
    /// Which incarnation of the network the endpoint in hand was made through.
    pub made_through: Option<Incarnation>,
    /// What the latest write of the Secret showed.
    pub secret_write: SecretWrite,
    /// The version of the Secret, of an endpoint that is gone, that a dry run has shown can be written over.
    pub overwrite_proven: Option<String>,
    /// How many creates in a row may have taken effect without showing their secret.
    pub lost_answers: u32,
    /// How long the network is waited for by a resource that is let go in the end.
    pub retain_deadline: RetainDeadline,
    /// Since when the secret of the current endpoint has been in no Secret.
    pub lacks_secret: Option<Instant>,
    /// Secrets that were taken out of a Secret to be written again, with those that are in hand.
    pub kept: BTreeMap<EndpointId, SecretString>,
    /// How many activations in a row ended because a view was outdated.
    pub outdated_views: u32,
    /// How often the same is done, whatever comes of it.
    pub pace: Pace,
    /// The pauses after failures.
    pub backoff: Backoff,
    /// The pause under way after a failure.
    pub pause: Option<Pause>,
}

/// What the latest write of a resource's Secret showed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum SecretWrite {
    /// Nothing that is not known of the namespace.
    #[default]
    Usual,
    /// It was refused: a dry run has to show that it can be written, whatever is known of the namespace.
    Refused,
    /// A Secret of this name turned out to be somebody else's.
    Foreign(String),
}

/// A pause after a failure.
#[derive(Clone, Debug)]
pub struct Pause {
    /// The resource version that the activation ended with, its own writes included.
    pub resource_version: Option<String>,
    /// When it ends.
    pub until: Instant,
}

impl Default for LocalState {
    fn default() -> Self {
        Self {
            memory: Memory::default(),
            secret: None,
            made_through: None,
            secret_write: SecretWrite::default(),
            overwrite_proven: None,
            lost_answers: 0,
            retain_deadline: RetainDeadline::default(),
            lacks_secret: None,
            kept: BTreeMap::new(),
            outdated_views: 0,
            pace: Pace::default(),
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_mins(5)),
            pause: None,
        }
    }
}

impl LocalState {
    /// How long a pause after a failure lasts yet, unless the resource has changed since, which is known at
    /// `resource_version`. The writes of the activation that failed are no reason to try again.
    #[must_use]
    pub fn pause_left(&self, resource_version: Option<&str>, now: Instant) -> Option<Duration> {
        let pause = self.pause.as_ref()?;
        if version(resource_version) > version(pause.resource_version.as_deref()) {
            return None;
        }
        Some(pause.until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// How long a Secret that is lost, if it is, may come back yet.
    pub(super) fn grace(&mut self, lacks_secret: bool, grace: Duration, now: Instant) -> Duration {
        if !lacks_secret {
            self.lacks_secret = None;
            return Duration::ZERO;
        }
        let since = *self.lacks_secret.get_or_insert(now);
        grace.saturating_sub(now.saturating_duration_since(since))
    }

    /// Begins an activation: what was found out about a foreign Secret is looked at again.
    pub fn begin(&mut self) {
        if let SecretWrite::Foreign(_) = self.secret_write {
            self.secret_write = SecretWrite::Refused;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_kept_until_it_ends_or_somebody_changes_the_resource() {
        let now = Instant::now();
        let until = now + Duration::from_secs(2);
        let pause = Pause { resource_version: Some("12".to_owned()), until };
        let local = LocalState { pause: Some(pause), ..LocalState::default() };

        assert_eq!(local.pause_left(Some("9"), now), Some(Duration::from_secs(2)), "an own write");
        assert_eq!(local.pause_left(Some("12"), now), Some(Duration::from_secs(2)), "the latest own write");
        assert_eq!(local.pause_left(Some("13"), now), None, "a change");
        assert_eq!(local.pause_left(Some("12"), until), None, "the end");
        assert_eq!(LocalState::default().pause_left(Some("12"), now), None, "no pause");
    }
}
