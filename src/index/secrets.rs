//! The Secrets that the operator wrote, as a watch of their metadata and the answers to our writes show them.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::watcher;

use super::key::ResourceKey;
use super::lookup::Lookup;
use super::secret_meta::StoredMeta;
use super::{Index, version};
use crate::provider::EndpointId;

/// All Secrets of ours, by namespace and name, and by owner.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    known: HashMap<ResourceKey, (Box<StoredMeta>, u64)>,
    /// By the owner's namespace and uid. Owners are in the namespace of what they own
    /// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/>): whoever writes
    /// the uid of another namespace's resource on a Secret gains nothing.
    owned: Lookup<(Arc<str>, Arc<str>)>,
    /// Those without an owner, by the endpoints whose secrets they hold: they were released with them.
    released: Lookup<EndpointId>,
    round: u64,
    complete: bool,
}

/// A Secret that has changed, come or gone.
#[derive(Debug)]
struct Changed {
    secret: ResourceKey,
    /// Whose it is, and was.
    owners: Vec<ResourceKey>,
}

impl<N> Index<N> {
    /// Takes in an event of the watch of Secrets; names the resources that it concerns.
    pub fn apply_secrets<K: Resource<DynamicType = ()>>(
        &mut self,
        event: &watcher::Event<K>,
    ) -> Vec<ResourceKey> {
        let changed = self.secrets.apply(event);
        self.refreshed(changed)
    }

    /// Takes in a Secret as an answer shows it, unless something newer is known; names the resources that it
    /// concerns.
    pub fn see_secret(&mut self, meta: &ObjectMeta) -> Vec<ResourceKey> {
        let changed = self.secrets.put(meta);
        self.refreshed(changed.into_iter().collect())
    }

    /// Drops a Secret that an answer showed to be gone.
    pub fn drop_secret(&mut self, namespace: &str, name: &str) {
        let key = ResourceKey::new(namespace, name);
        let owners = self.secrets.drop_entry(&key).into_iter().collect();
        self.refreshed(vec![Changed { secret: key, owners }]);
    }

    /// Names the resources that changed Secrets concern: those that own one, or did, or are to.
    fn refreshed(&mut self, changed: Vec<Changed>) -> Vec<ResourceKey> {
        let mut concerned = Vec::new();
        for Changed { secret, owners } in changed {
            for owner in &owners {
                self.refresh(owner);
            }
            let wanting =
                self.wanting(&secret).filter(|key| !owners.contains(key)).cloned().collect::<Vec<_>>();
            concerned.extend(owners.into_iter().chain(wanting));
        }
        concerned
    }

    /// The Secret of ours of this namespace and name.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> Option<&StoredMeta> {
        self.secrets.get(namespace, name)
    }

    /// The Secrets of a namespace that the resource with this uid owns, by name.
    pub fn owned_secrets(&self, namespace: &str, uid: &str) -> impl Iterator<Item = (&str, &StoredMeta)> {
        self.secrets.owned_by(namespace, uid)
    }

    /// Whether the secret of an endpoint is in a Secret that was released: somebody goes on using both.
    #[must_use]
    pub fn is_released(&self, endpoint: &EndpointId) -> bool {
        self.secrets.is_released(endpoint)
    }

    /// The Secrets that belong to nobody and hold the secret of an endpoint.
    pub(super) fn released_in(&self, endpoint: &EndpointId) -> impl Iterator<Item = &ResourceKey> {
        self.secrets.released.of(endpoint.clone())
    }

    /// Whether the watch has shown every Secret once.
    #[must_use]
    pub fn secrets_complete(&self) -> bool {
        self.secrets.complete
    }
}

impl Secrets {
    /// Takes in an event of the watch; tells what has changed by it.
    fn apply<K: Resource<DynamicType = ()>>(&mut self, event: &watcher::Event<K>) -> Vec<Changed> {
        match event {
            watcher::Event::Init => {
                self.round += 1;
                Vec::new()
            }
            watcher::Event::InitApply(secret) | watcher::Event::Apply(secret) => {
                self.put(secret.meta()).into_iter().collect()
            }
            watcher::Event::Delete(secret) => self.remove(secret.meta()).into_iter().collect(),
            watcher::Event::InitDone => {
                self.complete = true;
                let round = self.round;
                let missed = self.known.iter().filter(|(_, (_, seen))| *seen < round);
                let missed = missed.map(|(key, _)| key.clone()).collect::<Vec<_>>();
                let drop = |key: ResourceKey| Changed {
                    owners: self.drop_entry(&key).into_iter().collect(),
                    secret: key,
                };
                missed.into_iter().map(drop).collect()
            }
        }
    }

