//! A model of the operator's process: what it sees, what it remembers, and what it hands to the planner.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use webhook_operator::planning::{Desired, Drift, Intent, Memory, Observed, Presence, Reach, SecretShape};

use super::api::{Api, Id, Lag, Shown, URL, endpoint_id, parse_id};
use super::cluster::{View, uid};
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
    pub fn present(&self) -> Vec<(Id, &Shown)> {
        let present = self.seen.iter().filter_map(|(id, sight)| match sight {
            Sight::Present(shown) => Some((*id, shown)),
            Sight::Gone => None,
        });
        present.collect()
    }

    fn in_hand(&self, who: usize) -> Option<Id> {
        self.memories[who].in_hand().map(|hand| parse_id(&hand.id))
    }

    fn others(&self, who: usize) -> impl Iterator<Item = usize> {
        (0..self.views.len()).filter(move |other| *other != who)
    }

    fn held_by_another(&self, who: usize, id: Id) -> bool {
        self.created.get(&id).is_some_and(|maker| *maker != who)
            || self.others(who).any(|other| self.views[other].holds(id) || self.in_hand(other) == Some(id))
    }

    /// What the planner is asked; `None` when this process knows of no such resource.
    pub fn observe(&self, who: usize) -> Option<(Intent, Observed)> {
        let view = &self.views[who];
        let resource = view.resource.as_ref()?;
        let memory = &self.memories[who];
        let attempt = resource.attempt.as_deref().cloned();
        let own: BTreeSet<Id> = resource.recorded.into_iter().chain(view.secret.endpoint()).collect();
        let unheld = self.seen.iter().filter_map(|(id, sight)| match sight {
            Sight::Present(shown) if shown.url == URL && !self.held_by_another(who, *id) => {
                Some(shown.endpoint(*id))
            }
            Sight::Present(_) | Sight::Gone => None,
        });
        let rivals = self.others(who).filter_map(|other| self.views[other].open_attempt(other));
        let rivals = rivals.filter(|rival| attempt.as_ref().is_some_and(|attempt| rival.resembles(attempt)));
        let rival_posts = rivals.map(|rival| rival.posts).sum();
        let observed = Observed {
            uid: uid(who),
            finalizer: resource.finalizer,
            progress: attempt.as_ref().map(|attempt| memory.progress(attempt)).unwrap_or_default(),
            attempt,
            resolved_attempt: resource.resolved,
            recorded: resource.recorded.map(endpoint_id),
            reached: resource.reached,
            in_hand: memory.in_hand().cloned(),
            secret: view.secret.state(),
            former_secrets: BTreeMap::new(),
            unproven: !self.proven,
            reach: self.reach,
            listed_at: self.listed_at.map(|tick| self.instant(tick)),
            remote: own.iter().filter_map(|id| Some((endpoint_id(*id), self.presence(*id)?))).collect(),
            unheld: unheld.collect(),
            rival_posts,
            contested: own
                .iter()
                .filter(|id| self.others(who).any(|other| self.views[other].holds(**id)))
                .map(|id| endpoint_id(*id))
                .collect(),
            reactivation: memory.reactivation(),
        };
        let intent = if resource.deleting {
            Intent::Remove(resource.policy)
        } else {
            Intent::Keep(Desired {
                endpoint: resource.events.request(),
                secret: SecretShape { name: format!("secret-{who}"), ..SecretShape::default() },
                drift: Drift::Correct,
                adopt: None,
            })
        };
        Some((intent, observed))
    }

    fn presence(&self, id: Id) -> Option<Presence> {
        match self.seen.get(&id) {
            Some(Sight::Present(shown)) => Some(Presence::Present(shown.endpoint(id))),
            Some(Sight::Gone) => Some(Presence::Gone),
            None => self.listed_at.map(|_| Presence::Unlisted),
        }
    }
}
