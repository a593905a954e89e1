//! Who is next: a line for each network, so that one whose API hangs holds up no other's resources.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::index::{NetworkKey, ResourceKey};
use crate::reconcile::Urgency;

/// Of so many in a row that overtake somebody, the next is the one that has waited longest: what is less urgent is late,
/// and not left out.
const OVERTAKING: u32 = 9;

/// The resources that wait for their turn, a line for each network: the more urgent first, and of those that are as
/// urgent the one that came first. `T` is what one may bring along; it goes ahead, since others wait for that.
#[derive(Debug)]
pub(super) struct Lines<T> {
    /// How many of each network have their turn at once.
    each: usize,
    /// Those of the networks that somebody waits for, or has a turn of.
    of_networks: HashMap<NetworkKey, Line>,
    waiting: HashMap<ResourceKey, Waiting<T>>,
    joined: u64,
}

/// Lines that the dispatcher works on and others look at. Clones are one and the same.
#[derive(Debug)]
pub(super) struct Queue<T>(Arc<Mutex<Lines<T>>>);

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Queue<T> {
    /// One in which nobody waits, and in which so many of each network have their turn at once.
    pub(super) fn new(each: u16) -> Self {
        Self(Arc::new(Mutex::new(Lines::new(each))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Lines<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of each network that has any, how many resources wait for their turn, and since when the first of them does.
    pub(super) fn lengths(&self) -> Vec<(NetworkKey, usize, Option<Instant>)> {
        let lines = self.lock();
        let mut oldest = HashMap::<&NetworkKey, Instant>::new();
        for waiting in lines.waiting.values() {
            let since = oldest.entry(&waiting.network).or_insert(waiting.since);
            *since = waiting.since.min(*since);
        }
        let networks = lines.of_networks.iter();
        networks.map(|(key, line)| (key.clone(), line.waiting.len(), oldest.get(key).copied())).collect()
    }
}

#[derive(Debug, Default)]
struct Line {
    /// How many have their turn.
    turns: usize,
    waiting: BTreeMap<Place, ResourceKey>,
    /// How many in a row have overtaken somebody.
    overtaking: u32,
}

/// A place in a line, from the front.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Place {
    /// Whether it brings nothing along.
    is_empty_handed: bool,
    urgency: Urgency,
    /// Counts up in the order in which they came.
    number: u64,
}

#[derive(Debug)]
struct Waiting<T> {
    network: NetworkKey,
    place: Place,
    brings: Option<T>,
    /// Since when it waits.
    since: Instant,
}

/// A resource whose turn it is, until it is given back.
#[derive(Debug)]
pub(super) struct Turn<T> {
    pub(super) key: ResourceKey,
    pub(super) network: NetworkKey,
    pub(super) urgency: Urgency,
    pub(super) brings: Option<T>,
}

impl<T> Lines<T> {
    pub(super) fn new(each: u16) -> Self {
        Self { each: each.into(), of_networks: HashMap::new(), waiting: HashMap::new(), joined: 0 }
    }

    /// Has a resource wait for its turn. One that waits already goes on doing so, at a better place if it has become
    /// more urgent; one that has come back in another network waits there.
    pub(super) fn join(
        &mut self,
        key: ResourceKey,
        network: NetworkKey,
        urgency: Urgency,
        brings: Option<T>,
    ) {
        self.joined += 1;
        let place = Place { is_empty_handed: brings.is_none(), urgency, number: self.joined };
        if let Some(waiting) = self.waiting.get(&key) {
            let is_elsewhere = waiting.network != network;
            if waiting.brings.is_some() || (waiting.place.urgency <= urgency && !is_elsewhere) {
                return;
            }
            let before = self.of_networks.get_mut(&waiting.network);
            before.and_then(|line| line.waiting.remove(&waiting.place));
        }
        let since = self.waiting.get(&key).map_or_else(Instant::now, |waiting| waiting.since);
        let line = self.of_networks.entry(network.clone()).or_default();
        line.waiting.insert(place, key.clone());
        self.waiting.insert(key, Waiting { network, place, brings, since });
    }

    /// The networks whose resources wait, or have their turn.
    pub(super) fn networks(&self) -> Vec<NetworkKey> {
        self.of_networks.keys().cloned().collect()
    }

    /// Calls the next one of a network, unless as many as may have their turn.
    pub(super) fn call(&mut self, network: &NetworkKey) -> Option<Turn<T>> {
        let line = self.of_networks.get_mut(network).filter(|line| line.turns < self.each)?;
        let key = line.pop()?;
        line.turns += 1;
        let Waiting { network, place, brings, .. } = self.waiting.remove(&key)?;
        Some(Turn { key, network, urgency: place.urgency, brings })
    }

    /// Takes in that a turn of a network is over.
    pub(super) fn end_turn(&mut self, network: &NetworkKey) {
        let Some(line) = self.of_networks.get_mut(network) else { return };
        line.turns = line.turns.saturating_sub(1);
        if line.turns == 0 && line.waiting.is_empty() {
            self.of_networks.remove(network);
        }
    }
}

impl Line {
    fn pop(&mut self) -> Option<ResourceKey> {
        let (&first, _) = self.waiting.first_key_value()?;
        if first.is_empty_handed && self.overtaking >= OVERTAKING {
            self.overtaking = 0;
            let longest = Urgency::ALL.iter().filter_map(|urgency| self.first_of(*urgency));
            return self.waiting.remove(&longest.min_by_key(|place| place.number)?);
        }
        let overtakes = self.waiting.last_key_value().is_some_and(|(last, _)| last.urgency > first.urgency);
        self.overtaking = if overtakes { self.overtaking + 1 } else { 0 };
        self.waiting.remove(&first)
    }

    /// The place of the first one that is as urgent and brings nothing along.
    fn first_of(&self, urgency: Urgency) -> Option<Place> {
        let place = |number| Place { is_empty_handed: true, urgency, number };
        self.waiting.range(place(0)..=place(u64::MAX)).next().map(|(place, _)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str) -> NetworkKey {
        NetworkKey::cluster(name)
    }

    fn key(name: &str) -> ResourceKey {
        ResourceKey::new("billing", name)
    }

    impl Lines<()> {
        fn come(&mut self, name: &str, urgency: Urgency) {
            self.join(key(name), network("a"), urgency, None);
        }

        /// Gives each its turn, one after the other.
        fn all(&mut self) -> Vec<String> {
            let mut called = Vec::new();
            while let Some(turn) = self.call(&network("a")) {
                called.push(turn.key.name.to_string());
                self.end_turn(&turn.network);
            }
            assert!(self.of_networks.is_empty() && self.waiting.is_empty(), "nobody is left");
            called
        }
    }

    #[test]
    fn the_more_urgent_goes_first_and_of_the_others_who_came_first() {
        let mut lines = Lines::new(1);
        for (name, urgency) in [
            ("looked-at", Urgency::Resync),
            ("failed", Urgency::Retry),
            ("drifted", Urgency::Drift),
            ("changed", Urgency::Change),
            ("changed-too", Urgency::Change),
            ("drifted-too", Urgency::Drift),
        ] {
            lines.come(name, urgency);
        }
        assert_eq!(lines.all(), ["changed", "changed-too", "drifted", "drifted-too", "failed", "looked-at"]);
    }

    #[test]
    fn one_that_waits_moves_up_once_it_is_more_urgent_and_never_down() {
        let mut lines = Lines::new(1);
        for (name, urgency) in [
            ("failed", Urgency::Retry),
            ("looked-at", Urgency::Resync),
            ("changed", Urgency::Change),
            ("looked-at", Urgency::Change),
            ("changed", Urgency::Resync),
        ] {
            lines.come(name, urgency);
        }
        assert_eq!(lines.all(), ["changed", "looked-at", "failed"]);
    }

    #[test]
    fn what_is_least_urgent_is_late_and_not_left_out() {
        let mut lines = Lines::new(1);
        lines.come("looked-at", Urgency::Resync);
        lines.come("failed", Urgency::Retry);
        for number in 0..50 {
            lines.come(&number.to_string(), Urgency::Change);
        }
        let called = lines.all();
        let at = |name| called.iter().position(|called| called == name);
        assert_eq!((at("looked-at"), at("failed")), (Some(9), Some(19)));
        assert_eq!(called.len(), 52);
    }

    #[test]
    fn a_network_whose_turns_are_taken_holds_up_no_other() {
        let mut lines = Lines::<()>::new(2);
        for name in ["first", "second", "third"] {
            lines.join(key(name), network("down"), Urgency::Change, None);
        }
        lines.join(key("other"), network("up"), Urgency::Resync, None);
        assert!(lines.call(&network("down")).is_some() && lines.call(&network("down")).is_some());
        assert!(lines.call(&network("down")).is_none(), "it waits");
        assert_eq!(lines.call(&network("up")).unwrap().key, key("other"));
        lines.end_turn(&network("down"));
        assert_eq!(lines.call(&network("down")).unwrap().key, key("third"));
    }

    #[test]
    fn one_that_has_come_back_in_another_network_waits_there() {
        let mut lines = Lines::<()>::new(1);
        for name in ["first", "second"] {
            lines.join(key(name), network("down"), Urgency::Change, None);
        }
        assert_eq!(lines.call(&network("down")).unwrap().key, key("first"));
        lines.join(key("second"), network("up"), Urgency::Change, None);
        assert_eq!(lines.call(&network("up")).unwrap().key, key("second"));
        lines.end_turn(&network("down"));
        assert!(lines.call(&network("down")).is_none());
    }

    #[test]
    fn one_that_brings_what_others_wait_for_goes_ahead() {
        let mut lines = Lines::new(1);
        lines.join(key("changed"), network("a"), Urgency::Change, None);
        lines.join(key("failed"), network("a"), Urgency::Retry, Some("a lock"));
        lines.join(key("failed"), network("a"), Urgency::Retry, None);
        let turn = lines.call(&network("a")).unwrap();
        assert_eq!((turn.key, turn.urgency, turn.brings), (key("failed"), Urgency::Retry, Some("a lock")));
    }
}