    /// Takes in a Secret as a watch or an answer shows it, unless something newer is known.
    fn put(&mut self, meta: &ObjectMeta) -> Option<Changed> {
        let key = key_of(meta);
        if let Some((known, seen)) = self.known.get_mut(&key) {
            let known = version(known.resource_version.as_deref());
            if known.is_some() && known >= version(meta.resource_version.as_deref()) {
                *seen = self.round;
                return None;
            }
        }
        let stored = StoredMeta::of(meta);
        let before = self.drop_entry(&key);
        let owner = stored.owner.as_ref().map(|(name, uid)| {
            self.owned.insert((key.namespace.clone(), uid.clone()), &key);
            ResourceKey { namespace: key.namespace.clone(), name: name.clone() }
        });
        if owner.is_none() {
            stored.endpoints().for_each(|id| self.released.insert(id.clone(), &key));
        }
        let mut owners = before.into_iter().chain(owner).collect::<Vec<_>>();
        owners.dedup();
        self.known.insert(key.clone(), (Box::new(stored), self.round));
        Some(Changed { secret: key, owners })
    }

    /// Takes in that a Secret was deleted, unless something newer is known.
    fn remove(&mut self, meta: &ObjectMeta) -> Option<Changed> {
        let key = key_of(meta);
        if self.is_newer_than(&key, meta) {
            return None;
        }
        Some(Changed { owners: self.drop_entry(&key).into_iter().collect(), secret: key })
    }

    fn is_newer_than(&self, key: &ResourceKey, meta: &ObjectMeta) -> bool {
        let known = self.known.get(key).and_then(|(known, _)| version(known.resource_version.as_deref()));
        known > version(meta.resource_version.as_deref())
    }

    /// Drops an entry and names its owner.
    fn drop_entry(&mut self, key: &ResourceKey) -> Option<ResourceKey> {
        let (stored, _) = self.known.remove(key)?;
        let Some((name, uid)) = stored.owner else {
            stored.endpoints().for_each(|id| self.released.remove(id.clone(), key));
            return None;
        };
        self.owned.remove((key.namespace.clone(), uid), key);
        Some(ResourceKey { namespace: key.namespace.clone(), name })
    }

    /// The Secret of this namespace and name.
    fn get(&self, namespace: &str, name: &str) -> Option<&StoredMeta> {
        self.known.get(&ResourceKey::new(namespace, name)).map(|(stored, _)| &**stored)
    }

    /// Whether the secret of an endpoint is in a Secret that was released: somebody goes on using both.
    fn is_released(&self, endpoint: &EndpointId) -> bool {
        self.released.of(endpoint.clone()).next().is_some()
    }

    /// The Secrets of a namespace that the resource with this uid owns, by name.
    fn owned_by(&self, namespace: &str, uid: &str) -> impl Iterator<Item = (&str, &StoredMeta)> {
        let owned = self.owned.of((namespace.into(), uid.into()));
        owned.filter_map(|key| Some((&*key.name, &*self.known.get(key)?.0)))
    }
}

fn key_of(meta: &ObjectMeta) -> ResourceKey {
    ResourceKey::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::ENDPOINT_ID_ANNOTATION;

    fn put(index: &mut Index<()>, namespace: &str, name: &str, uid: &str) -> Vec<ResourceKey> {
        let meta = json!({
            "namespace": namespace, "name": name, "resourceVersion": "1",
            "ownerReferences": [{
                "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "name": "e", "uid": uid,
            }],
        });
        index.see_secret(&serde_json::from_value(meta).unwrap())
    }

    #[test]
    fn a_secret_that_names_the_owner_of_another_namespace_is_not_its() {
        let mut index = Index::<()>::default();
        put(&mut index, "billing", "own", "uid");
        put(&mut index, "evil", "database-password", "uid");
        let names = |namespace: &str| {
            index.owned_secrets(namespace, "uid").map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("billing"), ["own"]);
        assert_eq!(names("evil"), ["database-password"]);
    }

    #[test]
    fn a_secret_that_goes_is_owned_no_more() {
        let mut index = Index::<()>::default();
        put(&mut index, "billing", "own", "uid");
        index.drop_secret("billing", "own");
        assert_eq!(index.owned_secrets("billing", "uid").count(), 0);
        assert!(index.secrets.owned.is_empty());
    }

    #[test]
    fn a_secret_without_an_owner_was_released_with_its_endpoint() {
        let mut index = Index::<()>::default();
        let mut secret = |name: &str, version: &str, owners: &serde_json::Value| {
            let meta = json!({
                "namespace": "billing", "name": name, "resourceVersion": version,
                "annotations": { ENDPOINT_ID_ANNOTATION: format!("wh_{name}") }, "ownerReferences": owners,
            });
            index.see_secret(&serde_json::from_value(meta).unwrap());
            ["wh_a", "wh_b"].map(|id| index.is_released(&id.into()))
        };
        let owner = json!([{
            "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "name": "e", "uid": "uid",
        }]);
        assert_eq!(secret("a", "1", &owner), [false, false]);
        assert_eq!(secret("a", "2", &json!([])), [true, false]);
        assert_eq!(secret("b", "3", &json!([])), [true, true]);
        assert_eq!(secret("b", "4", &owner), [true, false]);
        index.drop_secret("billing", "a");
        assert!(!index.is_released(&"wh_a".into()));
    }
}
