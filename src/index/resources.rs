//! The records of the resources, and which of them wait for what.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;

use super::endpoints::Holding;
use super::inventory::{Inventory, Point};
use super::key::{NetworkKey, ResourceKey};
use super::local::LocalState;
use super::lookup::Lookup;
use super::pace::Pace;
use super::resource::Resource;
use super::{Index, version};
use crate::planning::Finalizer;
use crate::provider::EndpointId;

/// The records of the resources.
#[derive(Debug, Default)]
pub(super) struct Resources {
    records: BTreeMap<ResourceKey, Box<Record>>,
    /// The uids of resources that were let go, while the watch may still show them.
    let_go: HashMap<ResourceKey, String>,
    by_network: Lookup<NetworkKey>,
    /// Those that a list of their network may move on.
    awaiting_list: Lookup<NetworkKey>,
    /// Those that are not as declared, and left so.
    drifted: Lookup<NetworkKey>,
    /// Whether the watch has shown every resource once.
    seen_all: bool,
}

/// What is known of one resource.
#[derive(Debug)]
pub(super) struct Record {
    /// The newest of it that is known: what a watch shows may be older than our own writes.
    pub(super) resource: Arc<Resource>,
    pub(super) local: LocalState,
    /// Endpoints that this process created: held from the moment of the API's answer, before any watch shows
    /// them.
    pub(super) created: Vec<EndpointId>,
    /// What the lookups by endpoint and by URL have of it.
    pub(super) holding: Holding,
    /// Whether something happened to it since it was reconciled last.
    woken: bool,
    /// The latest request for a fresh list of its network.
    pub(super) list_requested: Option<ListRequest>,
}

/// A request for a fresh list.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListRequest {
    /// What was listed before says nothing.
    pub(super) since: Point,
    /// When it is answered, by the API's clock; none before it was looked at.
    pub(super) due: Option<Timestamp>,
}

/// What became of a resource that was shown.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Seen {
    /// It was taken in.
    Taken,
    /// It was taken in, and asks for nothing that was not known: a status, or a write of our own.
    Known,
    /// It was not: something newer is known, or it was let go.
    Outdated,
    /// It was taken in, and an earlier one of its name is gone. The secret of the earlier one's endpoint was in
    /// memory and nowhere else, and is lost.
    Lost(EndpointId),
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mark {
    /// It is so.
    Set,
    /// It is not.
    Clear,
}

impl Resources {
    pub(super) fn get_mut(&mut self, key: &ResourceKey) -> Option<&mut Record> {
        self.records.get_mut(key).map(|record| &mut **record)
    }

    #[cfg(test)]
    pub(super) fn let_go_is_empty(&self) -> bool {
        self.let_go.is_empty()
    }
}

impl<N> Index<N> {
    /// Takes in a resource as a watch shows it. Of one uid the newest counts; one that was let go stays away.
    pub fn see(&mut self, resource: Resource) -> Seen {
        let key = resource.key.clone();
        if self.resources.let_go.get(&key).is_some_and(|uid| *uid == resource.uid) {
            return Seen::Outdated;
        }
        let known = self.resources.records.get(&key);
        if known.is_some_and(|known| is_newer(&known.resource, &resource)) {
            return Seen::Outdated;
        }
        if let Some(known) = known.filter(|known| known.resource.uid == resource.uid) {
            let asks_the_same = known.resource.asks_as(&resource, known.local.memory.recorded());
            self.replace(resource);
            return if asks_the_same { Seen::Known } else { Seen::Taken };
        }
        let lost = self.drop_record(&key);
        self.resources.let_go.remove(&key);
        self.resources.by_network.insert(resource.network.clone(), &key);
        let record = Record {
            resource: Arc::new(resource),
            local: LocalState::default(),
            created: Vec::new(),
            holding: Holding::default(),
            woken: false,
            list_requested: None,
        };
        self.resources.records.insert(key.clone(), Box::new(record));
        self.refresh(&key);
        lost.map_or(Seen::Taken, Seen::Lost)
    }

