//! The networks that there are: who may use each, and whether it can be asked.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::figures::NetworkFigures;
use super::identity::{Claim, Origin, Standing};
use super::inventory::{Incarnation, Inventory, ListToken};
use super::key::NetworkKey;
use super::lists::Lists;
use super::{Index, ResourceKey};
use crate::planning::{Identity, Reason, Unavailable};
use crate::provider::NetworkId;
use crate::resources::WebhookNetworkStatus;

/// The networks that there are.
#[derive(Debug)]
pub(super) struct Networks<N> {
    known: HashMap<NetworkKey, Known<N>>,
    /// The kinds of which every network was seen once.
    seen: BTreeSet<&'static str>,
    incarnations: u64,
}

/// `ClusterWebhookNetwork` and `WebhookNetwork`.
const KINDS: usize = 2;

/// What is known of one network.
#[derive(Debug)]
pub(super) struct Known<N> {
    entry: Entry<N>,
    /// Why nothing new may be begun with it though it works: its credentials are gone.
    withdrawn: Option<Unavailable>,
    pub(super) lists: Lists,
    pub(super) inventory: Inventory,
    standing: Standing,
    /// The uid and the status that was last written for it.
    reported: Option<(String, WebhookNetworkStatus)>,
}

/// One declared network.
#[derive(Debug)]
pub struct Entry<N> {
    /// Who may use it.
    pub access: Access,
    /// Its API.
    pub api: Api,
    /// Tells apart two declarations that need two clients.
    pub fingerprint: String,
    /// How long one call may take.
    pub timeout: Duration,
    /// What is declared and on record of which network it is.
    pub claim: Claim,
    /// A handle of it, or why there is none.
    pub handle: Result<N, Unavailable>,
}

/// A remote API: among the networks that lead to it, one id means one endpoint.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Api {
    /// By its base URL, in the spelling that all its spellings have in common.
    At(Arc<str>),
    /// The API of a network of which it is not known yet where it leads.
    Of(Arc<NetworkKey>),
}

/// What a network is to be used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NetworkUse {
    /// Making an endpoint as declared.
    Converge,
    /// Letting a resource go. Credentials that are gone are still used for it: a namespace is deleted with
    /// everything in it, in any order.
    Finalize,
}

/// Whether a registered network could be kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// As it is.
    Same,
    /// With other rules for who may use it, or another id.
    NewAccess,
    /// There is none, or it needs another client.
    No,
}

/// What a network took the place of.
#[derive(Debug)]
pub struct Replaced<N> {
    /// The handle of the one before, to be ended.
    pub handle: Option<N>,
    /// Whether it changes anything for the network's resources.
    pub news: bool,
    /// Tells the new one apart.
    pub incarnation: Incarnation,
}

impl<N> Default for Networks<N> {
    fn default() -> Self {
        Self { known: HashMap::new(), seen: BTreeSet::new(), incarnations: 0 }
    }
}

impl<N> Known<N> {
    fn new(entry: Entry<N>, incarnation: Incarnation, before: Option<Standing>) -> Self {
        let inventory = Inventory::new(incarnation);
        let standing = Standing::succeed(before, entry.claim.clone());
        Self { entry, withdrawn: None, lists: Lists::default(), inventory, standing, reported: None }
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(super) fn standing_mut(&mut self) -> &mut Standing {
        &mut self.standing
    }

    pub(super) fn access(&self) -> &Access {
        &self.entry.access
    }

    pub(super) fn timeout(&self) -> Duration {
        self.entry.timeout
    }
}

impl<N> Networks<N> {
    pub(super) fn get(&self, key: &NetworkKey) -> Option<&Known<N>> {
        self.known.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &NetworkKey) -> Option<&mut Known<N>> {
        self.known.get_mut(key)
    }

    /// The networks that lead to an API.
    pub(super) fn of_api<'a>(&'a self, api: &Api) -> impl Iterator<Item = (&'a NetworkKey, &'a Known<N>)> {
        self.known.iter().filter(move |(_, known)| known.entry.api == *api)
    }

