//! What is known of a resource, gathered from memory: no client, no await.

use std::collections::BTreeMap;

use kube::ResourceExt as _;

use super::Activation;
use super::intent::secret_name;
use crate::conditions::{Type, find};
use crate::planning::{Attempt, HeldSecret, Intent, Observed, Presence, Progress, Reason, SecretState};
use crate::provider::{Endpoint, EndpointId};
use crate::resources::{ATTEMPT_ANNOTATION, FINALIZER, WebhookEndpoint};
use crate::state::{Claim, NetworkKey, SecretIndex, StoredMeta};

/// What a resource lays claim to.
#[must_use]
pub fn claim_of(resource: &WebhookEndpoint, secrets: &SecretIndex) -> Claim {
    let uid = resource.uid().unwrap_or_default();
    let namespace = resource.namespace().unwrap_or_default();
    let stored = secrets.owned_by(&uid).collect::<Vec<_>>();
    let endpoints = stored.iter().filter_map(|(_, secret)| secret.endpoint.clone());
    let latest = stored.iter().map(|(_, secret)| secret.attempt).max().unwrap_or(0).max(resolved(resource));
    let held = recorded(resource).into_iter().chain(endpoints).collect();
    let attempt = attempt(resource).filter(|attempt| attempt.uid == uid && attempt.number > latest);
    let network = Some(NetworkKey::referred(&resource.spec.network_ref, &namespace));
    Claim { network, held, attempt, uid }
}

/// The attempt that is recorded on a resource.
pub(super) fn attempt(resource: &WebhookEndpoint) -> Option<Attempt> {
    serde_json::from_str(resource.annotations().get(ATTEMPT_ANNOTATION)?).ok()
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
    let Activation { context, key, mind, view, network, url_lock: _ } = activation;
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
        .owned_by(&uid)
        .filter(|(name, _)| *name != declared_name)
        .map(|(name, meta)| (name.to_owned(), held(view, name, meta)))
        .collect::<BTreeMap<_, _>>();

    let listed_at = inventory.as_ref().and_then(|inventory| inventory.listed_at());
    let attempt = attempt(view);
    let mut observed = Observed {
        finalizer: view.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        progress: attempt.as_ref().map_or(Progress::Unknown, |attempt| mind.memory.progress(attempt)),
        resolved_attempt: resolved(view),
        recorded: recorded(view),
        reached: reached(view),
        in_hand: mind.memory.in_hand().cloned(),
        secret,
        former_secrets,
        unproven: mind.doubtful || !context.is_proven(&key.namespace),
        // A list that seems to lie ahead was begun before the API's clock was set back, and it can't be
        // told any more what came after it.
        listed_at: listed_at.filter(|at| *at <= activation.now()),
        rival_posts: attempt.as_ref().map_or(0, |attempt| claims.rival_posts(key, attempt)),
        reactivation: mind.memory.reactivation(),
        attempt,
        uid,
        ..Observed::default()
    };

    let stored = observed.held_secrets().filter_map(|secret| secret.endpoint.clone());
    let ids = stored.chain(observed.recorded.clone()).collect::<Vec<_>>();
    for id in ids {
        if claims.held_by_another(&id, key) {
            observed.contested.insert(id.clone());
        }
        if let Some(presence) = inventory.as_ref().and_then(|inventory| inventory.presence(&id)) {
            observed.remote.insert(id, presence);
        }
    }
    if let Some(inventory) = &inventory {
        let wanted = match intent {
            Intent::Keep(desired) => Some(desired.endpoint.url.as_str()),
            Intent::Remove(_) => None,
        };
        let attempted = observed.attempt.as_ref().map(|attempt| attempt.url.as_str());
        let mut urls = wanted.into_iter().chain(attempted).collect::<Vec<_>>();
        urls.dedup();
        let endpoints = urls.into_iter().flat_map(|url| inventory.with_url(url));
        let unheld: Vec<Endpoint> =
            endpoints.filter(|endpoint| !claims.held_by_another(&endpoint.id, key)).cloned().collect();
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
