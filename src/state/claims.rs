//! Which resource holds which remote endpoint, and which creates are unresolved.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::key::{NetworkKey, ResourceKey};
use crate::planning::Attempt;
use crate::provider::EndpointId;

/// What one resource lays claim to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    /// The resource's uid.
    pub uid: String,
    /// The network it belongs to.
    pub network: Option<NetworkKey>,
    /// Whether it holds the finalizer, and so may have an endpoint.
    pub is_finalized: bool,
    /// Endpoints that its status or its Secrets name.
    pub held: BTreeSet<EndpointId>,
    /// A create whose outcome is not on record.
    pub attempt: Option<Attempt>,
}

/// The claims of all resources.
///
/// What this process created is claimed from the moment of the API's answer, before any watch shows it.
///
/// An id counts among the networks of one API only: an API of a tenant's own may answer with any id, also
/// with that of another tenant's endpoint.
#[derive(Debug, Default)]
pub struct Claims {
    seen: BTreeMap<ResourceKey, Claim>,
    created: HashMap<EndpointId, BTreeSet<ResourceKey>>,
    holders: HashMap<EndpointId, BTreeSet<ResourceKey>>,
}

impl Claims {
    /// Replaces what is known of a resource's claim.
    pub fn see(&mut self, key: &ResourceKey, claim: Claim) {
        if self.seen.get(key) == Some(&claim) {
            return;
        }
        if self.seen.get(key).is_some_and(|before| before.uid != claim.uid) {
            self.forget_created(key);
        }
        self.release(key);
        for id in &claim.held {
            self.holders.entry(id.clone()).or_default().insert(key.clone());
        }
        self.seen.insert(key.clone(), claim);
    }

    /// Forgets a resource that is gone, unless another one of its name has come since.
    pub fn forget(&mut self, key: &ResourceKey, uid: &str) {
        if self.seen.get(key).is_some_and(|claim| claim.uid != uid) {
            return;
        }
        self.release(key);
        self.forget_created(key);
    }

    fn forget_created(&mut self, key: &ResourceKey) {
        self.created.retain(|_, holders| {
            holders.remove(key);
            !holders.is_empty()
        });
    }

    fn release(&mut self, key: &ResourceKey) {
        let Some(claim) = self.seen.remove(key) else { return };
        for id in &claim.held {
            if let Some(holders) = self.holders.get_mut(id) {
                holders.remove(key);
                if holders.is_empty() {
                    self.holders.remove(id);
                }
            }
        }
    }

    /// Claims an endpoint that was just created.
    pub fn created(&mut self, key: &ResourceKey, id: &EndpointId) {
        self.created.entry(id.clone()).or_default().insert(key.clone());
    }

    /// Ends a resource's claim to an endpoint that was deleted.
    pub fn deleted(&mut self, key: &ResourceKey, id: &EndpointId) {
        if let Some(holders) = self.created.get_mut(id) {
            holders.remove(key);
            if holders.is_empty() {
                self.created.remove(id);
            }
        }
    }

