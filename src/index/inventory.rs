//! The remote endpoints of one network as last seen, by list or by our own calls.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::lookup::Lookup;
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
    by_url: Lookup<EndpointUrl, EndpointId>,
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

impl Entry {
    /// The endpoint, if it was there.
    fn present(&self) -> Option<&Arc<Endpoint>> {
        match &self.presence {
            Presence::Present(endpoint) => Some(endpoint),
            Presence::Unlisted | Presence::Missing { .. } | Presence::Gone => None,
        }
    }
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
        for endpoint in endpoints {
            if self.entries.get(&endpoint.id).is_some_and(|entry| entry.seen > token.sequence) {
                continue;
            }
            if self.set(Presence::Present(Arc::clone(&endpoint)), &endpoint.id, token.sequence) {
                news.insert(endpoint.id.clone());
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
            // Those that it lists were seen at its own place in the sequence, which nothing else has.
            .filter(|(id, entry)| entry.seen < token.sequence && !may_be_there(id, entry))
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
        self.set(endpoint.into(), &id, self.sequence);
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
                self.by_url.insert(endpoint.url.clone(), id);
            }
        }
        let before = self.entries.get(id).filter(|_| !changed);
        let missed = before.map_or(Missed::Once, |entry| entry.missed);
        self.entries.insert(id.clone(), Entry { presence, seen, missed });
        changed
    }

    fn drop_entry(&mut self, id: &EndpointId) {
        if let Some(Entry { presence: Presence::Present(endpoint), .. }) = self.entries.remove(id) {
            self.by_url.remove(endpoint.url.clone(), id);
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

    /// The same endpoint as it is kept, to the letter.
    pub(super) fn same(&self, endpoint: &Endpoint) -> Option<&Arc<Endpoint>> {
        // Other spellings of its URL are equal.
        let is_same =
            |known: &&Arc<Endpoint>| ***known == *endpoint && known.url.as_str() == endpoint.url.as_str();
        self.entries.get(&endpoint.id).and_then(Entry::present).filter(is_same)
    }

    /// The endpoints that deliver to `url`, however it is spelt.
    pub fn with_url(&self, url: &EndpointUrl) -> impl Iterator<Item = &Endpoint> + use<'_> {
        self.by_url.of(url.clone()).filter_map(|id| self.present(id))
    }

    /// An endpoint, if it was there.
    #[must_use]
    pub fn present(&self, id: &EndpointId) -> Option<&Endpoint> {
        self.entries.get(id).and_then(Entry::present).map(|endpoint| &**endpoint)
    }

    /// The endpoints that were there.
    pub fn all_present(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.entries.values().filter_map(Entry::present)
    }
}
