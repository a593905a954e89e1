//! The endpoints themselves, and what a reader sees of them while the API lags.

mod lag;
mod order;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use secrecy::SecretString;

pub use lag::Lag;
pub(crate) use lag::Reader;
use lag::{Version, Visible};
use order::OrderKey;

use crate::endpoint::{Endpoint, EndpointId, NetworkId};
use crate::habits::{DeletedCursor, ListOrder};

/// Every network's endpoints.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// The order in force; each network's index is kept in it.
    order: ListOrder,
    /// What writes do to readers from now on.
    lag: Lag,
    records: HashMap<EndpointId, Record>,
    networks: HashMap<NetworkId, Index>,
    /// Where endpoints that are gone used to stand.
    gone: HashMap<EndpointId, Place>,
    /// Every secret ever made, also of endpoints that are gone.
    secrets: HashMap<EndpointId, SecretString>,
    /// Records with a version that some reader does not see yet.
    lagging: HashSet<EndpointId>,
    /// How many endpoints were ever made.
    made: u64,
}

/// One endpoint's past and present. The last version is the truth.
#[derive(Debug)]
struct Record {
    place: Place,
    versions: Vec<Version>,
}

/// Where an endpoint stands in its network's lists, whatever their order.
#[derive(Clone, Debug)]
struct Place {
    network: NetworkId,
    /// How many endpoints were made before it.
    made: u64,
}

/// What makes one network quick to page through and to search.
#[derive(Debug, Default)]
struct Index {
    listed: BTreeMap<OrderKey, EndpointId>,
    /// How many live endpoints have a URL.
    urls: HashMap<String, usize>,
}

/// What a page is asked for.
pub(crate) struct PageRequest<'a> {
    pub(crate) network: &'a NetworkId,
    pub(crate) after: Option<&'a EndpointId>,
    pub(crate) limit: usize,
    pub(crate) slip: Slip,
    pub(crate) deleted_cursor: DeletedCursor,
}

/// How a page misses its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slip {
    None,
    /// It begins this many items before its place.
    Back(usize),
    /// It begins this many items after its place.
    Ahead(usize),
}

/// One page of a list.
pub(crate) struct Page<'a> {
    pub(crate) items: Vec<&'a Endpoint>,
    pub(crate) has_more: bool,
}

/// The cursor names no endpoint of the network.
pub(crate) struct UnknownCursor;

impl Store {
    pub(crate) fn new(order: ListOrder) -> Self {
        Self { order, ..Self::default() }
    }

    /// Whether an endpoint with this id exists or ever existed.
    pub(crate) fn knows(&self, id: &EndpointId) -> bool {
        self.secrets.contains_key(id)
    }

    /// Adds an endpoint whose id is new.
    pub(crate) fn insert(&mut self, endpoint: Endpoint, secret: SecretString) {
        let id = endpoint.id.clone();
        let place = Place { network: endpoint.network_id.clone(), made: self.made };
        self.made += 1;
        let index = self.networks.entry(place.network.clone()).or_default();
        index.listed.insert(self.order.key(place.made), id.clone());
        self.secrets.insert(id.clone(), secret);
        self.records.insert(id.clone(), Record { place, versions: Vec::new() });
        self.write(&id, Some(endpoint));
    }

    /// Changes an endpoint; its id and network stay. Gives the truth afterwards.
    pub(crate) fn edit(&mut self, id: &EndpointId, change: impl FnOnce(&mut Endpoint)) -> Option<&Endpoint> {
        let mut endpoint = self.truth(id)?.clone();
        let network = endpoint.network_id.clone();
        change(&mut endpoint);
        endpoint.id = id.clone();
        endpoint.network_id = network;
        self.write(id, Some(endpoint));
        self.truth(id)
    }

    /// Deletes an endpoint; tells whether there was one.
    pub(crate) fn delete(&mut self, id: &EndpointId) -> bool {
        if self.truth(id).is_none() {
            return false;
        }
        self.write(id, None);
        true
    }

    /// The endpoint as it is, whatever readers see.
    pub(crate) fn truth(&self, id: &EndpointId) -> Option<&Endpoint> {
        self.records.get(id)?.versions.last()?.value.as_ref()
    }

    /// The endpoint as a reader sees it.
    pub(crate) fn seen(&mut self, id: &EndpointId, reader: Reader, now: Instant) -> Option<&Endpoint> {
        self.settle(now);
        lag::seen(&self.records.get(id)?.versions, reader, now)
    }

