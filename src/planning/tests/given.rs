//! What is known and wanted, built up for one row of a table.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::show::short;
use crate::planning::{
    Answer, Attempt, Desired, Drift, Finalizer, HeldSecret, Holders, InHand, Intent, Observed, Overlap,
    Presence, Progress, Purpose, Reach, Remote, Removal, Repetition, Role, Rotation, SecretShape,
    SecretState, Timing, plan,
};
use crate::provider::{Endpoint, EndpointId, EndpointStatus, EventType, EventTypes, NewEndpoint};

pub(super) const URL: &str = "https://hooks.example.com/charging";
/// [`URL`] as an API might write it.
pub(super) const REWRITTEN: &str = "https://HOOKS.example.com:443/a/../charging";
pub(super) const UID: &str = "uid";
/// An attempt may be sent for 10 s, is under way for 10 s more, and settles in 20 s after that.
pub(super) const TIMING: Timing = Timing { settle: Duration::from_secs(20), call: Duration::from_secs(10) };

/// The new one gets 100 s until it takes over, and the old one is kept for 1000 s.
pub(super) const ROTATION: Rotation = Rotation {
    interval: None,
    activate_after: Duration::from_secs(100),
    retire_after: Duration::from_secs(1000),
    overlap: Overlap::Full,
};

/// `seconds` after the start of every test's clock.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::constant(1_700_000_000, 0) + SignedDuration::from_secs(seconds)
}

pub(super) fn ocpp() -> EventTypes {
    [EventType::OcppMessage].into()
}

pub(super) fn both() -> EventTypes {
    [EventType::OcppMessage, EventType::AssetConnectivity].into()
}

/// An endpoint as [`wanted`], made at `created` seconds.
pub(super) fn endpoint(id: &str, created: i64) -> Endpoint {
    Endpoint {
        id: id.into(),
        network_id: None,
        url: URL.into(),
        enabled_events: ocpp(),
        status: EndpointStatus::Active,
        created_at: Some(at(created)),
    }
}

/// An endpoint as [`wanted`], its URL rewritten by the API.
pub(super) fn rewritten(id: &str, created: i64) -> Endpoint {
    Endpoint { url: REWRITTEN.into(), ..endpoint(id, created) }
}

pub(super) fn wanted() -> NewEndpoint {
    NewEndpoint { url: URL.into(), enabled_events: ocpp(), status: EndpointStatus::Active }
}

/// Attempt `number` as [`wanted`], begun at `started` seconds, the first of its series.
pub(super) fn attempt(number: u64, started: i64) -> Attempt {
    Attempt {
        uid: UID.to_owned(),
        number,
        since: at(started),
        started_at: at(started),
        until: None,
        posts: 1,
        url: URL.into(),
        enabled_events: ocpp(),
        status: EndpointStatus::Active,
        known: BTreeSet::new(),
        purpose: Purpose::First,
        request: None,
    }
}

/// A Secret of the resource that holds the secret of `endpoint`, which attempt `number` made.
pub(super) fn holding(endpoint: &str, number: u64) -> HeldSecret {
    HeldSecret { endpoint: Some(endpoint.into()), attempt: number, ..HeldSecret::default() }
}

pub(super) fn desired() -> Desired {
    Desired {
        endpoint: wanted(),
        secret: SecretShape { name: "charging".to_owned(), ..SecretShape::default() },
        drift: Drift::Correct,
        adopt: None,
        rotation: ROTATION,
        rotate: None,
    }
}

/// What is wanted and known.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) now: Timestamp,
    pub(super) intent: Intent,
    pub(super) observed: Observed,
}

/// A new resource in a network that was listed just now, at 100 s.
pub(super) fn new() -> Given {
    let observed = Observed {
        uid: UID.to_owned(),
        generation: Some(1),
        secret_name: "charging".to_owned(),
        timing: TIMING,
        listed_at: Some(at(100)),
        ..Observed::default()
    };
    Given { now: at(100), intent: Intent::Converge(desired()), observed }
}

/// A resource as declared: endpoint `wh_1`, made long ago by attempt 1, its secret stored.
pub(super) fn ready() -> Given {
    let mut given =
        new().attempt(attempt(1, 0)).secret(holding("wh_1", 1)).recorded("wh_1").sees(endpoint("wh_1", 0));
    given.observed.recorded.resolved_attempt = 1;
    given.observed.recorded.applied_generation = Some(1);
    given
}

/// A new resource whose attempt 1, begun at 90 s, is on record, with what this process knows of it.
pub(super) fn attempted(progress: Progress) -> Given {
    new().attempt(attempt(1, 90)).progress(progress)
}

