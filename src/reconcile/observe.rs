//! What is known of a resource, gathered from memory: no client, no await.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::Activation;
use super::intent::secret_name;
use crate::conditions::{Type, find};
use crate::planning::{Attempt, HeldSecret, Intent, Observed, Presence, Progress, Reason, SecretState};
use crate::provider::{Endpoint, EndpointId};
use crate::resources::{ATTEMPT_ANNOTATION, FINALIZER, WebhookEndpoint};
use crate::state::{Claim, NetworkKey, SecretIndex, StoredMeta};

/// How far the clocks of the cluster's machines may disagree.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What a resource lays claim to.
#[must_use]
pub fn claim_of(resource: &WebhookEndpoint, secrets: &SecretIndex) -> Claim {
    let uid = resource.uid().unwrap_or_default();
    let namespace = resource.namespace().unwrap_or_default();
    let stored = secrets.owned_by(&namespace, &uid).collect::<Vec<_>>();
    let endpoints = stored.iter().filter_map(|(_, secret)| secret.endpoint.clone());
    let latest = stored.iter().map(|(_, secret)| secret.attempt).max().unwrap_or(0).max(resolved(resource));
    let held = recorded(resource).into_iter().chain(endpoints).collect();
    let attempt = attempt(resource).filter(|attempt| attempt.uid == uid && attempt.number > latest);
    let network = Some(NetworkKey::referred(&resource.spec.network_ref, &namespace));
    Claim { uid, network, is_finalized: is_finalized(resource), held, attempt }
}

