//! The metadata of the Secrets that the operator wrote. Their values are never kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::watcher;

use super::key::ResourceKey;
use super::version;
use crate::provider::EndpointId;
use crate::resources::{ENDPOINT_ID_ANNOTATION, GROUP, SECRET_ATTEMPT_ANNOTATION, TEMPLATE_ANNOTATION};

/// What is known of one Secret of ours, from its metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredMeta {
    /// The name and uid of the `WebhookEndpoint` that owns it.
    pub owner: Option<(String, String)>,
    /// Its resource version.
    pub resource_version: Option<String>,
    /// The endpoint whose secret it holds.
    pub endpoint: Option<EndpointId>,
    /// The attempt that made the endpoint.
    pub attempt: u64,
    /// The labels that were set because they were declared.
    pub labels: BTreeMap<String, String>,
    /// The annotations that were set because they were declared.
    pub annotations: BTreeMap<String, String>,
}

/// The keys of labels and annotations that were set because they were declared; kept on the Secret.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct TemplateKeys {
    /// Keys of labels.
    #[serde(default)]
    pub labels: BTreeSet<String>,
    /// Keys of annotations.
    #[serde(default)]
    pub annotations: BTreeSet<String>,
}

impl StoredMeta {
    /// Reads a Secret's metadata.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        let annotation = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key));
        let keys: TemplateKeys = annotation(TEMPLATE_ANNOTATION)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let owner = meta.owner_references.iter().flatten().find(|owner| {
            owner.kind == "WebhookEndpoint" && owner.api_version.split('/').next() == Some(GROUP)
        });
        Self {
            owner: owner.map(|owner| (owner.name.clone(), owner.uid.clone())),
            resource_version: meta.resource_version.clone(),
            endpoint: annotation(ENDPOINT_ID_ANNOTATION).map(|id| EndpointId::from(id.as_str())),
            attempt: annotation(SECRET_ATTEMPT_ANNOTATION).and_then(|text| text.parse().ok()).unwrap_or(0),
            labels: pick(meta.labels.as_ref(), &keys.labels),
            annotations: pick(meta.annotations.as_ref(), &keys.annotations),
        }
    }
}

