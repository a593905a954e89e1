//! Which resource holds which remote endpoint, and which creates are unresolved.

use super::Index;
use super::key::{NetworkKey, ResourceKey};
use super::lookup::Lookup;
use super::networks::Api;
use super::resource::Resource;
use crate::planning::Attempt;
use crate::provider::{EndpointId, EndpointUrl};

/// Who holds which endpoint, and who may be about to make one.
///
/// An id, or a URL, counts among the networks of one API only: an API of a tenant's own may answer with any id,
/// also with that of another tenant's endpoint.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    by_id: Lookup<(Api, EndpointId)>,
    /// By the endpoints that resources which hold none declare to adopt.
    claims: Lookup<(Api, EndpointId)>,
    /// Those with an open attempt.
    by_url: Lookup<(Api, EndpointUrl)>,
    /// By the names of their Secrets, where these are not the resources' own.
    secret_names: Lookup<ResourceKey>,
}

/// What one resource holds, as the lookups have it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Holding {
    api: Option<Api>,
    ids: Vec<EndpointId>,
    /// What it declares to adopt, while it holds nothing.
    pub(super) claim: Option<EndpointId>,
    /// Where its open attempt sends to.
    url: Option<EndpointUrl>,
    /// The declared name of its Secret, if it is not the resource's own.
    secret: Option<ResourceKey>,
}

impl Holdings {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
            && self.claims.is_empty()
            && self.by_url.is_empty()
            && self.secret_names.is_empty()
    }

    /// Brings the lookups from what a resource held before to what it holds now.
    pub(super) fn replace(&mut self, key: &ResourceKey, before: &Holding, after: &Holding) {
        if before == after {
            return;
        }
        for id in before.ids() {
            self.by_id.remove(id, key);
        }
        for id in after.ids() {
            self.by_id.insert(id, key);
        }
        if let Some(claim) = before.claim() {
            self.claims.remove(claim, key);
        }
        if let Some(claim) = after.claim() {
            self.claims.insert(claim, key);
        }
        if let Some(url) = before.url() {
            self.by_url.remove(url, key);
        }
        if let Some(url) = after.url() {
            self.by_url.insert(url, key);
        }
        if let Some(secret) = before.secret.clone() {
            self.secret_names.remove(secret, key);
        }
        if let Some(secret) = after.secret.clone() {
            self.secret_names.insert(secret, key);
        }
    }
}

impl Holding {
    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether something may have been made.
    pub(super) fn is_open(&self) -> bool {
        self.url.is_some()
    }

    fn ids(&self) -> impl Iterator<Item = (Api, EndpointId)> {
        self.api.iter().flat_map(|api| self.ids.iter().map(move |id| (api.clone(), id.clone())))
    }

    fn claim(&self) -> Option<(Api, EndpointId)> {
        self.api.clone().zip(self.claim.clone())
    }

    fn url(&self) -> Option<(Api, EndpointUrl)> {
        self.api.clone().zip(self.url.clone())
    }
}

impl<N> Index<N> {
    /// Takes in that what a resource holds may have changed.
    pub(super) fn refresh(&mut self, key: &ResourceKey) {
        let Some(record) = self.record(key) else { return };
        let after = self.holding(&record.resource, &record.created);
        let Some(record) = self.resources.get_mut(key) else { return };
        let before = std::mem::replace(&mut record.holding, after);
        self.holdings.replace(key, &before, &record.holding);
    }

    fn holding(&self, resource: &Resource, created: &[EndpointId]) -> Holding {
        let open = self.open_attempt(resource);
        let secrets = self.owned_secrets(&resource.key.namespace, &resource.uid);
        let stored = secrets.flat_map(|(_, secret)| secret.endpoints()).cloned();
        let mut ids = resource.roles().into_keys().chain(stored).collect::<Vec<_>>();
        ids.extend(created.iter().cloned());
        ids.sort_unstable();
        ids.dedup();
        let Resource { key: ResourceKey { namespace, name }, secret_name, .. } = resource;
        let secret =
            (**secret_name != **name).then(|| ResourceKey::new(namespace.clone(), secret_name.as_str()));
        let url = open.map(|attempt| attempt.url.clone());
        let claim = resource.adopts().filter(|_| ids.is_empty()).cloned();
        Holding { api: Some(self.api(&resource.network)), ids, claim, url, secret }
    }

