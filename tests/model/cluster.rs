//! A model of Kubernetes: two kinds of object with versions that a stale cache may still show.

use std::collections::BTreeSet;
use std::sync::Arc;

use webhook_operator::planning::{Attempt, HeldSecret, Observed, Removal, SecretState};

use super::api::{Events, Id, endpoint_id};

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum Condition {
    /// Nothing yet, or `Reconciling`.
    #[default]
    UnderWay,
    Ready,
    Drifted,
    /// With the endpoints that its message names.
    Stalled(BTreeSet<Id>),
}

/// A `WebhookEndpoint`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Resource {
    pub events: Events,
    /// Its deletion policy.
    pub policy: Removal,
    pub deleting: bool,
    pub finalizer: bool,
    pub attempt: Option<Arc<Attempt>>,
    pub recorded: Option<Id>,
    pub resolved: u64,
    pub reached: bool,
    pub condition: Condition,
}

impl Resource {
    pub fn declared(events: Events) -> Self {
        Self {
            events,
            policy: Removal::Delete,
            deleting: false,
            finalizer: false,
            attempt: None,
            recorded: None,
            resolved: 0,
            reached: false,
            condition: Condition::UnderWay,
        }
    }
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum Secret {
    #[default]
    Absent,
    Foreign,
    Held {
        endpoint: Id,
        attempt: u64,
        /// Whether its data is the endpoint's secret.
        genuine: bool,
    },
    /// Left behind by a resource that was let go; it holds the endpoint's true secret.
    Released {
        endpoint: Id,
    },
}

impl Secret {
    pub fn endpoint(&self) -> Option<Id> {
        match self {
            Self::Held { endpoint, .. } => Some(*endpoint),
            Self::Absent | Self::Foreign | Self::Released { .. } => None,
        }
    }

    /// The endpoint whose secret it holds, whosever it is.
    pub fn stored(&self) -> Option<Id> {
        match self {
            Self::Released { endpoint } => Some(*endpoint),
            other => other.endpoint(),
        }
    }

    pub fn state(&self) -> SecretState {
        match self {
            Self::Absent => SecretState::Absent,
            Self::Foreign | Self::Released { .. } => SecretState::Foreign,
            Self::Held { endpoint, attempt, .. } => SecretState::Held(HeldSecret {
                endpoint: Some(endpoint_id(*endpoint)),
                attempt: *attempt,
                ..HeldSecret::default()
            }),
        }
    }
}

/// A resource and its Secret, as they are or as a cache shows them.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct View {
    /// `None` once it is deleted.
    pub resource: Option<Arc<Resource>>,
    pub secret: Secret,
}

impl View {
    /// The attempt that is still open by this view.
    pub fn open_attempt(&self, who: usize) -> Option<Attempt> {
        let resource = self.resource.as_ref()?;
        let observed = Observed {
            uid: uid(who),
            attempt: resource.attempt.as_deref().cloned(),
            resolved_attempt: resource.resolved,
            secret: self.secret.state(),
            ..Observed::default()
        };
        observed.open_attempt().cloned()
    }

    pub fn holds(&self, id: Id) -> bool {
        self.secret.endpoint() == Some(id)
            || self.resource.as_ref().is_some_and(|resource| resource.recorded == Some(id))
    }
}

pub fn uid(who: usize) -> String {
    format!("uid-{who}")
}

/// One resource's place in the cluster, with the versions that a stale cache may show.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Place {
    pub now: View,
    /// Earlier versions of the resource, the latest first; kept while staleness is still to come.
    pub earlier: Vec<Arc<Resource>>,
    /// The version of the Secret before its latest change.
    pub earlier_secret: Option<Secret>,
}

impl Place {
    const KEPT: usize = 2;

    pub fn write(&mut self, resource: Resource) {
        if let Some(before) = self.now.resource.replace(Arc::new(resource)) {
            self.earlier.insert(0, before);
            self.earlier.truncate(Self::KEPT);
        }
    }

    pub fn write_secret(&mut self, secret: Secret) {
        self.earlier_secret = Some(std::mem::replace(&mut self.now.secret, secret));
    }

    /// The finalizer is off: the resource goes, and its Secret is collected.
    pub fn remove(&mut self) {
        self.now.resource = None;
        if matches!(self.now.secret, Secret::Held { .. }) {
            self.now.secret = Secret::Absent;
        }
        self.forget();
    }

    pub fn forget(&mut self) {
        self.earlier.clear();
        self.earlier_secret = None;
    }
}
