//! A model of the operator's process: what it sees and what it remembers.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use webhook_operator::planning::{Memory, Reach};

use super::api::{Api, Id, Lag, Shown};
use super::cluster::View;
use super::time::{Tick, instant, tick};

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Sight {
    Present(Shown),
    /// Asked for, and not found.
    Missing(Tick),
    /// Deleted by this process.
    Gone,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Process {
    /// Counts the processes: no two of them see the same instant.
    pub incarnation: u8,
    pub views: Vec<View>,
    pub memories: Vec<Memory>,
    pub listed_at: Option<Tick>,
    pub seen: BTreeMap<Id, Sight>,
    /// What it made, and for whom.
    pub created: BTreeMap<Id, usize>,
    /// Whether a write of a Secret succeeded since the start and since the last refusal.
    pub proven: bool,
    /// Whether it still waits for the network.
    pub reach: Reach,
}

impl Process {
    pub fn start(views: Vec<View>, incarnation: u8) -> Self {
        let memories = vec![Memory::default(); views.len()];
        Self {
            incarnation,
            views,
            memories,
            listed_at: None,
            seen: BTreeMap::new(),
            created: BTreeMap::new(),
            proven: true,
            reach: Reach::Open,
        }
    }

    /// What the clock shows this process in a tick.
    pub fn instant(&self, tick: Tick) -> Timestamp {
        instant(tick) + SignedDuration::from_millis(i64::from(self.incarnation))
    }

    /// The first tick that shows this process that it is `at`, or later.
    pub fn tick_by(&self, at: Timestamp) -> Tick {
        let tick = tick(at);
        if self.instant(tick) < at { tick + 1 } else { tick }
    }

    pub fn list(&mut self, api: &Api, now: Tick, lag: Lag) {
        self.seen.retain(|_, sight| !matches!(sight, Sight::Present(_)));
        let shown = api.list(now, lag).map(|(id, remote)| (id, Sight::Present(remote.shown.clone())));
        self.seen.extend(shown);
        self.listed_at = Some(now);
    }

    /// Sees one endpoint by a call of its own.
    pub fn see(&mut self, api: &Api, id: Id, now: Tick) {
        match api.shown(id) {
            Some(remote) => drop(self.seen.insert(id, Sight::Present(remote.shown.clone()))),
            None => self.miss(id, now),
        }
    }

    /// Does not find an endpoint by its id. It is gone when that was so before, and a list did not show it since.
    pub fn miss(&mut self, id: Id, now: Tick) {
        let listed_at = self.listed_at;
        let sight = self.seen.entry(id).or_insert(Sight::Missing(now));
        match sight {
            Sight::Present(_) => *sight = Sight::Missing(now),
            Sight::Missing(since) if listed_at > Some(*since) => *sight = Sight::Gone,
            Sight::Missing(_) | Sight::Gone => {}
        }
    }

    /// What was not found by its id, and when.
    pub fn missing(&self) -> impl Iterator<Item = (Id, Tick)> {
        self.seen.iter().filter_map(|(id, sight)| match sight {
            Sight::Missing(since) => Some((*id, *since)),
            Sight::Present(_) | Sight::Gone => None,
        })
    }

    /// What it last saw present.
    pub fn present(&self) -> impl Iterator<Item = (Id, &Shown)> {
        self.seen.iter().filter_map(|(id, sight)| match sight {
            Sight::Present(shown) => Some((*id, shown)),
            Sight::Missing(_) | Sight::Gone => None,
        })
    }
}