    /// The networks of which it is not certain which they are.
    pub(super) fn uncertain(&self) -> Vec<NetworkKey> {
        let known = self.known.iter().filter(|(_, known)| known.standing.identity() != Identity::Confirmed);
        known.map(|(key, _)| key.clone()).collect()
    }

    fn next_incarnation(&mut self) -> Incarnation {
        self.incarnations += 1;
        Incarnation(self.incarnations)
    }

    /// The network that was listed, unless another client has taken its place meanwhile.
    pub(super) fn listed(&mut self, network: &NetworkKey, token: ListToken) -> Option<&mut Known<N>> {
        self.get_mut(network).filter(|known| known.inventory.incarnation() == token.incarnation())
    }

    pub(super) fn asked(&mut self, network: &NetworkKey, through: Incarnation) -> Option<&mut Inventory> {
        let known = self.get_mut(network)?;
        (known.inventory.incarnation() == through).then_some(&mut known.inventory)
    }
}

impl<N> Index<N> {
    /// Looks a network up.
    ///
    /// # Errors
    ///
    /// When there is none of this name, or it can't be used now.
    pub fn network(&self, key: &NetworkKey, purpose: NetworkUse) -> Result<N, Unavailable>
    where
        N: Clone,
    {
        let known = self.usable(key, purpose)?;
        known.entry.handle.clone()
    }

    pub(super) fn usable(&self, key: &NetworkKey, purpose: NetworkUse) -> Result<&Known<N>, Unavailable> {
        let Some(known) = self.networks.get(key) else {
            return Err(if self.all_networks_are_seen() { not_found(key) } else { not_seen(key) });
        };
        if purpose == NetworkUse::Converge
            && let Some(why) = &known.withdrawn
        {
            return Err(why.clone());
        }
        if let Err(why) = &known.entry.handle {
            return Err(why.clone());
        }
        match known.lists.shut() {
            None => Ok(known),
            Some(failure) => Err(Unavailable {
                reason: Reason::NetworkNotReady,
                message: format!("{key} is not ready: {failure}"),
            }),
        }
    }

    /// The network as it is registered, whether or not it can be used.
    #[must_use]
    pub fn registered(&self, key: &NetworkKey) -> Option<Result<N, Unavailable>>
    where
        N: Clone,
    {
        self.networks.get(key).map(|known| known.entry.handle.clone())
    }

    /// Which handle of a network there is now.
    #[must_use]
    pub fn incarnation(&self, key: &NetworkKey) -> Option<Incarnation> {
        self.networks.get(key).map(|known| known.inventory.incarnation())
    }

    /// The API that a network leads to.
    #[must_use]
    pub fn api(&self, key: &NetworkKey) -> Api {
        let known = self.networks.get(key);
        known.map_or_else(|| Api::Of(Arc::new(key.clone())), |known| known.entry.api.clone())
    }

    /// Takes in that there is a network of this name, before it is known how it stands.
    pub fn expect_network(&mut self, key: NetworkKey) {
        if self.networks.get(&key).is_some() {
            return;
        }
        let entry = Entry {
            access: Access::default(),
            api: Api::Of(Arc::new(key.clone())),
            fingerprint: String::new(),
            timeout: Duration::ZERO,
            claim: Claim::default(),
            handle: Err(not_seen(&key)),
        };
        let incarnation = self.networks.next_incarnation();
        self.networks.known.insert(key, Known::new(entry, incarnation, None));
    }

    /// Takes in that every network of a kind was seen; tells whether every one of both kinds was, now for the
    /// first time.
    pub fn all_networks_seen(&mut self, kind: &'static str) -> bool {
        self.networks.seen.insert(kind) && self.networks.seen.len() == KINDS
    }

    /// Whether every network was seen once.
    #[must_use]
    pub fn all_networks_are_seen(&self) -> bool {
        self.networks.seen.len() == KINDS
    }