    /// The resources that declare a Secret of this name.
    pub(super) fn wanting(&self, secret: &ResourceKey) -> impl Iterator<Item = &ResourceKey> {
        let own = self.record(secret).filter(|record| *record.resource.secret_name == *secret.name);
        let own = own.map(|record| &record.resource.key);
        self.holdings.secret_names.of(secret.clone()).chain(own)
    }

    /// The latest attempt of a resource, while neither its status nor a Secret shows its outcome.
    fn open_attempt<'a>(&self, resource: &'a Resource) -> Option<&'a Attempt> {
        let secrets = self.owned_secrets(&resource.key.namespace, &resource.uid);
        let stored = secrets.map(|(_, secret)| secret.attempt).max().unwrap_or(0);
        let resolved = stored.max(resource.resolved_attempt());
        resource.attempt.as_ref().filter(|attempt| attempt.is_open(&resource.uid, resolved))
    }

    /// Has a resource hold an endpoint that was just created for it. Tells whether it is still there.
    pub fn created(&mut self, key: &ResourceKey, uid: &str, id: &EndpointId) -> bool {
        let Some(record) = self.record_of(key, uid) else { return false };
        if !record.created.contains(id) {
            record.created.push(id.clone());
        }
        self.refresh(key);
        true
    }

    /// Ends a resource's hold, as its creator, of an endpoint that was deleted.
    pub fn deleted(&mut self, key: &ResourceKey, uid: &str, id: &EndpointId) {
        let Some(record) = self.record_of(key, uid) else { return };
        record.created.retain(|created| created != id);
        self.refresh(key);
    }

    /// The resources that hold an endpoint, of all networks that lead to the same API as `network`.
    pub fn holders(
        &self,
        network: &NetworkKey,
        id: &EndpointId,
    ) -> impl Iterator<Item = &ResourceKey> + use<'_, N> {
        self.holdings.by_id.of((self.api(network), id.clone()))
    }

    /// The resources that declare to adopt an endpoint, and hold none.
    pub fn claimants(
        &self,
        network: &NetworkKey,
        id: &EndpointId,
    ) -> impl Iterator<Item = &ResourceKey> + use<'_, N> {
        self.holdings.claims.of((self.api(network), id.clone()))
    }

    /// Whether a resource other than `key` holds an endpoint, or declares to adopt it.
    #[must_use]
    pub fn is_spoken_for(&self, network: &NetworkKey, id: &EndpointId, key: &ResourceKey) -> bool {
        self.holders(network, id).chain(self.claimants(network, id)).any(|other| other != key)
    }

    /// Whether a resource that declared it earlier, or is the first by name of those of one second, adopts an endpoint.
    pub(super) fn is_claimed_before(&self, resource: &Resource, id: &EndpointId) -> bool {
        let age = |resource: &Resource| (resource.created_at, resource.key.clone());
        let others = self.claimants(&resource.network, id).filter(|key| **key != resource.key);
        others.filter_map(|key| self.record(key)).any(|other| age(&other.resource) < age(resource))
    }

    /// Whether any resource holds an endpoint, or declares to adopt it.
    #[must_use]
    pub fn is_held(&self, network: &NetworkKey, id: &EndpointId) -> bool {
        self.holders(network, id).chain(self.claimants(network, id)).next().is_some()
    }

    /// Whether a resource other than `key` holds an endpoint.
    #[must_use]
    pub fn held_by_another(&self, network: &NetworkKey, id: &EndpointId, key: &ResourceKey) -> bool {
        self.holders(network, id).any(|holder| holder != key)
    }

    /// How many creates of open attempts of other resources may have made what `attempt` of `key` would make.
    #[must_use]
    pub fn rival_posts(&self, key: &ResourceKey, attempt: &Attempt) -> u32 {
        let Some(record) = self.record(key) else { return 0 };
        let url = (self.api(&record.resource.network), attempt.url.clone());
        let others = self.holdings.by_url.of(url).filter(|other| *other != key);
        let rivals = others.filter_map(|other| self.record(other)?.resource.attempt.as_ref());
        let posts = rivals.filter(|rival| rival.resembles(attempt)).map(|rival| rival.posts);
        posts.fold(0, u32::saturating_add)
    }
}
