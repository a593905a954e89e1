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
    /// Endpoints that its status or its Secrets name.
    pub held: BTreeSet<EndpointId>,
    /// A create whose outcome is not on record.
    pub attempt: Option<Attempt>,
}

/// The claims of all resources.
///
/// What this process created is claimed from the moment of the API's answer, before any watch shows it.
#[derive(Debug, Default)]
pub struct Claims {
    seen: BTreeMap<ResourceKey, Claim>,
    created: HashMap<EndpointId, ResourceKey>,
    holders: HashMap<EndpointId, BTreeSet<ResourceKey>>,
}

impl Claims {
    /// Replaces what is known of a resource's claim.
    pub fn see(&mut self, key: &ResourceKey, claim: Claim) {
        if self.seen.get(key) == Some(&claim) {
            return;
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
        self.created.retain(|_, holder| holder != key);
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
        self.created.insert(id.clone(), key.clone());
    }

    /// Ends the claim to an endpoint that was deleted.
    pub fn deleted(&mut self, id: &EndpointId) {
        self.created.remove(id);
    }

    /// The resources that hold an endpoint.
    pub fn holders(&self, id: &EndpointId) -> impl Iterator<Item = &ResourceKey> {
        self.holders.get(id).into_iter().flatten().chain(self.created.get(id))
    }

    /// Whether any resource holds an endpoint.
    #[must_use]
    pub fn is_held(&self, id: &EndpointId) -> bool {
        self.holders(id).next().is_some()
    }

    /// Whether a resource other than `key` holds an endpoint.
    #[must_use]
    pub fn held_by_another(&self, id: &EndpointId, key: &ResourceKey) -> bool {
        self.holders(id).any(|holder| holder != key)
    }

    /// How many creates of other resources' open attempts may have made what `attempt` would make.
    #[must_use]
    pub fn rival_posts(&self, key: &ResourceKey, attempt: &Attempt) -> u32 {
        self.seen
            .iter()
            .filter(|(other, _)| *other != key)
            .filter_map(|(_, claim)| claim.attempt.as_ref())
            .filter(|rival| rival.sends(&attempt.request()))
            .map(|rival| rival.posts)
            .sum()
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

    fn holding(ids: &[&str]) -> Claim {
        Claim { held: ids.iter().map(|id| EndpointId::from(*id)).collect(), ..Claim::default() }
    }

    #[test]
    fn a_new_claim_replaces_the_old_one() {
        let mut claims = Claims::default();
        claims.see(&key("a"), holding(&["wh_1"]));
        claims.see(&key("a"), holding(&["wh_2"]));
        assert!(!claims.is_held(&"wh_1".into()));
        assert!(claims.is_held(&"wh_2".into()));
    }

    #[test]
    fn what_was_just_created_is_claimed_before_a_watch_shows_it() {
        let mut claims = Claims::default();
        claims.created(&key("a"), &"wh_1".into());
        assert!(claims.held_by_another(&"wh_1".into(), &key("b")));
        assert!(!claims.held_by_another(&"wh_1".into(), &key("a")));
        claims.see(&key("a"), holding(&[]));
        assert!(claims.is_held(&"wh_1".into()), "an old view must not end the claim");
        claims.deleted(&"wh_1".into());
        assert!(!claims.is_held(&"wh_1".into()));
    }

    #[test]
    fn two_holders_are_both_known_and_let_go_one_by_one() {
        let mut claims = Claims::default();
        claims.see(&key("a"), holding(&["wh_1"]));
        claims.see(&key("b"), holding(&["wh_1"]));
        assert!(claims.held_by_another(&"wh_1".into(), &key("a")));
        claims.forget(&key("b"), "another uid");
        assert!(claims.held_by_another(&"wh_1".into(), &key("a")));
        claims.forget(&key("b"), "");
        assert!(!claims.held_by_another(&"wh_1".into(), &key("a")));
        assert!(claims.is_held(&"wh_1".into()));
    }
}
