//! A model of Kubernetes: two kinds of object with versions that a stale cache may still show.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use webhook_operator::planning::{Attempt, Reason, Removal};

use super::api::{Events, Id, Request, Url};
use super::time::Tick;

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum Condition {
    /// Nothing yet, or `Reconciling`.
    #[default]
    UnderWay,
    Ready,
    Drifted,
    /// With the endpoints that its message names.
    Stalled(Reason, BTreeSet<Id>),
}

/// A name that a resource may declare for its Secret.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Name {
    First,
    Second,
}

impl Name {
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// As resource `who` spells it.
    pub fn text(self, who: usize) -> String {
        match self {
            Self::First => format!("first-{who}"),
            Self::Second => format!("second-{who}"),
        }
    }

    pub fn parse(text: &str) -> Self {
        if text.starts_with("first") { Self::First } else { Self::Second }
    }
}

/// What the status says of what is declared now.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Generation {
    /// Nothing.
    New,
    /// It speaks of it.
    Observed,
    /// It was reached.
    Applied,
}

/// A `WebhookEndpoint`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Resource {
    pub request: Request,
    /// The declared name of its Secret.
    pub name: Name,
    /// Its deletion policy.
    pub policy: Removal,
    pub deleting: bool,
    /// Whether everything is to stay as it is.
    pub paused: bool,
    pub finalizer: bool,
    pub attempt: Option<Arc<Attempt>>,
    pub recorded: Option<Id>,
    /// Where that one is said to deliver to, and whether it shows that with a slash more.
    pub recorded_url: Option<(Url, bool)>,
    /// The endpoint that is to take its place, where that is to deliver to, and since when its secret is stored.
    pub next: Option<(Id, Url, Tick)>,
    /// Those whose place was taken, and when.
    pub retiring: BTreeMap<Id, Tick>,
    /// How often another secret was asked for, and how often of that one was made.
    pub asked: u8,
    pub answered: u8,
    pub resolved: u64,
    pub generation: Generation,
    pub condition: Condition,
}

impl Resource {
    pub fn declared(events: Events) -> Self {
        Self {
            request: Request { events, ..Request::usual() },
            name: Name::First,
            policy: Removal::Delete,
            deleting: false,
            paused: false,
            finalizer: false,
            attempt: None,
            recorded: None,
            recorded_url: None,
            next: None,
            retiring: BTreeMap::new(),
            asked: 0,
            answered: 0,
            resolved: 0,
            generation: Generation::New,
            condition: Condition::UnderWay,
        }
    }

    /// The same with something else declared.
    pub fn redeclared(&self) -> Self {
        Self { generation: Generation::New, ..self.clone() }
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
        /// The endpoints whose true secrets it holds beside.
        previous: Vec<Id>,
    },
    /// It belongs to nobody: left behind by a resource that was let go, or its owner reference was stripped. It
    /// holds the endpoint's true secret.
    Released {
        endpoint: Id,
        attempt: u64,
        previous: Vec<Id>,
    },
}

impl Secret {
    pub fn endpoint(&self) -> Option<Id> {
        match self {
            Self::Held { endpoint, .. } => Some(*endpoint),
            Self::Absent | Self::Foreign | Self::Released { .. } => None,
        }
    }

    /// The endpoints whose true secrets it holds.
    pub fn holds(&self) -> impl Iterator<Item = Id> {
        let (latest, previous) = match self {
            Self::Held { endpoint, genuine, previous, .. } => (genuine.then_some(*endpoint), &previous[..]),
            Self::Released { endpoint, previous, .. } => (Some(*endpoint), &previous[..]),
            Self::Absent | Self::Foreign => (None, &[][..]),
        };
        latest.into_iter().chain(previous.iter().copied())
    }
}

/// The Secrets under the names that a resource may declare.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Secrets {
    first: Secret,
    second: Secret,
}

impl Secrets {
    /// One under the first name, and none under the second.
    pub fn first(first: Secret) -> Self {
        Self { first, second: Secret::Absent }
    }

    pub fn of(&self, name: Name) -> &Secret {
        match name {
            Name::First => &self.first,
            Name::Second => &self.second,
        }
    }

    pub fn of_mut(&mut self, name: Name) -> &mut Secret {
        match name {
            Name::First => &mut self.first,
            Name::Second => &mut self.second,
        }
    }

    pub fn all(&self) -> impl Iterator<Item = (Name, &Secret)> {
        Name::ALL.into_iter().map(|name| (name, self.of(name)))
    }

