//! The status of a resource: pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{Type, Wanted, find, merge};
use crate::planning::{Observed, Reason, Rest, State};
use crate::provider::Endpoint;
use crate::resources::{RemoteEndpoint, StoredSecret, WebhookEndpointStatus};

/// What a status is written from, beside how the resource stands.
pub(super) struct Facts<'a> {
    /// The endpoint as last seen.
    pub(super) endpoint: Option<Endpoint>,
    /// The declared name of the Secret.
    pub(super) secret_name: String,
    /// The resource's generation.
    pub(super) generation: Option<i64>,
    /// The time.
    pub(super) now: Timestamp,
    /// What is known.
    pub(super) observed: &'a Observed,
}

/// The status to be.
pub(super) fn status(
    before: &WebhookEndpointStatus,
    rest: &Rest,
    facts: &Facts<'_>,
) -> WebhookEndpointStatus {
    let wanted = conditions(before, rest, facts.generation);
    let latest = facts.observed.held_secrets().map(|secret| secret.attempt).max().unwrap_or(0);
    let resolved = latest.max(facts.observed.resolved_attempt);
    WebhookEndpointStatus {
        observed_generation: facts.generation,
        conditions: merge(&before.conditions, &wanted, facts.generation, facts.now),
        endpoint: facts.endpoint.as_ref().map(remote).or_else(|| before.endpoint.clone()),
        secret: stored(before, facts),
        resolved_attempt: i64::try_from(resolved).ok().filter(|number| *number > 0),
    }
}

fn conditions<'a>(
    before: &WebhookEndpointStatus,
    rest: &'a Rest,
    generation: Option<i64>,
) -> Vec<Wanted<'a>> {
    let Rest { state, reason, message, wake } = rest;
    let condition = |kind, status| Wanted {
        kind,
        status: Some(status),
        reason: reason.as_str(),
        message: message.as_str(),
    };
    let (ready, synced, extra) = match state {
        State::Ready => (true, true, None),
        // A pause, or a network that can't be asked, does not change what was last seen.
        State::Reconciling if keeps_ready(*reason) && was_ready(before, generation) => (true, false, None),
        State::Reconciling if *reason == Reason::Paused => (false, false, None),
        State::Reconciling => (false, false, Some(Type::Reconciling)),
        State::Drifted if wake.is_some() => (false, false, Some(Type::Reconciling)),
        State::Drifted | State::Stalled => (false, false, Some(Type::Stalled)),
        State::Gone => (false, false, None),
    };
    let ready = if ready && *state != State::Ready {
        Wanted {
            kind: Type::Ready,
            status: Some(true),
            reason: Reason::Available.as_str(),
            message: "the endpoint was as declared when it was last seen, and its secret is stored",
        }
    } else {
        condition(Type::Ready, ready)
    };
    [ready, condition(Type::Synced, synced)]
        .into_iter()
        .chain(extra.map(|kind| condition(kind, true)))
        .collect()
}

fn keeps_ready(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Paused
            | Reason::AwaitingList
            | Reason::NetworkNotReady
            | Reason::ProviderError
            | Reason::KubernetesError
    )
}

/// Whether this generation was reached.
fn was_ready(before: &WebhookEndpointStatus, generation: Option<i64>) -> bool {
    find(&before.conditions, Type::Ready)
        .is_some_and(|ready| ready.status == "True" && ready.observed_generation == generation)
}

fn stored(before: &WebhookEndpointStatus, facts: &Facts<'_>) -> Option<StoredSecret> {
    let Some(held) = facts.observed.held_secret() else { return before.secret.clone() };
    let Some(endpoint) = &held.endpoint else { return before.secret.clone() };
    let name = facts.secret_name.clone();
    let earlier = before.secret.as_ref();
    let earlier = earlier.filter(|earlier| earlier.name == name && earlier.endpoint_id == endpoint.as_str());
    let now = Timestamp::from_second(facts.now.as_second()).unwrap_or(facts.now);
    Some(earlier.cloned().unwrap_or_else(|| StoredSecret {
        name,
        endpoint_id: endpoint.to_string(),
        stored_at: Some(Time(now)),
    }))
}

fn remote(endpoint: &Endpoint) -> RemoteEndpoint {
    RemoteEndpoint {
        id: endpoint.id.to_string(),
        network_id: endpoint.network_id.as_ref().map(ToString::to_string),
        url: endpoint.url.to_string(),
        enabled_events: endpoint.enabled_events.iter().map(ToString::to_string).collect(),
        status: endpoint.status.to_string(),
        created_at: endpoint.created_at.map(Time),
    }
}