fn is_finalized(resource: &WebhookEndpoint) -> bool {
    resource.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// The attempt that is recorded on a resource.
pub(super) fn attempt(resource: &WebhookEndpoint) -> Option<Attempt> {
    serde_json::from_str(resource.annotations().get(ATTEMPT_ANNOTATION)?).ok()
}

/// The recorded attempt, as far as it can be believed: whoever may write the resource's annotations could
/// have an attempt begin before the resource did, and so lay claim to whatever was there.
fn credible(resource: &WebhookEndpoint, now: Timestamp, local_now: Timestamp) -> Option<Attempt> {
    let mut attempt = attempt(resource)?;
    if let Some(created) = &resource.metadata.creation_timestamp {
        // The creation is told by the cluster's clock, and the attempt by the API's, which may be behind.
        let behind = now.duration_since(local_now).min(SignedDuration::ZERO);
        let earliest = created.0.checked_add(behind).and_then(|time| time.checked_sub(CLOCK_SKEW));
        attempt.since = attempt.since.max(earliest.unwrap_or(Timestamp::MIN));
    }
    Some(attempt)
}

fn recorded(resource: &WebhookEndpoint) -> Option<EndpointId> {
    let endpoint = resource.status.as_ref()?.endpoint.as_ref()?;
    Some(EndpointId::from(endpoint.id.as_str()))
}

fn resolved(resource: &WebhookEndpoint) -> u64 {
    let number = resource.status.as_ref().and_then(|status| status.resolved_attempt).unwrap_or(0);
    u64::try_from(number).unwrap_or(0)
}

/// Whether the declared state was reached since it last changed.
fn reached(resource: &WebhookEndpoint) -> bool {
    let synced = resource.status.as_ref().and_then(|status| find(&status.conditions, Type::Synced));
    let drift = [Reason::Drifted, Reason::DeletedRemotely, Reason::Deactivated].map(Reason::as_str);
    synced.is_some_and(|synced| {
        synced.observed_generation == resource.metadata.generation
            && (synced.status == "True" || drift.contains(&synced.reason.as_str()))
    })
}

pub(super) fn observe(activation: &Activation<'_>, intent: &Intent) -> Observed {
    let Activation { context, key, mind, view, network_key: _, network, networks, url_locks: _ } = activation;
    let network = network.as_ref().ok().map(|(network, _)| network);
    let inventory = network.map(|network| network.inventory());
    let claims = context.claims();
    let secrets = context.secrets();

    let uid = view.uid().unwrap_or_default();
    let declared_name = secret_name(view);
    let secret = match secrets.get(&key.namespace, &declared_name) {
        Some(meta) => state_of(meta, &key.name, &uid, held(view, &declared_name, meta)),
        None if mind.foreign_secret.as_ref() == Some(&declared_name) => SecretState::Foreign,
        None => SecretState::Absent,
    };
    let former_secrets = secrets
        .owned_by(&key.namespace, &uid)
        .filter(|(name, _)| *name != declared_name)
        .map(|(name, meta)| (name.to_owned(), held(view, name, meta)))
        .collect::<BTreeMap<_, _>>();

    let listed_at = inventory.as_ref().and_then(|inventory| inventory.listed_at());
    let attempt = credible(view, activation.now(), Timestamp::now());
    let mut observed = Observed {
        finalizer: is_finalized(view),
        progress: attempt.as_ref().map_or(Progress::Unknown, |attempt| mind.memory.progress(attempt)),
        resolved_attempt: resolved(view),
        recorded: recorded(view),
        reached: reached(view),
        in_hand: mind.memory.in_hand().cloned(),
        secret,
        former_secrets,
        unproven: mind.doubtful || !context.is_proven(&key.namespace),
        reach: mind.retain_deadline.reach(activation.settling(), Instant::now()),
        // A list that seems to lie ahead was begun before the API's clock was set back, and it can't be
        // told any more what came after it.
        listed_at: listed_at.filter(|at| *at <= activation.now()),
        reactivation: mind.memory.reactivation(),
        attempt,
        uid,
        ..Observed::default()
    };

    if let Some(open) = observed.open_attempt() {
        observed.rival_posts = claims.rival_posts(key, open, networks);
    }
    let stored = observed.held_secrets().filter_map(|secret| secret.endpoint.clone());
    let ids = stored.chain(observed.recorded.clone()).collect::<Vec<_>>();
    for id in ids {
        if claims.held_by_another(&id, key, networks) {
            observed.contested.insert(id.clone());
        }
        if let Some(presence) = inventory.as_ref().and_then(|inventory| inventory.presence(&id)) {
            observed.remote.insert(id, presence);
        }
    }
    if let Some(inventory) = &inventory {
        let wanted = match intent {
            Intent::Keep(desired) => Some(&desired.endpoint.url),
            Intent::Remove(_) => None,
        };
        let attempted = observed.attempt.as_ref().map(|attempt| &attempt.url);
        let mut urls = wanted.into_iter().chain(attempted).collect::<Vec<_>>();
        urls.dedup();
        let endpoints = urls.into_iter().flat_map(|url| inventory.with_url(url));
        let unheld: Vec<Endpoint> = endpoints
            .filter(|endpoint| !claims.held_by_another(&endpoint.id, key, networks))
            .filter(|endpoint| !secrets.is_released(&endpoint.id))
            .cloned()
            .collect();
        observed.unheld = unheld;
    }
    observed
}

fn state_of(meta: &StoredMeta, name: &str, uid: &str, held: HeldSecret) -> SecretState {
    match &meta.owner {
        Some((_, owner)) if owner == uid => SecretState::Held(held),
        Some((owner, _)) if owner == name => SecretState::OfFormerResource,
        _ => SecretState::Foreign,
    }
}

/// A Secret of ours. Where somebody removed the note of its endpoint, the status may still have it.
fn held(view: &WebhookEndpoint, name: &str, meta: &StoredMeta) -> HeldSecret {
    let noted = view.status.as_ref().and_then(|status| status.secret.as_ref());
    let noted = noted.filter(|stored| stored.name == name).map(|stored| stored.endpoint_id.as_str().into());
    HeldSecret {
        endpoint: meta.endpoint.clone().or(noted),
        attempt: meta.attempt,
        labels: meta.labels.clone(),
        annotations: meta.annotations.clone(),
    }
}

/// An endpoint, if the network's inventory shows it.
pub(super) fn seen(activation: &Activation<'_>, id: &EndpointId) -> Option<Endpoint> {
    let (network, _) = activation.network.as_ref().ok()?;
    match network.inventory().presence(id)? {
        Presence::Present(endpoint) => Some(endpoint),
        Presence::Unlisted | Presence::Gone => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    /// A resource of minute 0 with an attempt that began at `since`.
    fn resource(since: Timestamp) -> WebhookEndpoint {
        let attempt = json!({
            "uid": "u", "number": 1, "since": since, "startedAt": since, "posts": 1,
            "url": "https://example.com", "enabledEvents": ["ocpp.message"], "status": "active",
        });
        serde_json::from_value(json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "WebhookEndpoint",
            "metadata": {
                "name": "e",
                "creationTimestamp": at(0),
                "annotations": { ATTEMPT_ANNOTATION: attempt.to_string() },
            },
            "spec": { "url": "https://example.com", "enabledEvents": ["ocpp.message"] },
        }))
        .unwrap()
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
            let attempt = credible(&resource(at(since)), at(20 + api_is_ahead), at(20)).unwrap();
            assert_eq!(attempt.since, at(believed), "{why}");
        }
    }
}
