//! A model of the remote API: it can lose a request or its answer, let a create take effect late, and
//! show a fresh endpoint late. It never makes an endpoint without a POST.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use webhook_operator::planning::Attempt;
use webhook_operator::provider::{
    Endpoint, EndpointId, EndpointStatus, EndpointUrl, EventType, EventTypes, NewEndpoint,
};

use super::time::{Tick, UNSETTLED, second};

pub type Id = u8;

/// Where an endpoint delivers to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Url {
    /// What a resource of the model declares at first.
    Usual,
    /// What it may declare instead.
    New,
    /// What none of them declares.
    Elsewhere,
}

impl Url {
    pub fn text(self) -> &'static str {
        match self {
            Self::Usual => "https://hooks.example.com/charging",
            Self::New => "https://hooks.example.com/new",
            Self::Elsewhere => "https://elsewhere.example.com",
        }
    }

    /// As the operator has it, parsed once.
    pub fn parsed(self) -> EndpointUrl {
        static PARSED: LazyLock<[EndpointUrl; 3]> =
            LazyLock::new(|| [Url::Usual, Url::New, Url::Elsewhere].map(|url| url.text().into()));
        PARSED[self as usize].clone()
    }

    /// As an API may spell it.
    fn slashed(self) -> EndpointUrl {
        format!("{}/", self.text()).into()
    }

    pub fn other(self) -> Self {
        match self {
            Self::Usual | Self::Elsewhere => Self::New,
            Self::New => Self::Usual,
        }
    }

    /// The one of which an API shows this spelling.
    pub fn spelt(url: &EndpointUrl) -> Self {
        let plain = url.as_str().trim_end_matches('/');
        Self::of(&plain.into())
    }

    pub fn of(url: &EndpointUrl) -> Self {
        let all = [Self::Usual, Self::New, Self::Elsewhere];
        all.into_iter().find(|known| known.text() == url.as_str()).expect("the model sends no other URL")
    }
}

pub fn endpoint_id(id: Id) -> EndpointId {
    EndpointId::from(format!("wh_{id:02}"))
}

pub fn parse_id(id: &EndpointId) -> Id {
    id.as_str().trim_start_matches("wh_").parse().expect("ids of the model are numbers")
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Events {
    Ocpp,
    Connectivity,
    /// What no resource of the model declares.
    Both,
}

impl Events {
    pub fn other(self) -> Self {
        match self {
            Self::Ocpp => Self::Connectivity,
            Self::Connectivity | Self::Both => Self::Ocpp,
        }
    }

    pub fn set(self) -> EventTypes {
        match self {
            Self::Ocpp => [EventType::OcppMessage].into(),
            Self::Connectivity => [EventType::AssetConnectivity].into(),
            Self::Both => [EventType::OcppMessage, EventType::AssetConnectivity].into(),
        }
    }

    pub fn of(set: &EventTypes) -> Self {
        let all = [Self::Ocpp, Self::Connectivity, Self::Both];
        all.into_iter().find(|events| events.set() == *set).expect("the model sends no other events")
    }
}

/// What a create asks for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Request {
    pub url: Url,
    pub events: Events,
    pub active: bool,
}

impl Request {
    pub fn of(attempt: &Attempt) -> Self {
        Self {
            url: Url::of(&attempt.url),
            events: Events::of(&attempt.enabled_events),
            active: attempt.status == EndpointStatus::Active,
        }
    }

    pub fn endpoint(self) -> NewEndpoint {
        NewEndpoint {
            url: self.url.parsed(),
            enabled_events: self.events.set(),
            status: if self.active { EndpointStatus::Active } else { EndpointStatus::Inactive },
        }
    }

    /// What resources declare.
    pub fn usual() -> Self {
        Self { url: Url::Usual, events: Events::Ocpp, active: true }
    }
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Maker {
    /// A POST for this resource.
    Resource(usize),
    /// Somebody else.
    Hand,
}

/// What a list or a GET shows of an endpoint.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Shown {
    pub url: Url,
    pub events: Events,
    pub active: bool,
    pub created_at: Option<Timestamp>,
    /// Whether the URL is shown with a slash more than it was sent with.
    pub slashed: bool,
}