impl Given {
    pub(super) fn at(mut self, seconds: i64) -> Self {
        self.now = at(seconds);
        self
    }

    pub(super) fn removed(mut self, removal: Removal) -> Self {
        self.intent = Intent::Finalize(removal);
        self
    }

    pub(super) fn desired(mut self, change: impl FnOnce(&mut Desired)) -> Self {
        if let Intent::Converge(desired) = &mut self.intent {
            change(desired);
        }
        self
    }

    pub(super) fn reports_drift(self) -> Self {
        self.desired(|desired| desired.drift = Drift::Report)
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Observed)) -> Self {
        change(&mut self.observed);
        self
    }

    pub(super) fn attempt(self, attempt: Attempt) -> Self {
        self.with(|observed| {
            observed.attempt = Some(attempt);
            observed.finalizer = Finalizer::Set;
        })
    }

    pub(super) fn progress(self, progress: Progress) -> Self {
        self.with(|observed| observed.progress = progress)
    }

    pub(super) fn listed(self, seconds: i64) -> Self {
        self.with(|observed| observed.listed_at = Some(at(seconds)))
    }

    /// The network can't be asked, and has been waited for long enough.
    pub(super) fn shut(self) -> Self {
        self.with(|observed| observed.reach = Reach::Shut)
    }

    pub(super) fn never_listed(self) -> Self {
        self.with(|observed| {
            observed.listed_at = None;
            observed.remote.clear();
            observed.candidates.clear();
        })
    }

    pub(super) fn secret(self, held: HeldSecret) -> Self {
        self.secret_is(SecretState::Held(held))
    }

    pub(super) fn secret_is(self, state: SecretState) -> Self {
        self.with(|observed| observed.secret = state)
    }

    pub(super) fn former(self, name: &str, held: HeldSecret) -> Self {
        self.with(|observed| {
            observed.former_secrets.insert(name.to_owned(), held);
        })
    }

    pub(super) fn recorded(self, id: &str) -> Self {
        self.with(|observed| observed.recorded.endpoints = BTreeMap::from([(id.into(), Role::Current)]))
    }

    pub(super) fn in_hand(self, id: &str, attempt: u64, answer: Answer) -> Self {
        self.with(|observed| observed.in_hand = Some(InHand { attempt, id: id.into(), answer }))
    }

    /// An endpoint that the resource may hold is there.
    pub(super) fn sees(self, endpoint: Endpoint) -> Self {
        let id = endpoint.id.clone();
        self.presence(&id, endpoint.into())
    }

    pub(super) fn misses(self, id: &str, presence: Presence) -> Self {
        self.presence(&id.into(), presence)
    }

    fn presence(self, id: &EndpointId, presence: Presence) -> Self {
        self.with(|observed| {
            let holders = observed.remote.get(id).map_or(Holders::Sole, |remote| remote.holders);
            observed.remote.insert(id.clone(), Remote { presence, holders });
        })
    }

    /// An endpoint with the same URL that no resource holds is there.
    pub(super) fn finds(self, endpoint: Endpoint) -> Self {
        self.with(|observed| observed.candidates.push(endpoint))
    }

    pub(super) fn rivals(self, posts: u32) -> Self {
        self.with(|observed| observed.rival_posts = posts)
    }

    pub(super) fn contested(self, id: &str) -> Self {
        self.with(|observed| {
            let absent = Remote { presence: Presence::Unlisted, holders: Holders::Several };
            observed.remote.entry(id.into()).or_insert(absent).holders = Holders::Several;
        })
    }

    pub(super) fn reactivated(self, count: u32, seconds: i64) -> Self {
        let earlier = Repetition { count, at: at(seconds) };
        self.with(|observed| observed.activations = Some(("wh_1".into(), earlier)))
    }

    pub(super) fn labelled(self, labels: &[(&str, &str)]) -> Self {
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.desired(|desired| desired.secret.labels = labels)
    }

    pub(super) fn step(&self) -> String {
        short(&plan(&self.intent, &self.observed, self.now))
    }
}

/// One row: what is given, and the step that is expected.
pub(super) type Row = (&'static str, Given, &'static str);

/// Checks every row, and shows all that fail at once.
pub(super) fn check(table: impl IntoIterator<Item = Row>) {
    let failed = table.into_iter().filter_map(|(name, given, expected)| {
        let step = given.step();
        (step != expected).then(|| format!("{name}:\n  expected {expected}\n  planned  {step}"))
    });
    let failed = failed.collect::<Vec<_>>();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
