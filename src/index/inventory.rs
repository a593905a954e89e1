//! The remote endpoints of one network as last seen, by list or by our own calls.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::planning::{Presence, Timing, Unread};
use crate::provider::{Endpoint, EndpointId, EndpointUrl, Listing};

/// Tells the handles of one network apart: what was asked through an earlier one says nothing of a later one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Incarnation(pub(super) u64);

/// The remote endpoints of one network as last seen.
///
/// Every observation has a place in one sequence: what a call showed after a list was begun is newer
/// than that list, so the list does not overwrite it.
#[derive(Debug, Default)]
pub struct Inventory {
    incarnation: Incarnation,
    sequence: u64,
    listed_at: Option<Timestamp>,
    /// Where in the sequence that list was begun.
    listed: u64,
    /// What that list had and could not be read.
    unread: Unread,
    entries: HashMap<EndpointId, Entry>,
    by_url: HashMap<EndpointUrl, BTreeSet<EndpointId>>,
}

#[derive(Debug)]
struct Entry {
    presence: Presence,
    seen: u64,
    missed: Missed,
}

/// What speaks for an endpoint's being gone beside the latest look.
#[derive(Clone, Copy, Debug, Default)]
enum Missed {
    /// Nothing.
    #[default]
    Once,
    /// It was neither listed nor found by its id, and then, a moment later, not listed again.
    Again,
}

/// A point in the sequence of one incarnation's observations.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    incarnation: Incarnation,
    sequence: u64,
}

/// Marks where in the sequence a list was begun.
#[derive(Clone, Copy, Debug)]
pub struct ListToken {
    incarnation: Incarnation,
    sequence: u64,
    at: Timestamp,
}

impl ListToken {
    /// Which incarnation of the network is listed.
    pub(super) fn incarnation(self) -> Incarnation {
        self.incarnation
    }

    /// The same list, begun no later than `at`: the API's clock was known less well when it was begun.
    #[must_use]
    pub fn begun_by(self, at: Timestamp) -> Self {
        Self { at: self.at.min(at), ..self }
    }
}