    /// The resources of `networks` that hold an endpoint.
    pub fn holders<'a>(
        &'a self,
        id: &EndpointId,
        networks: &'a BTreeSet<NetworkKey>,
    ) -> impl Iterator<Item = &'a ResourceKey> {
        let holders = self.holders.get(id).into_iter().chain(self.created.get(id)).flatten();
        holders.filter(|holder| self.is_of(holder, networks))
    }

    fn is_of(&self, key: &ResourceKey, networks: &BTreeSet<NetworkKey>) -> bool {
        let network = self.seen.get(key).and_then(|claim| claim.network.as_ref());
        network.is_some_and(|network| networks.contains(network))
    }

    /// Whether any resource of `networks` holds an endpoint.
    #[must_use]
    pub fn is_held(&self, id: &EndpointId, networks: &BTreeSet<NetworkKey>) -> bool {
        self.holders(id, networks).next().is_some()
    }

    /// Whether a resource of `networks` other than `key` holds an endpoint.
    #[must_use]
    pub fn held_by_another(
        &self,
        id: &EndpointId,
        key: &ResourceKey,
        networks: &BTreeSet<NetworkKey>,
    ) -> bool {
        self.holders(id, networks).any(|holder| holder != key)
    }

    /// How many creates of open attempts of other resources of `networks` may have made what `attempt`
    /// would make.
    #[must_use]
    pub fn rival_posts(&self, key: &ResourceKey, attempt: &Attempt, networks: &BTreeSet<NetworkKey>) -> u32 {
        self.seen
            .iter()
            .filter(|(other, _)| *other != key)
            .filter_map(|(_, claim)| Some((claim.network.as_ref()?, claim.attempt.as_ref()?)))
            .filter(|(network, rival)| rival.resembles(attempt) && networks.contains(network))
            .map(|(_, rival)| rival.posts)
            .fold(0, u32::saturating_add)
    }

    /// All resources.
    pub fn keys(&self) -> impl Iterator<Item = &ResourceKey> {
        self.seen.keys()
    }

    /// The resources of a namespace.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a ResourceKey> {
        self.seen.keys().filter(move |key| key.namespace == namespace)
    }

    /// The resources of a network.
    pub fn of_network<'a>(
        &'a self,
        network: &'a NetworkKey,
    ) -> impl Iterator<Item = (&'a ResourceKey, &'a Claim)> {
        self.seen.iter().filter(move |(_, claim)| claim.network.as_ref() == Some(network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ResourceKey {
        ResourceKey { namespace: "billing".to_owned(), name: name.to_owned() }
    }

    fn network(name: &str) -> NetworkKey {
        NetworkKey::Cluster { name: name.to_owned() }
    }

    fn networks(names: &[&str]) -> BTreeSet<NetworkKey> {
        names.iter().map(|name| network(name)).collect()
    }

    fn holding(ids: &[&str]) -> Claim {
        Claim {
            held: ids.iter().map(|id| EndpointId::from(*id)).collect(),
            network: Some(network("a")),
            ..Claim::default()
        }
    }

    #[test]
    fn a_new_claim_replaces_the_old_one() {
        let mut claims = Claims::default();
        claims.see(&key("a"), holding(&["wh_1"]));
        claims.see(&key("a"), holding(&["wh_2"]));
        assert!(!claims.is_held(&"wh_1".into(), &networks(&["a"])));
        assert!(claims.is_held(&"wh_2".into(), &networks(&["a"])));
    }

    #[test]
    fn what_was_just_created_is_claimed_before_a_watch_shows_it() {
        let mut claims = Claims::default();
        let networks = networks(&["a"]);
        claims.see(&key("a"), holding(&[]));
        claims.created(&key("a"), &"wh_1".into());
        assert!(claims.held_by_another(&"wh_1".into(), &key("b"), &networks));
        assert!(!claims.held_by_another(&"wh_1".into(), &key("a"), &networks));
        claims.see(&key("a"), holding(&[]));
        assert!(claims.is_held(&"wh_1".into(), &networks), "an old view must not end the claim");
        claims.deleted(&key("a"), &"wh_1".into());
        assert!(!claims.is_held(&"wh_1".into(), &networks));
    }

    #[test]
    fn another_resource_of_the_same_name_inherits_no_claim() {
        let mut claims = Claims::default();
        claims.see(&key("a"), holding(&["wh_1"]));
        claims.created(&key("a"), &"wh_1".into());
        claims.see(&key("a"), Claim { uid: "another".to_owned(), ..holding(&[]) });
        assert!(!claims.is_held(&"wh_1".into(), &networks(&["a"])));
    }

    #[test]
    fn two_holders_are_both_known_and_let_go_one_by_one() {
        let mut claims = Claims::default();
        let networks = networks(&["a"]);
        claims.see(&key("a"), holding(&["wh_1"]));
        claims.see(&key("b"), holding(&["wh_1"]));
        assert!(claims.held_by_another(&"wh_1".into(), &key("a"), &networks));
        claims.forget(&key("b"), "another uid");
        assert!(claims.held_by_another(&"wh_1".into(), &key("a"), &networks));
        claims.forget(&key("b"), "");
        assert!(!claims.held_by_another(&"wh_1".into(), &key("a"), &networks));
        assert!(claims.is_held(&"wh_1".into(), &networks));
    }

    #[test]
    fn a_rival_sends_the_same_however_it_spells_the_url() {
        let attempt = |url: &str| Attempt {
            uid: String::new(),
            number: 1,
            since: jiff::Timestamp::UNIX_EPOCH,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            until: None,
            posts: 1,
            url: url.into(),
            enabled_events: BTreeSet::new(),
            status: crate::provider::EndpointStatus::Active,
            known: BTreeSet::new(),
        };
        let mut claims = Claims::default();
        let others = [("b", "https://EXAMPLE.com"), ("c", "https://example.com/c")];
        for (name, url) in others {
            claims.see(&key(name), Claim { attempt: Some(attempt(url)), ..holding(&[]) });
        }
        let rivals = claims.rival_posts(&key("a"), &attempt("https://example.com/"), &networks(&["a"]));
        assert_eq!(rivals, 1);
    }

    #[test]
    fn an_id_of_another_api_is_another_id() {
        let mut claims = Claims::default();
        claims.see(&key("a"), holding(&["wh_1"]));
        claims.see(&key("evil"), Claim { network: Some(network("evil")), ..holding(&["wh_1"]) });
        claims.created(&key("evil"), &"wh_1".into());
        claims.created(&key("a"), &"wh_1".into());

        assert!(!claims.held_by_another(&"wh_1".into(), &key("a"), &networks(&["a"])));
        claims.deleted(&key("evil"), &"wh_1".into());
        claims.see(&key("a"), holding(&[]));
        assert!(claims.is_held(&"wh_1".into(), &networks(&["a"])), "its own claim stands");
        assert!(claims.held_by_another(&"wh_1".into(), &key("a"), &networks(&["a", "evil"])));
    }
}