impl Shown {
    pub fn endpoint(&self, id: Id) -> Endpoint {
        Endpoint {
            id: endpoint_id(id),
            network_id: None,
            url: if self.slashed { self.url.slashed() } else { self.url.parsed() },
            enabled_events: self.events.set(),
            status: if self.active { EndpointStatus::Active } else { EndpointStatus::Inactive },
            created_at: self.created_at,
        }
    }
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Remote {
    pub maker: Maker,
    pub shown: Shown,
    /// When it took effect.
    pub made_at: Tick,
    /// From when on every list shows it.
    pub settled_at: Tick,
    pub live: bool,
}

/// A create that was sent, and takes effect later or never.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct InFlight {
    pub by: usize,
    pub request: Request,
    pub sent_at: Tick,
}

/// What a list leaves out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Lag {
    /// Nothing.
    None,
    /// Everything that is not settled.
    Fresh,
    /// One endpoint, whatever its age: a page boundary moved.
    One(Id),
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Api {
    /// By id; what was deleted stays, so that ids are not used again.
    pub endpoints: Vec<Remote>,
    pub in_flight: Vec<InFlight>,
    /// Whether answers leave `createdAt` out.
    pub undated: bool,
    /// Whether URLs are shown with a slash more than they were sent with.
    pub slashing: bool,
    /// By how many seconds `createdAt` is ahead of the clock that `Date` shows.
    pub skew: i8,
    /// Whether it shows an empty copy, until the next tick.
    pub away: bool,
}

impl Api {
    pub fn make(&mut self, maker: Maker, shown: Shown, now: Tick, settled_at: Tick) -> Id {
        let id = Id::try_from(self.endpoints.len()).expect("a run makes few endpoints");
        self.endpoints.push(Remote { maker, shown, made_at: now, settled_at, live: true });
        id
    }

    /// A POST of resource `by`, sent at `sent_at`, takes effect now.
    pub fn post(&mut self, by: usize, request: Request, sent_at: Tick, now: Tick) -> Id {
        let Request { url, events, active } = request;
        let created_at = self.created_at(second(now));
        let shown = Shown { url, events, active, created_at, slashed: self.slashing };
        self.make(Maker::Resource(by), shown, now, sent_at + UNSETTLED)
    }

    /// A POST that takes effect later, or never.
    pub fn send(&mut self, by: usize, request: Request, sent_at: Tick) {
        self.in_flight.push(InFlight { by, request, sent_at });
        self.in_flight.sort_unstable();
    }

    /// Somebody makes an endpoint by hand; `before` the second that the tick begins with.
    pub fn by_hand(&mut self, url: Url, events: Events, now: Tick, before: SignedDuration) -> Id {
        let created_at = self.created_at(second(now) - before);
        let shown = Shown { url, events, active: true, created_at, slashed: self.slashing };
        self.make(Maker::Hand, shown, now, now)
    }

    fn created_at(&self, at: Timestamp) -> Option<Timestamp> {
        (!self.undated).then(|| at + SignedDuration::from_secs(i64::from(self.skew)))
    }

    pub fn get(&self, id: Id) -> Option<&Remote> {
        self.endpoints.get(usize::from(id)).filter(|remote| remote.live)
    }

    pub fn get_mut(&mut self, id: Id) -> Option<&mut Remote> {
        self.endpoints.get_mut(usize::from(id)).filter(|remote| remote.live)
    }

    pub fn delete(&mut self, id: Id) {
        if let Some(remote) = self.endpoints.get_mut(usize::from(id)) {
            remote.live = false;
        }
    }

    pub fn live(&self) -> impl Iterator<Item = (Id, &Remote)> {
        (0..).zip(&self.endpoints).filter(|(_, remote)| remote.live)
    }

    /// What it shows of an endpoint that is asked for by its id.
    pub fn shown(&self, id: Id) -> Option<&Remote> {
        self.get(id).filter(|_| !self.away)
    }

    pub fn list(&self, now: Tick, lag: Lag) -> impl Iterator<Item = (Id, &Remote)> {
        self.live().filter(move |(id, remote)| match lag {
            _ if self.away => false,
            Lag::None => true,
            Lag::Fresh => now >= remote.settled_at,
            Lag::One(left_out) => *id != left_out,
        })
    }

    /// What is still in flight when its time is up never takes effect.
    pub fn expire(&mut self, now: Tick) {
        self.in_flight.retain(|post| now < post.sent_at + UNSETTLED);
    }
}

/// Whether `attempt` would recognise `remote`, or stop because of it, but for its id.
pub fn concerns(attempt: &Attempt, remote: &Remote) -> bool {
    attempt.url.as_str() == remote.shown.url.text() && attempt.enabled_events == remote.shown.events.set()
}
