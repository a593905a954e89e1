//! All that planning wants to know of one resource.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::Index;
use super::inventory::Inventory;
use super::key::{NetworkKey, ResourceKey};
use super::local::{LocalState, SecretWrite};
use super::resource::Resource;
use super::resources::ListRequest;
use super::secret_meta::StoredMeta;
use crate::planning::{
    Admission, Attempt, FreshList, HeldSecret, Holders, Intent, Mutability, NetworkState, Observed, Presence,
    Progress, Record, Refusal, Remote, SecretState, SecretWrites, Timing, Unread,
};
use crate::provider::{Endpoint, EndpointId};

/// How long requests for a fresh list are collected, so that those of many resources are answered by one.
const TOGETHER: SignedDuration = SignedDuration::from_secs(1);
/// How far the clocks of the cluster's machines may disagree.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What the clocks show at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The API's.
    pub api: Timestamp,
    /// The cluster's, as this machine has it.
    pub cluster: Timestamp,
    /// One that is never set.
    pub monotonic: Instant,
}

/// How long something is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// How long after a create a list may fail to show its endpoint.
    pub settle: Duration,
    /// How long a Secret that is lost may come back.
    pub recovery: Duration,
}

impl<N> Index<N> {
    /// All that is known of one resource, but for what was done just before; `None` when it is gone or was let
    /// go.
    pub fn observe(
        &mut self,
        key: &ResourceKey,
        clocks: Clocks,
        waits: Waits,
    ) -> Option<(Arc<Resource>, Observed)> {
        let resource = self.resource(key)?;
        let known = self.usable(&resource.network, resource.network_use());
        let incarnation = self.incarnation(&resource.network);
        let call = known.as_ref().map_or(Duration::ZERO, |known| known.timeout());
        let network = match &known {
            Ok(known) => NetworkState::Available(Admission {
                refusal: self.refusal(&resource, known.access()),
                openness: known.access().openness,
                identity: known.standing().identity(),
            }),
            Err(unavailable) => NetworkState::Unavailable(unavailable.clone()),
        };
        let timing = Timing { settle: waits.settle, call };
        let record = self.record_mut(key)?;
        if let Some(request) = &mut record.list_requested {
            let due = clocks.api.checked_add(TOGETHER).unwrap_or(Timestamp::MAX);
            request.due.get_or_insert(due);
        }
        let local = &mut record.local;
        local.retain_deadline.observe(&resource.intent, &network, clocks.monotonic);
        if let Some(incarnation) = incarnation {
            local.pace.on(resource.generation, incarnation);
        }
        let reach = local.retain_deadline.reach(timing.settling(), clocks.monotonic);

        let local = &self.record(key)?.local;
        let (attempt, record) = latest(&resource, local.memory.unanswered_attempt());
        let attempt = attempt.map(|attempt| credible(attempt, &resource, clocks));
        let (secret, former_secrets) = self.secret_states(&resource, local);
        let recorded = resource.recorded();
        let released = recorded.endpoints.keys().filter(|id| self.is_released(id)).cloned().collect();
        let mut observed = Observed {
            uid: resource.uid.clone(),
            generation: resource.generation,
            recorded,
            finalizer: resource.finalizer(),
            progress: attempt.as_ref().map_or(Progress::Unknown, |attempt| local.memory.progress(attempt)),
            attempt,
            record,
            in_hand: local.memory.in_hand().cloned(),
            secret_name: resource.secret_name.clone(),
            secret,
            former_secrets,
            released,
            secret_writes: self.secret_writes(&resource, local),
            network,
            reach,
            timing,
            activations: local.memory.activations().cloned(),
            recoveries: local.memory.recoveries(),
            resting: local.pace.resting(clocks.monotonic),
            ..Observed::default()
        };
        observed.claim.clone_from(&self.record(key)?.holding.claim);
        let lacks = observed.lacks_secret();
        observed.grace = self.record_mut(key)?.local.grace(lacks, waits.recovery, clocks.monotonic);
        if let Some(open) = observed.open_attempt() {
            observed.rival_posts = self.rival_posts(key, open);
        }
        if let NetworkState::Available(_) = observed.network
            && let Some(inventory) = self.inventory(&resource.network)
        {
            // A list that seems to lie ahead was begun before the API's clock was set back, and it can't be
            // told any more what came after it.
            observed.listed_at = inventory.listed_at().filter(|at| *at <= clocks.api);
            let request = self.record(key)?.list_requested;
            let request = request.filter(|request| !inventory.is_listed_since(request.since));
            let due = |request: ListRequest| FreshList::Requested(request.due.unwrap_or(clocks.api));
            observed.fresh_list = request.map_or(FreshList::NotRequested, due);
            observed.remote = self.remote(&resource, inventory, &observed);
            observed.candidates = self.candidates(&resource, inventory, observed.attempt.as_ref());
            observed.unread = self.unread(&resource, inventory);
            observed.claimed_elsewhere = self.claimed_elsewhere(&resource, &observed);
        }
        Some((resource, observed))
    }