impl Inventory {
    /// An empty inventory of one incarnation of the network.
    pub(super) fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, ..Self::default() }
    }

    /// Of which incarnation of the network it is.
    pub(super) fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Begins a list at `now`, by the API's clock.
    pub(super) fn begin_list(&mut self, now: Timestamp) -> ListToken {
        self.sequence += 1;
        ListToken { incarnation: self.incarnation, sequence: self.sequence, at: now }
    }

    /// Takes in a complete list; names the endpoints of which it showed something new.
    ///
    /// `is_held` tells whether a resource cares for an endpoint that is not there any more.
    pub(super) fn end_list(
        &mut self,
        token: ListToken,
        listing: impl Into<Listing>,
        is_held: impl Fn(&EndpointId) -> bool,
    ) -> BTreeSet<EndpointId> {
        let Listing { endpoints, unreadable, nameless } = listing.into();
        let mut news = BTreeSet::new();
        let mut listed = BTreeSet::new();
        for endpoint in endpoints {
            listed.insert(endpoint.id.clone());
            if self.entries.get(&endpoint.id).is_some_and(|entry| entry.seen > token.sequence) {
                continue;
            }
            if self.set(Presence::Present(endpoint.clone()), &endpoint.id, token.sequence) {
                news.insert(endpoint.id);
            }
        }
        // One that was there may be an item that could not be read: then it is as it was last seen.
        let may_be_there = |id: &EndpointId, entry: &Entry| {
            let was_there = matches!(entry.presence, Presence::Present(_));
            was_there && (unreadable.contains(id) || (nameless > 0 && is_held(id)))
        };
        let missed = self
            .entries
            .iter()
            .filter(|(id, entry)| {
                entry.seen <= token.sequence && !listed.contains(*id) && !may_be_there(id, entry)
            })
            .map(|(id, _)| id.clone())
            .collect::<Vec<_>>();
        for id in missed {
            if !is_held(&id) {
                self.drop_entry(&id);
            } else if unreadable.contains(&id) {
                if self.set(Presence::Unlisted, &id, token.sequence) {
                    news.insert(id);
                }
            } else if self.miss(&id, token) {
                news.insert(id);
            }
        }
        self.unread = Unread { ids: unreadable, nameless };
        self.listed_at = Some(token.at);
        self.listed = token.sequence;
        news
    }

    /// Takes in that a list did not show an endpoint; tells whether that is something new.
    fn miss(&mut self, id: &EndpointId, token: ListToken) -> bool {
        match self.entries.get(id).map(|entry| &entry.presence) {
            Some(Presence::Gone) => false,
            Some(Presence::Missing { since }) => {
                // The API's clock may have been set back.
                let since = token.at.min(*since);
                let late = token.at >= Timing::believed_from(since);
                let presence = if late { Presence::Unlisted } else { Presence::Missing { since } };
                self.set(presence, id, token.sequence);
                if let Some(entry) = self.entries.get_mut(id).filter(|_| late) {
                    entry.missed = Missed::Again;
                }
                late
            }
            Some(Presence::Present(_) | Presence::Unlisted) | None => {
                self.set(Presence::Unlisted, id, token.sequence)
            }
        }
    }

    /// Takes in an endpoint as a call showed it.
    pub(super) fn saw(&mut self, endpoint: Endpoint) {
        self.sequence += 1;
        let id = endpoint.id.clone();
        self.set(Presence::Present(endpoint), &id, self.sequence);
    }

    /// Takes in that an endpoint was not found by its id at `now`, by the API's clock. It is gone when that was so
    /// before, and a list has not shown it either since, a moment later.
    pub(super) fn saw_missing(&mut self, id: &EndpointId, now: Timestamp) {
        self.sequence += 1;
        let presence = match self.entries.get(id) {
            Some(Entry { presence: known @ (Presence::Missing { .. } | Presence::Gone), .. }) => {
                known.clone()
            }
            Some(Entry { missed: Missed::Again, .. }) => Presence::Gone,
            Some(_) | None => Presence::Missing { since: now },
        };
        self.set(presence, id, self.sequence);
    }

    /// Takes in that a call deleted an endpoint.
    pub(super) fn saw_gone(&mut self, id: &EndpointId) {
        self.sequence += 1;
        self.set(Presence::Gone, id, self.sequence);
    }

    fn set(&mut self, presence: Presence, id: &EndpointId, seen: u64) -> bool {
        let changed = self.entries.get(id).is_none_or(|entry| entry.presence != presence);
        if changed {
            self.drop_entry(id);
            if let Presence::Present(endpoint) = &presence {
                self.by_url.entry(endpoint.url.clone()).or_default().insert(id.clone());
            }
        }
        let before = self.entries.get(id).filter(|_| !changed);
        let missed = before.map_or(Missed::Once, |entry| entry.missed);
        self.entries.insert(id.clone(), Entry { presence, seen, missed });
        changed
    }

    fn drop_entry(&mut self, id: &EndpointId) {
        if let Some(Entry { presence: Presence::Present(endpoint), .. }) = self.entries.remove(id)
            && let Some(ids) = self.by_url.get_mut(&endpoint.url)
        {
            ids.remove(id);
            if ids.is_empty() {
                self.by_url.remove(&endpoint.url);
            }
        }
    }

    /// The point that has been reached in the sequence.
    pub(super) fn point(&self) -> Point {
        Point { incarnation: self.incarnation, sequence: self.sequence }
    }

    /// Whether a complete list was begun after this point. What another incarnation lists comes after it.
    pub(super) fn is_listed_since(&self, point: Point) -> bool {
        self.listed_at.is_some() && (self.incarnation != point.incarnation || self.listed > point.sequence)
    }

    /// When the latest complete list was begun, by the API's clock.
    #[must_use]
    pub fn listed_at(&self) -> Option<Timestamp> {
        self.listed_at
    }

    /// What the latest complete list had and could not be read.
    pub(super) fn unread(&self) -> &Unread {
        &self.unread
    }

    /// An endpoint as last seen; `None` before the first list.
    #[must_use]
    pub fn presence(&self, id: &EndpointId) -> Option<Presence> {
        match self.entries.get(id) {
            Some(entry) => Some(entry.presence.clone()),
            None => self.listed_at.map(|_| Presence::Unlisted),
        }
    }

    /// The endpoints that deliver to `url`, however it is spelt.
    pub fn with_url(&self, url: &EndpointUrl) -> impl Iterator<Item = &Endpoint> {
        self.by_url.get(url).into_iter().flatten().filter_map(|id| self.present(id))
    }

    /// An endpoint, if it was there.
    #[must_use]
    pub fn present(&self, id: &EndpointId) -> Option<&Endpoint> {
        match self.entries.get(id) {
            Some(Entry { presence: Presence::Present(endpoint), .. }) => Some(endpoint),
            _ => None,
        }
    }

    /// The endpoints that were there.
    pub fn all_present(&self) -> impl Iterator<Item = &Endpoint> {
        self.entries.values().filter_map(|entry| match &entry.presence {
            Presence::Present(endpoint) => Some(endpoint),
            Presence::Unlisted | Presence::Missing { .. } | Presence::Gone => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{EndpointStatus, EventType};

    fn endpoint(id: &str) -> Endpoint {
        Endpoint {
            id: id.into(),
            network_id: None,
            url: format!("https://example.com/{id}").into(),
            enabled_events: [EventType::OcppMessage].into(),
            status: EndpointStatus::Active,
            created_at: None,
        }
    }

    fn listed(inventory: &mut Inventory, items: &[&str]) -> BTreeSet<EndpointId> {
        let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
        let items = items.iter().map(|id| endpoint(id)).collect::<Vec<_>>();
        inventory.end_list(token, items, |_| true)
    }

    #[test]
    fn before_the_first_list_nothing_is_known_to_be_missing() {
        let mut inventory = Inventory::default();
        assert_eq!(inventory.presence(&"wh_1".into()), None);
        listed(&mut inventory, &[]);
        assert_eq!(inventory.presence(&"wh_1".into()), Some(Presence::Unlisted));
    }

    #[test]
    fn a_list_names_what_is_new_and_what_is_missing_once() {
        let mut inventory = Inventory::default();
        assert_eq!(listed(&mut inventory, &["wh_1", "wh_2"]).len(), 2);
        assert_eq!(listed(&mut inventory, &["wh_1", "wh_2"]).len(), 0);
        assert_eq!(listed(&mut inventory, &["wh_1"]), ["wh_2".into()].into());
        assert_eq!(listed(&mut inventory, &["wh_1"]).len(), 0);
    }

    #[test]
    fn a_list_does_not_overwrite_what_was_seen_while_it_was_under_way() {
        let mut inventory = Inventory::default();
        listed(&mut inventory, &["wh_1"]);
        let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
        inventory.saw(endpoint("wh_2"));
        inventory.saw_gone(&"wh_1".into());
        inventory.end_list(token, vec![endpoint("wh_1")], |_| true);
        assert_eq!(inventory.presence(&"wh_1".into()), Some(Presence::Gone));
        assert!(inventory.present(&"wh_2".into()).is_some());
    }

    #[test]
    fn case_22_what_was_not_found_is_gone_when_it_is_not_found_again_a_moment_later() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let missing = |since| Presence::Missing { since: second(since) };
        let id = EndpointId::from("wh_1");
        let presence = |inventory: &Inventory| inventory.presence(&id).unwrap();
        let list = |inventory: &mut Inventory, at, shown: &[&str]| {
            let token = inventory.begin_list(second(at));
            let items = shown.iter().map(|id| endpoint(id)).collect::<Vec<_>>();
            inventory.end_list(token, items, |_| true).len()
        };
        let mut inventory = Inventory::default();
        listed(&mut inventory, &["wh_1"]);
        assert_eq!(list(&mut inventory, 99, &[]), 1);
        let under_way = inventory.begin_list(second(200));
        inventory.saw_missing(&id, second(100));
        inventory.end_list(under_way, Vec::new(), |_| true);
        assert_eq!(
            presence(&inventory),
            missing(100),
            "a list that was begun before it was asked for says nothing"
        );
        assert_eq!(list(&mut inventory, 104, &[]), 0, "nor does one that comes too soon");
        inventory.saw_missing(&id, second(104));
        assert_eq!(presence(&inventory), missing(100), "nor another question");
        assert_eq!(list(&mut inventory, 105, &[]), 1);
        assert_eq!(presence(&inventory), Presence::Unlisted);
        assert_eq!(list(&mut inventory, 106, &[]), 0);
        inventory.saw_missing(&id, second(106));
        assert_eq!(presence(&inventory), Presence::Gone);
        assert_eq!(list(&mut inventory, 107, &["wh_1"]), 1);
        assert_eq!(presence(&inventory), Presence::Present(endpoint("wh_1")), "it is there after all");

        inventory.saw_missing(&id, second(108));
        assert_eq!(presence(&inventory), missing(108), "and all begins anew");
        assert_eq!(list(&mut inventory, 50, &[]), 0);
        assert_eq!(presence(&inventory), missing(50), "the API's clock was set back");
        assert_eq!(list(&mut inventory, 55, &[]), 1);
        inventory.saw(endpoint("wh_1"));
        inventory.saw_missing(&id, second(56));
        assert_eq!(presence(&inventory), missing(56), "it was seen in between");
    }

    #[test]
    fn what_a_list_could_not_read_is_as_it_was_last_seen() {
        let present = |inventory: &Inventory, id: &str| inventory.present(&id.into()).is_some();
        let list = |inventory: &mut Inventory, unreadable: &[&str], nameless, held| {
            let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
            let unreadable = unreadable.iter().map(|id| (*id).into()).collect();
            let listing = Listing { unreadable, nameless, ..Listing::default() };
            inventory.end_list(token, listing, |id| id.as_str() == held)
        };
        let mut inventory = Inventory::default();
        listed(&mut inventory, &["wh_1", "wh_2", "wh_3"]);

        assert!(list(&mut inventory, &["wh_2"], 1, "wh_1").is_empty());
        assert!(present(&inventory, "wh_1"), "it may be the item without an id");
        assert!(present(&inventory, "wh_2"), "it is there");
        assert!(!present(&inventory, "wh_3"), "nobody holds it");

        inventory.saw_gone(&"wh_1".into());
        assert!(list(&mut inventory, &[], 1, "wh_1").is_empty());
        assert_eq!(inventory.presence(&"wh_1".into()), Some(Presence::Gone));
        assert_eq!(list(&mut inventory, &["wh_1"], 0, "wh_1"), ["wh_1".into()].into());
        assert_eq!(inventory.presence(&"wh_1".into()), Some(Presence::Unlisted), "it is asked for again");
    }

    #[test]
    fn a_list_counts_from_the_earlier_of_two_clocks() {
        let second = |second| Timestamp::from_second(second).unwrap();
        for (shown, corrected, listed) in [(100, 40, 40), (40, 100, 40)] {
            let mut inventory = Inventory::default();
            let token = inventory.begin_list(second(shown));
            inventory.end_list(token.begun_by(second(corrected)), Vec::new(), |_| true);
            assert_eq!(inventory.listed_at(), Some(second(listed)));
        }
    }

    #[test]
    fn endpoints_are_found_by_any_spelling_of_their_url() {
        let mut inventory = Inventory::default();
        let spelt = |url: &str, id| Endpoint { url: url.into(), ..endpoint(id) };
        let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
        let items = vec![spelt("https://example.com", "wh_1"), spelt("https://EXAMPLE.com:443/", "wh_2")];
        inventory.end_list(token, items, |_| true);
        let found = |inventory: &Inventory| inventory.with_url(&"https://example.com/".into()).count();
        assert_eq!(found(&inventory), 2);
        inventory.saw_gone(&"wh_1".into());
        assert_eq!(found(&inventory), 1);
        inventory.saw(spelt("https://example.com/elsewhere", "wh_2"));
        assert_eq!(found(&inventory), 0);
    }

    #[test]
    fn an_endpoint_that_nobody_holds_is_forgotten_when_it_goes() {
        let mut inventory = Inventory::default();
        listed(&mut inventory, &["wh_1"]);
        let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
        assert!(inventory.end_list(token, Vec::new(), |_| false).is_empty());
        assert_eq!(inventory.all_present().count(), 0);
        assert_eq!(inventory.with_url(&"https://example.com/wh_1".into()).count(), 0);
    }
}