    /// The endpoints whose secrets the resource's own Secrets hold.
    pub fn endpoints(&self) -> impl Iterator<Item = Id> {
        self.all().filter_map(|(_, secret)| secret.endpoint())
    }

    /// The endpoint whose secret the latest of the resource's own Secrets holds.
    pub fn endpoint(&self) -> Option<Id> {
        self.endpoints().next()
    }

    pub fn released(&self) -> impl Iterator<Item = Id> {
        self.all().filter_map(|(_, secret)| match secret {
            Secret::Released { endpoint, .. } => Some(*endpoint),
            Secret::Absent | Secret::Foreign | Secret::Held { .. } => None,
        })
    }

    /// Whether a Secret holds the secret of an endpoint, whosever it is.
    pub fn store(&self, id: Id) -> bool {
        self.endpoints().any(|stored| stored == id)
            || self.all().any(|(_, secret)| secret.holds().any(|held| held == id))
    }

    /// Whether a Secret, whosever it is, shows that attempt `number` was answered.
    pub fn show(&self, number: u64) -> bool {
        self.all().any(|(_, secret)| match secret {
            Secret::Held { attempt, .. } | Secret::Released { attempt, .. } => *attempt >= number,
            Secret::Absent | Secret::Foreign => false,
        })
    }

    /// The number of the latest attempt that a Secret shows to be answered.
    fn answered(&self) -> u64 {
        let attempts = self.all().map(|(_, secret)| match secret {
            Secret::Held { attempt, .. } => *attempt,
            Secret::Absent | Secret::Foreign | Secret::Released { .. } => 0,
        });
        attempts.max().unwrap_or(0)
    }
}

/// A resource and its Secrets, as they are or as a cache shows them.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct View {
    /// `None` once it is deleted.
    pub resource: Option<Arc<Resource>>,
    pub secrets: Secrets,
}

impl View {
    /// The Secret under the declared name.
    pub fn declared_secret(&self) -> &Secret {
        let name = self.resource.as_ref().map_or(Name::First, |resource| resource.name);
        self.secrets.of(name)
    }

    /// The attempt that is still open by this view.
    pub fn open_attempt(&self, who: usize) -> Option<&Attempt> {
        let resource = self.resource.as_ref()?;
        let resolved = self.secrets.answered().max(resource.resolved);
        resource.attempt.as_deref().filter(|attempt| attempt.is_open(&uid(who), resolved))
    }

    pub fn holds(&self, id: Id) -> bool {
        let own = self.secrets.all().filter(|(_, secret)| secret.endpoint().is_some());
        self.secrets.endpoints().chain(own.flat_map(|(_, secret)| secret.holds())).any(|stored| stored == id)
            || self.resource.as_ref().is_some_and(|resource| {
                resource.recorded == Some(id)
                    || resource.next.is_some_and(|(next, ..)| next == id)
                    || resource.retiring.contains_key(&id)
            })
    }

    /// Whether the resource's own Secrets hold the true secret of an endpoint.
    pub fn has_secret_of(&self, id: Id) -> bool {
        let own = self.secrets.all().filter(|(_, secret)| secret.endpoint().is_some());
        own.into_iter().flat_map(|(_, secret)| secret.holds()).any(|held| held == id)
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
    /// The Secrets before the latest change of one.
    pub earlier_secrets: Option<Secrets>,
}

impl Place {
    const KEPT: usize = 2;

    pub fn write(&mut self, resource: Resource) {
        if let Some(before) = self.now.resource.replace(Arc::new(resource)) {
            self.earlier.insert(0, before);
            self.earlier.truncate(Self::KEPT);
        }
    }

    pub fn write_secret(&mut self, name: Name, secret: Secret) {
        self.earlier_secrets = Some(self.now.secrets.clone());
        *self.now.secrets.of_mut(name) = secret;
    }

    /// The finalizer is off: the resource goes, and its Secrets are collected, but for those that it is to retain.
    pub fn remove(&mut self) {
        let resource = self.now.resource.take();
        let retains = resource.is_some_and(|resource| resource.policy == Removal::Retain);
        for name in Name::ALL {
            let secret = self.now.secrets.of_mut(name);
            if let Secret::Held { endpoint, attempt, previous, .. } = secret.clone() {
                *secret =
                    if retains { Secret::Released { endpoint, attempt, previous } } else { Secret::Absent };
            }
        }
        self.forget();
    }

    pub fn forget(&mut self) {
        self.earlier.clear();
        self.earlier_secrets = None;
    }
}