    /// The network's endpoints as they are, in the order of its lists.
    pub(crate) fn endpoints<'a>(
        &'a self,
        network: &NetworkId,
    ) -> impl Iterator<Item = &'a Endpoint> + use<'a> {
        let listed = self.networks.get(network).map(|index| index.listed.values());
        listed.into_iter().flatten().filter_map(|id| self.truth(id))
    }

    /// Every network that ever had an endpoint.
    pub(crate) fn networks(&self) -> impl Iterator<Item = &NetworkId> {
        self.networks.keys()
    }

    /// Whether a live endpoint of the network has this URL.
    pub(crate) fn has_url(&self, network: &NetworkId, url: &str) -> bool {
        self.networks.get(network).is_some_and(|index| index.urls.contains_key(url))
    }

    /// The secret of an endpoint, also of one that is gone.
    pub(crate) fn secret(&self, id: &EndpointId) -> Option<&SecretString> {
        self.secrets.get(id)
    }

    /// One page as a list shows it.
    pub(crate) fn page(&mut self, page: &PageRequest<'_>, now: Instant) -> Result<Page<'_>, UnknownCursor> {
        self.settle(now);
        let cursor = page.after.map(|id| self.cursor(page, id)).transpose()?;
        let Some(index) = self.networks.get(page.network) else {
            return Ok(Page { items: Vec::new(), has_more: false });
        };
        let start = match (cursor, page.slip) {
            (Some(cursor), Slip::Back(count)) => {
                index.listed.range(..=cursor).rev().take(count).last().map(|(key, _)| *key)
            }
            _ => None,
        };
        let skipped = if let Slip::Ahead(count) = page.slip { count } else { 0 };
        let after = |key: &OrderKey| start.is_some() || cursor.is_none_or(|cursor| *key > cursor);
        let mut items: Vec<_> = index
            .listed
            .range(start.or(cursor).unwrap_or(OrderKey::FIRST)..)
            .filter(|(key, _)| after(key))
            .filter_map(|(_, id)| lag::seen(&self.records.get(id)?.versions, Reader::List, now))
            .skip(skipped)
            .take(page.limit + 1)
            .collect();
        let has_more = items.len() > page.limit;
        items.truncate(page.limit);
        Ok(Page { items, has_more })
    }

    /// Sets what writes do to readers from now on.
    pub(crate) fn set_lag(&mut self, lag: Lag) {
        self.lag = lag;
    }

    /// Shows every reader what was held back until released.
    pub(crate) fn release(&mut self) {
        for id in &self.lagging {
            let versions = self.records.get_mut(id).map(|record| record.versions.iter_mut());
            versions.into_iter().flatten().for_each(Version::release);
        }
        self.settle(Instant::now());
    }

    /// Puts every list into another order.
    pub(crate) fn set_order(&mut self, order: ListOrder) {
        if self.order == order {
            return;
        }
        self.order = order;
        for index in self.networks.values_mut() {
            index.listed.clear();
        }
        for (id, record) in &self.records {
            if let Some(index) = self.networks.get_mut(&record.place.network) {
                index.listed.insert(order.key(record.place.made), id.clone());
            }
        }
    }

    fn cursor(&self, page: &PageRequest<'_>, id: &EndpointId) -> Result<OrderKey, UnknownCursor> {
        let gone = match page.deleted_cursor {
            DeletedCursor::Accept => self.gone.get(id),
            DeletedCursor::Refuse => None,
        };
        let place = self.records.get(id).map(|record| &record.place).or(gone);
        let place = place.filter(|place| place.network == *page.network).ok_or(UnknownCursor)?;
        Ok(self.order.key(place.made))
    }

    /// Makes `value` the truth about a known endpoint.
    fn write(&mut self, id: &EndpointId, value: Option<Endpoint>) {
        let Some(record) = self.records.get_mut(id) else { return };
        let index = self.networks.entry(record.place.network.clone()).or_default();
        if let Some(old) = record.versions.last().and_then(|version| version.value.as_ref()) {
            index.forget_url(&old.url);
        }
        if let Some(new) = &value {
            *index.urls.entry(new.url.clone()).or_default() += 1;
        }
        let now = Instant::now();
        record.versions.push(Version {
            value,
            list: Visible::after(self.lag.list, now),
            get: Visible::after(self.lag.get, now),
        });
        if settle_record(record, now) == Settled::Lagging {
            self.lagging.insert(id.clone());
        }
        self.forget_if_gone(id);
    }

    /// Forgets the versions that no reader sees any more.
    fn settle(&mut self, now: Instant) {
        let lagging = std::mem::take(&mut self.lagging);
        for id in lagging {
            let Some(record) = self.records.get_mut(&id) else { continue };
            if settle_record(record, now) == Settled::Lagging {
                self.lagging.insert(id);
            } else {
                self.forget_if_gone(&id);
            }
        }
    }

    fn forget_if_gone(&mut self, id: &EndpointId) {
        let Some(record) = self.records.get(id) else { return };
        if record.versions.iter().any(|version| version.value.is_some()) {
            return;
        }
        let place = record.place.clone();
        if let Some(index) = self.networks.get_mut(&place.network) {
            index.listed.remove(&self.order.key(place.made));
        }
        self.records.remove(id);
        self.gone.insert(id.clone(), place);
    }
}

impl Index {
    fn forget_url(&mut self, url: &str) {
        if let Some(count) = self.urls.get_mut(url) {
            *count -= 1;
            if *count == 0 {
                self.urls.remove(url);
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Settled {
    Everywhere,
    Lagging,
}

fn settle_record(record: &mut Record, now: Instant) -> Settled {
    let newest = record.versions.iter().rposition(|version| version.settled(now));
    record.versions.drain(..newest.unwrap_or(0));
    let lags = record.versions.iter().any(|version| !version.settled(now));
    if lags { Settled::Lagging } else { Settled::Everywhere }
}