    /// Takes in a resource as the answer to one of our own calls shows it, unless something newer is known.
    /// What is gone, or was let go, does not come back by that.
    pub fn wrote(&mut self, resource: Resource) -> Seen {
        let known = self.resources.records.get(&resource.key);
        let known = known.filter(|known| known.resource.uid == resource.uid);
        if known.is_none_or(|known| is_newer(&known.resource, &resource)) {
            return Seen::Outdated;
        }
        self.replace(resource);
        Seen::Taken
    }

    fn replace(&mut self, resource: Resource) {
        let key = resource.key.clone();
        let point = self.inventory(&resource.network).map(Inventory::point).unwrap_or_default();
        let Some(record) = self.resources.records.get_mut(&key) else { return };
        let requested = resource.list_request.is_some();
        if requested && resource.list_request != record.resource.list_request {
            record.list_requested = Some(ListRequest { since: point, due: None });
            record.local.pace = Pace::default();
        }
        let before = std::mem::replace(&mut record.resource, Arc::new(resource));
        if before.network != record.resource.network {
            self.resources.by_network.insert(record.resource.network.clone(), &key);
            self.resources.by_network.remove(before.network.clone(), &key);
            self.resources.awaiting_list.remove(before.network.clone(), &key);
            self.resources.drifted.remove(before.network.clone(), &key);
        }
        self.refresh(&key);
    }

    /// Takes in that a resource is gone, unless another one of its name has come since. Names its endpoint if
    /// the secret of that was in memory and nowhere else: it is lost.
    pub fn gone(&mut self, key: &ResourceKey, uid: &str) -> Option<EndpointId> {
        if self.resources.let_go.get(key).is_some_and(|gone| gone == uid) {
            self.resources.let_go.remove(key);
        }
        self.record_of(key, uid)?;
        self.drop_record(key)
    }

    /// Takes in that all resources are gone but those that are `kept`. Names the endpoints whose secrets were in memory
    /// and nowhere else: they are lost.
    pub fn keep(&mut self, kept: impl Fn(&ResourceKey) -> bool) -> Vec<EndpointId> {
        self.resources.let_go.retain(|key, _| kept(key));
        let gone = self.resources.records.keys().filter(|key| !kept(key)).cloned().collect::<Vec<_>>();
        gone.iter().filter_map(|key| self.drop_record(key)).collect()
    }

    /// Forgets a resource that was let go. It stays away until its delete event: the answer to the write that
    /// let it go may have no newer resource version. Names its endpoint if the secret of that was in memory and
    /// nowhere else: it is lost.
    pub fn let_go(&mut self, key: &ResourceKey, uid: &str) -> Option<EndpointId> {
        self.record_of(key, uid)?;
        self.resources.let_go.insert(key.clone(), uid.to_owned());
        self.drop_record(key)
    }

    /// Drops a record, and names the endpoint whose secret is lost with it.
    fn drop_record(&mut self, key: &ResourceKey) -> Option<EndpointId> {
        let record = self.resources.records.remove(key)?;
        let network = &record.resource.network;
        self.resources.by_network.remove(network.clone(), key);
        self.resources.awaiting_list.remove(network.clone(), key);
        self.resources.drifted.remove(network.clone(), key);
        self.holdings.replace(key, &record.holding, &Holding::default());
        record.local.memory.in_hand().map(|hand| hand.id.clone())
    }

    /// A resource, the newest of it that is known.
    #[must_use]
    pub fn resource(&self, key: &ResourceKey) -> Option<Arc<Resource>> {
        self.record(key).map(|record| Arc::clone(&record.resource))
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.resources.records.values().map(|record| &**record)
    }

    pub(super) fn record(&self, key: &ResourceKey) -> Option<&Record> {
        self.resources.records.get(key).map(|record| &**record)
    }

    pub(super) fn record_mut(&mut self, key: &ResourceKey) -> Option<&mut Record> {
        self.resources.records.get_mut(key).map(|record| &mut **record)
    }

    pub(super) fn record_of(&mut self, key: &ResourceKey, uid: &str) -> Option<&mut Record> {
        self.record_mut(key).filter(|record| record.resource.uid == uid)
    }