fn pick(all: Option<&BTreeMap<String, String>>, keys: &BTreeSet<String>) -> BTreeMap<String, String> {
    all.into_iter()
        .flatten()
        .filter(|(key, _)| keys.contains(*key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// All Secrets of ours, by namespace and name, and by owner.
#[derive(Debug, Default)]
pub struct SecretIndex {
    secrets: HashMap<ResourceKey, (StoredMeta, u64)>,
    /// By the owner's namespace and uid. Owners are in the namespace of what they own
    /// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/>): whoever writes
    /// the uid of another namespace's resource on a Secret gains nothing.
    owned: HashMap<(String, String), BTreeSet<String>>,
    /// Those without an owner: they were released with their endpoints.
    released: BTreeSet<ResourceKey>,
    round: u64,
    complete: bool,
}

impl SecretIndex {
    /// Takes in an event of the watch; names the resources that it concerns.
    pub fn apply<K: Resource<DynamicType = ()>>(&mut self, event: &watcher::Event<K>) -> Vec<ResourceKey> {
        match event {
            watcher::Event::Init => {
                self.round += 1;
                Vec::new()
            }
            watcher::Event::InitApply(secret) | watcher::Event::Apply(secret) => self.put(secret.meta()),
            watcher::Event::Delete(secret) => self.remove(secret.meta()),
            watcher::Event::InitDone => {
                self.complete = true;
                let round = self.round;
                let missed = self.secrets.iter().filter(|(_, (_, seen))| *seen < round);
                let missed = missed.map(|(key, _)| key.clone()).collect::<Vec<_>>();
                missed.iter().filter_map(|key| self.drop_entry(key)).collect()
            }
        }
    }

    /// Whether the watch has shown every Secret once.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Takes in a Secret as a watch or an answer shows it, unless something newer is known.
    pub fn put(&mut self, meta: &ObjectMeta) -> Vec<ResourceKey> {
        let key = key_of(meta);
        let stored = StoredMeta::of(meta);
        if self.is_newer_than(&key, meta) {
            if let Some((_, seen)) = self.secrets.get_mut(&key) {
                *seen = self.round;
            }
            return Vec::new();
        }
        let before = self.drop_entry(&key);
        let owner = stored.owner.as_ref().map(|(name, uid)| {
            let owned = self.owned.entry((key.namespace.clone(), uid.clone())).or_default();
            owned.insert(key.name.clone());
            ResourceKey { namespace: key.namespace.clone(), name: name.clone() }
        });
        if owner.is_none() {
            self.released.insert(key.clone());
        }
        self.secrets.insert(key, (stored, self.round));
        let mut concerned = before.into_iter().chain(owner).collect::<Vec<_>>();
        concerned.dedup();
        concerned
    }

    /// Takes in that a Secret was deleted, unless something newer is known.
    pub fn remove(&mut self, meta: &ObjectMeta) -> Vec<ResourceKey> {
        let key = key_of(meta);
        if self.is_newer_than(&key, meta) {
            return Vec::new();
        }
        self.drop_entry(&key).into_iter().collect()
    }

    /// Drops a Secret that an answer showed to be gone.
    pub fn drop_named(&mut self, namespace: &str, name: &str) {
        self.drop_entry(&ResourceKey { namespace: namespace.to_owned(), name: name.to_owned() });
    }

    fn is_newer_than(&self, key: &ResourceKey, meta: &ObjectMeta) -> bool {
        let known = self.secrets.get(key).and_then(|(known, _)| version(known.resource_version.as_deref()));
        known > version(meta.resource_version.as_deref())
    }

    /// Drops an entry and names its owner.
    fn drop_entry(&mut self, key: &ResourceKey) -> Option<ResourceKey> {
        let (stored, _) = self.secrets.remove(key)?;
        self.released.remove(key);
        let (name, uid) = stored.owner?;
        let owner = (key.namespace.clone(), uid);
        if let Some(owned) = self.owned.get_mut(&owner) {
            owned.remove(&key.name);
            if owned.is_empty() {
                self.owned.remove(&owner);
            }
        }
        Some(ResourceKey { namespace: key.namespace.clone(), name })
    }

    /// The Secret of this namespace and name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&StoredMeta> {
        let key = ResourceKey { namespace: namespace.to_owned(), name: name.to_owned() };
        self.secrets.get(&key).map(|(stored, _)| stored)
    }

    /// Whether the secret of an endpoint is in a Secret that was released: somebody goes on using both.
    #[must_use]
    pub fn is_released(&self, endpoint: &EndpointId) -> bool {
        let stored = self.released.iter().filter_map(|key| self.secrets.get(key));
        stored.into_iter().any(|(stored, _)| stored.endpoint.as_ref() == Some(endpoint))
    }

    /// The Secrets of a namespace that the resource with this uid owns, by name.
    pub fn owned_by(&self, namespace: &str, uid: &str) -> impl Iterator<Item = (&str, &StoredMeta)> {
        let owner = (namespace.to_owned(), uid.to_owned());
        self.owned.get(&owner).into_iter().flatten().filter_map(move |name| {
            let key = ResourceKey { namespace: owner.0.clone(), name: name.clone() };
            let (stored, _) = self.secrets.get(&key)?;
            Some((name.as_str(), stored))
        })
    }
}

fn key_of(meta: &ObjectMeta) -> ResourceKey {
    ResourceKey {
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn put(index: &mut SecretIndex, namespace: &str, name: &str, uid: &str) -> Vec<ResourceKey> {
        let meta = json!({
            "namespace": namespace, "name": name, "resourceVersion": "1",
            "ownerReferences": [{
                "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "name": "e", "uid": uid,
            }],
        });
        index.put(&serde_json::from_value(meta).unwrap())
    }

    #[test]
    fn a_secret_that_names_the_owner_of_another_namespace_is_not_its() {
        let mut index = SecretIndex::default();
        put(&mut index, "billing", "own", "uid");
        put(&mut index, "evil", "database-password", "uid");
        let names = |namespace: &str| {
            index.owned_by(namespace, "uid").map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("billing"), ["own"]);
        assert_eq!(names("evil"), ["database-password"]);
    }

    #[test]
    fn a_secret_that_goes_is_owned_no_more() {
        let mut index = SecretIndex::default();
        put(&mut index, "billing", "own", "uid");
        index.drop_named("billing", "own");
        assert_eq!(index.owned_by("billing", "uid").count(), 0);
        assert!(index.owned.is_empty());
    }

    #[test]
    fn a_secret_without_an_owner_was_released_with_its_endpoint() {
        let mut index = SecretIndex::default();
        let mut secret = |name: &str, version: &str, owners: &serde_json::Value| {
            let meta = json!({
                "namespace": "billing", "name": name, "resourceVersion": version,
                "annotations": { ENDPOINT_ID_ANNOTATION: format!("wh_{name}") }, "ownerReferences": owners,
            });
            index.put(&serde_json::from_value(meta).unwrap());
            ["wh_a", "wh_b"].map(|id| index.is_released(&id.into()))
        };
        let owner = json!([{
            "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "name": "e", "uid": "uid",
        }]);
        assert_eq!(secret("a", "1", &owner), [false, false]);
        assert_eq!(secret("a", "2", &json!([])), [true, false]);
        assert_eq!(secret("b", "3", &json!([])), [true, true]);
        assert_eq!(secret("b", "4", &owner), [true, false]);
        index.drop_named("billing", "a");
        assert!(!index.is_released(&"wh_a".into()));
    }
}