    fn refusal(&self, resource: &Resource, access: &super::Access) -> Option<Refusal> {
        let namespace = &resource.key.namespace;
        match &resource.intent {
            Intent::Converge(desired) | Intent::Pause(desired) => {
                let labels = self.namespace_labels(namespace);
                access.refusal(namespace, labels, desired.endpoint.url.as_str())
            }
            Intent::Finalize(_) | Intent::PauseDeletion | Intent::Unreadable(_) => None,
        }
    }

    fn secret_writes(&self, resource: &Resource, local: &LocalState) -> SecretWrites {
        let Resource { key, uid, secret_name, intent, .. } = resource;
        let Intent::Converge(desired) = intent else { return SecretWrites::Unproven };
        let own = self.secret(&key.namespace, secret_name).filter(|known| known.is_of(uid));
        let shown = match own {
            // What can't be changed is made anew.
            Some(own) if own.mutability == Mutability::Immutable => true,
            Some(own) => local.overwrite_proven == own.resource_version,
            None => self.is_proven(&key.namespace, &desired.secret),
        };
        if shown && local.secret_write == SecretWrite::Usual {
            SecretWrites::Proven
        } else {
            SecretWrites::Unproven
        }
    }

    /// The Secret under the declared name, and those of the resource under other names.
    fn secret_states(
        &self,
        resource: &Resource,
        local: &LocalState,
    ) -> (SecretState, BTreeMap<String, HeldSecret>) {
        let Resource { key, uid, secret_name, .. } = resource;
        let held = |name: &str, meta: &StoredMeta| held(resource, name, meta);
        let recorded = resource.status.endpoint.as_ref().map(|endpoint| endpoint.id.as_str());
        let is_recorded = |meta: &StoredMeta| meta.endpoint.as_ref().map(EndpointId::as_str) == recorded;
        let declared = match self.secret(&key.namespace, secret_name) {
            Some(meta) => match &meta.owner {
                Some((_, owner)) if **owner == **uid => SecretState::Held(held(secret_name, meta)),
                Some((owner, _)) if *owner == key.name => {
                    SecretState::OfFormerResource(held(secret_name, meta))
                }
                None if is_recorded(meta) || !self.has_copies(key, secret_name, meta) => {
                    SecretState::Ownerless(held(secret_name, meta))
                }
                _ => SecretState::Foreign,
            },
            None if local.secret_write == SecretWrite::Foreign(secret_name.clone()) => SecretState::Foreign,
            None => SecretState::Absent,
        };
        let former = self.owned_secrets(&key.namespace, uid).filter(|(name, _)| name != secret_name);
        (declared, former.map(|(name, meta)| (name.to_owned(), held(name, meta))).collect())
    }

    /// Whether another Secret that belongs to nobody claims to hold the same: it can't be told which one counts.
    fn has_copies(&self, key: &ResourceKey, name: &str, meta: &StoredMeta) -> bool {
        let own = ResourceKey::new(key.namespace.clone(), name);
        meta.endpoint.as_ref().is_some_and(|id| self.released_in(id).any(|other| *other != own))
    }

    /// The endpoints that a resource may hold, in whatever role.
    fn remote(
        &self,
        resource: &Resource,
        inventory: &Inventory,
        observed: &Observed,
    ) -> BTreeMap<EndpointId, Remote> {
        let secrets = observed.held_secrets();
        let stored = secrets.flat_map(|secret| secret.endpoint.iter().chain(&secret.previous));
        let in_hand = observed.in_hand.iter().map(|hand| &hand.id);
        let unowned = observed.unowned_secret().and_then(|found| found.endpoint.as_ref());
        let ids = observed.recorded.endpoints.keys().chain(stored).chain(in_hand).chain(unowned);
        let ids = ids.chain(&observed.claim).collect::<BTreeSet<_>>();
        let seen = ids.into_iter().filter_map(|id| Some((id, inventory.presence(id)?)));
        seen.map(|(id, presence)| {
            let contested = self.held_by_another(&resource.network, id, &resource.key)
                || (observed.claim.as_ref() == Some(id) && self.is_claimed_before(resource, id));
            let holders = if contested { Holders::Several } else { Holders::Sole };
            (id.clone(), Remote { presence, holders })
        })
        .collect()
    }

    /// The network in which the endpoint to adopt is instead, of those that the resource's namespace may use.
    fn claimed_elsewhere(&self, resource: &Resource, observed: &Observed) -> Option<String> {
        let id = observed.claim.as_ref()?;
        let is_here =
            observed.remote.get(id).is_some_and(|remote| matches!(remote.presence, Presence::Present(_)));
        let namespace = &resource.key.namespace;
        let api = self.api(&resource.network);
        let others = self.networks.of_api(&api).filter(|(key, known)| {
            let own = match key {
                NetworkKey::Cluster { .. } => true,
                NetworkKey::Namespaced { namespace: own, .. } => own == namespace,
            };
            own && **key != resource.network
                && known.access().check_namespace(namespace, self.namespace_labels(namespace)).is_ok()
                && known.inventory.present(id).is_some()
        });
        others.map(|(key, _)| key.to_string()).min().filter(|_| !is_here)
    }