    /// What this process knows of the resource with this uid; `None` when it is gone or was let go.
    pub fn local(&mut self, key: &ResourceKey, uid: &str) -> Option<&mut LocalState> {
        self.record_of(key, uid).map(|record| &mut record.local)
    }

    /// All resources.
    pub fn keys(&self) -> impl Iterator<Item = &ResourceKey> + use<'_, N> {
        self.resources.records.keys()
    }

    /// The resources of a namespace.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a ResourceKey> {
        let first = ResourceKey::new(namespace, "");
        let records = self.resources.records.range((Bound::Included(first), Bound::Unbounded));
        records.map(|(key, _)| key).take_while(move |key| *key.namespace == *namespace)
    }

    /// The resources of a network.
    pub fn of_network(&self, network: &NetworkKey) -> impl Iterator<Item = &ResourceKey> + use<'_, N> {
        self.resources.by_network.of(network.clone())
    }

    /// How many resources of a network hold the finalizer, and so may have an endpoint.
    #[must_use]
    pub fn finalized_of_network(&self, network: &NetworkKey) -> usize {
        let records = self.of_network(network).filter_map(|key| self.record(key));
        records.filter(|record| record.resource.finalizer() == Finalizer::Set).count()
    }

    /// Takes in that the watch has shown every resource. Names the networks of which more may be known by that.
    pub fn note_all_seen(&mut self) -> Vec<NetworkKey> {
        self.resources.seen_all = true;
        self.identify_all()
    }

    /// Whether the watch has shown every resource once.
    #[must_use]
    pub fn all_seen(&self) -> bool {
        self.resources.seen_all
    }

    /// Notes that something happened to a resource. Tells whether it is there: its Secret may go after it.
    pub fn wake(&mut self, key: &ResourceKey) -> bool {
        let record = self.record_mut(key);
        record.map(|record| record.woken = true).is_some()
    }

    /// Whether something happened to a resource since this was asked last.
    pub fn take_woken(&mut self, key: &ResourceKey) -> bool {
        self.record_mut(key).is_some_and(|record| std::mem::take(&mut record.woken))
    }

    /// Notes whether a list of its network may move a resource on.
    pub fn set_awaits_list(&mut self, key: &ResourceKey, uid: &str, mark: Mark) {
        if let Some(network) = self.network_of(key, uid) {
            set(&mut self.resources.awaiting_list, network, key, mark);
        }
    }

    /// The resources of a network that a list of it may move on.
    pub fn awaiting_list(&self, network: &NetworkKey) -> impl Iterator<Item = &ResourceKey> + use<'_, N> {
        self.resources.awaiting_list.of(network.clone())
    }

    /// Notes whether a resource is left as it is though it is not as declared.
    pub fn set_drifted(&mut self, key: &ResourceKey, uid: &str, mark: Mark) {
        if let Some(network) = self.network_of(key, uid) {
            set(&mut self.resources.drifted, network, key, mark);
        }
    }

    pub(super) fn drifted(&self, network: &NetworkKey) -> usize {
        self.resources.drifted.of(network.clone()).count()
    }

    fn network_of(&mut self, key: &ResourceKey, uid: &str) -> Option<NetworkKey> {
        self.record_of(key, uid).map(|record| record.resource.network.clone())
    }

    /// The endpoints whose secrets are in memory and nowhere else.
    #[must_use]
    pub fn in_hand(&self) -> Vec<(ResourceKey, EndpointId)> {
        let records = self.resources.records.iter();
        let in_hand = records.filter_map(|(key, record)| Some((key, record.local.memory.in_hand()?)));
        in_hand.map(|(key, hand)| (key.clone(), hand.id.clone())).collect()
    }
}

fn set(marks: &mut Lookup<NetworkKey>, network: NetworkKey, key: &ResourceKey, mark: Mark) {
    match mark {
        Mark::Set => marks.insert(network, key),
        Mark::Clear => marks.remove(network, key),
    }
}

/// Whether what is known is newer than what is shown. What is shown of another uid and is older was before it.
fn is_newer(known: &Resource, shown: &Resource) -> bool {
    version(known.resource_version.as_deref()) > version(shown.resource_version.as_deref())
}