    /// Keeps the network of a declaration that needs no other client, and its new access and id, and where its
    /// credentials were read from, if they were. Tells whether there was one to keep.
    pub fn keep_network(
        &mut self,
        key: &NetworkKey,
        fingerprint: &str,
        access: &Access,
        declared: Option<NetworkId>,
        origin: Option<Origin>,
    ) -> Kept {
        let Some(known) = self.networks.get_mut(key) else { return Kept::No };
        if known.entry.fingerprint != fingerprint || known.entry.handle.is_err() {
            return Kept::No;
        }
        let restored = known.withdrawn.take().is_some();
        if let Some(origin) = origin {
            known.standing.renew(origin);
        }
        let renamed = known.standing.declare(declared);
        if known.entry.access == *access && !restored && !renamed {
            return Kept::Same;
        }
        known.entry.access = access.clone();
        Kept::NewAccess
    }

    /// Registers a network in the place of an earlier one. What was listed through the earlier one is forgotten.
    pub fn put_network(&mut self, key: &NetworkKey, entry: Entry<N>) -> Replaced<N> {
        let moved = self.api(key) != entry.api;
        let incarnation = self.networks.next_incarnation();
        let before = self.networks.known.remove(key);
        // Of one that is merely expected nothing was on record yet.
        let earlier = before.as_ref().filter(|before| matches!(before.entry.api, Api::At(_)));
        let mut known = Known::new(entry, incarnation, earlier.map(|before| before.standing.clone()));
        let mut news = true;
        let mut handle = None;
        if let Some(before) = before {
            known.reported = before.reported;
            match before.entry.handle {
                Ok(earlier) => handle = Some(earlier),
                Err(earlier) => news = known.entry.handle.as_ref().err() != Some(&earlier),
            }
        }
        self.networks.known.insert(key.clone(), known);
        if moved {
            self.refresh_network(key);
        }
        Replaced { handle, news, incarnation }
    }

    /// What a resource holds counts for the API that its network leads to.
    fn refresh_network(&mut self, network: &NetworkKey) {
        for key in self.of_network(network).cloned().collect::<Vec<ResourceKey>>() {
            self.refresh(&key);
        }
    }

    /// Has nothing new begun with a network whose credentials are gone. Tells whether that is a change.
    pub fn withdraw_network(&mut self, key: &NetworkKey, why: Unavailable) -> bool {
        let Some(known) = self.networks.get_mut(key) else { return false };
        let changed = known.withdrawn.as_ref() != Some(&why);
        known.withdrawn = Some(why);
        changed
    }

    /// Forgets a network that is not declared any more. Its handle is to be ended. `None` when there was none.
    pub fn remove_network(&mut self, key: &NetworkKey) -> Option<Result<N, Unavailable>> {
        let known = self.networks.known.remove(key)?;
        self.refresh_network(key);
        Some(known.entry.handle)
    }

    pub(super) fn network_figures(&self) -> impl Iterator<Item = (NetworkKey, NetworkFigures)> {
        self.networks.known.iter().map(|(key, known)| {
            let status = known.reported.as_ref().map(|(_, status)| status.clone());
            (key.clone(), NetworkFigures { listed_at: known.inventory.listed_at(), status })
        })
    }

    /// The status that was last written for the network with this uid.
    #[must_use]
    pub fn reported_network(&self, key: &NetworkKey, uid: &str) -> Option<&WebhookNetworkStatus> {
        let (of, status) = self.networks.get(key)?.reported.as_ref()?;
        (of == uid).then_some(status)
    }

    /// Notes the status that was written.
    pub fn note_reported_network(&mut self, key: &NetworkKey, uid: &str, status: WebhookNetworkStatus) {
        if let Some(known) = self.networks.get_mut(key) {
            known.reported = Some((uid.to_owned(), status));
        }
    }
}

fn not_found(key: &NetworkKey) -> Unavailable {
    Unavailable {
        reason: Reason::NetworkNotFound,
        message: format!("{key} does not exist: create it, or correct spec.networkRef"),
    }
}

fn not_seen(key: &NetworkKey) -> Unavailable {
    Unavailable { reason: Reason::AwaitingList, message: format!("waits for the first list of {key}") }
}