    fn unread(&self, resource: &Resource, inventory: &Inventory) -> Unread {
        let Unread { ids, nameless } = inventory.unread();
        let others = |id: &&EndpointId| !self.is_spoken_for(&resource.network, id, &resource.key);
        Unread { ids: ids.iter().filter(others).cloned().collect(), nameless: *nameless }
    }

    /// The endpoints that a create of the resource may have made.
    fn candidates(
        &self,
        resource: &Resource,
        inventory: &Inventory,
        attempt: Option<&Attempt>,
    ) -> Vec<Endpoint> {
        let wanted = match &resource.intent {
            Intent::Converge(desired) | Intent::Pause(desired) => Some(&desired.endpoint.url),
            Intent::Finalize(_) | Intent::PauseDeletion | Intent::Unreadable(_) => None,
        };
        let attempted = attempt.map(|attempt| &attempt.url);
        let urls = wanted.into_iter().chain(attempted.filter(|url| wanted != Some(url)));
        let endpoints = urls.flat_map(|url| inventory.with_url(url));
        let nobodys = endpoints.filter(|endpoint| {
            !self.is_spoken_for(&resource.network, &endpoint.id, &resource.key)
                && !self.is_released(&endpoint.id)
        });
        nobodys.cloned().collect()
    }
}

/// The latest attempt. What this process has sent and does not know the outcome of was on record: whoever replaces
/// the resource with `kubectl replace` removes that.
fn latest(resource: &Resource, unanswered: Option<&Attempt>) -> (Option<Attempt>, Record) {
    let recorded = resource.attempt.as_ref().map_or(0, |attempt| attempt.number);
    match unanswered.filter(|unanswered| unanswered.number > recorded) {
        Some(removed) => (Some(removed.clone()), Record::Removed),
        None => (resource.attempt.clone(), Record::Kept),
    }
}

/// An attempt as far as it can be believed: whoever may write the resource's annotations could have one begin
/// before the resource did, and so lay claim to whatever was there.
fn credible(mut attempt: Attempt, resource: &Resource, clocks: Clocks) -> Attempt {
    if let Some(created) = resource.created_at {
        // The creation is told by the cluster's clock, and the attempt by the API's, which may be behind.
        let behind = clocks.api.duration_since(clocks.cluster).min(SignedDuration::ZERO);
        let earliest = created.checked_add(behind).and_then(|time| time.checked_sub(CLOCK_SKEW));
        attempt.since = attempt.since.max(earliest.unwrap_or(Timestamp::MIN));
    }
    attempt
}

/// What a Secret holds. Where somebody removed the note of its endpoint, the status may still have it.
fn held(resource: &Resource, name: &str, meta: &StoredMeta) -> HeldSecret {
    let noted = resource.status.secret.as_ref().filter(|stored| stored.name == name);
    HeldSecret {
        endpoint: meta.endpoint.clone().or_else(|| Some(noted?.endpoint_id.as_str().into())),
        previous: meta.previous.clone(),
        attempt: meta.attempt,
        labels: meta.labels.clone(),
        annotations: meta.annotations.clone(),
        ownership: meta.ownership,
        data: meta.data,
        mutability: meta.mutability,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::{ATTEMPT_ANNOTATION, WebhookEndpoint};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    /// A resource of minute 0 with an attempt that began at `since`.
    fn resource(since: Timestamp) -> Resource {
        let attempt = json!({
            "uid": "u", "number": 1, "since": since, "startedAt": since, "posts": 1,
            "url": "https://example.com", "enabledEvents": ["ocpp.message"], "status": "active",
        });
        let declared = json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "WebhookEndpoint",
            "metadata": {
                "name": "e",
                "creationTimestamp": at(0),
                "annotations": { ATTEMPT_ANNOTATION: attempt.to_string() },
            },
            "spec": { "url": "https://example.com", "enabledEvents": ["ocpp.message"] },
        });
        Resource::of(&serde_json::from_value::<WebhookEndpoint>(declared).unwrap())
    }

    #[test]
    fn an_attempt_does_not_begin_before_its_resource() {
        for (since, api_is_ahead, believed, why) in [
            (5, 0, 5, "a usual one"),
            (-1, 0, -1, "clocks may disagree a little"),
            (-600, 0, -1, "forged"),
            (-600, 10, -1, "forged, and the API's clock is ahead"),
            (-9, -10, -9, "the API's clock is behind"),
            (-600, -10, -11, "forged, and the API's clock is behind"),
        ] {
            let clocks = Clocks { api: at(20 + api_is_ahead), cluster: at(20), monotonic: Instant::now() };
            let resource = resource(at(since));
            let attempt = credible(resource.attempt.clone().unwrap(), &resource, clocks);
            assert_eq!(attempt.since, at(believed), "{why}");
        }
    }
}
