//! A model of the operator's process: what it sees and what it remembers.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use webhook_operator::planning::{Memory, Reach};

use super::api::{Api, Id, Lag, Shown};
use super::cluster::View;
use super::time::{Tick, instant};

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Sight {
    Present(Shown),
    /// Asked for, or deleted by this process.
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

    pub fn list(&mut self, api: &Api, now: Tick, lag: Lag) {
        self.seen.retain(|_, sight| *sight == Sight::Gone);
        let shown = api.list(now, lag).map(|(id, remote)| (id, Sight::Present(remote.shown.clone())));
        self.seen.extend(shown);
        self.listed_at = Some(now);
    }

    /// Sees one endpoint by a call of its own.
    pub fn see(&mut self, api: &Api, id: Id) {
        let sight = api.get(id).map_or(Sight::Gone, |remote| Sight::Present(remote.shown.clone()));
        self.seen.insert(id, sight);
    }

    /// What it last saw present.
    pub fn present(&self) -> impl Iterator<Item = (Id, &Shown)> {
        self.seen.iter().filter_map(|(id, sight)| match sight {
            Sight::Present(shown) => Some((*id, shown)),
            Sight::Gone => None,
        })
    }
}
