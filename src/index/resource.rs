//! A `WebhookEndpoint`, read into what the operator goes by.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::core::object::HasStatus;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::key::{NetworkKey, ResourceKey};
use super::networks::NetworkUse;
use crate::conditions::{Type, find};
use crate::planning::{
    Adoption, Attempt, Desired, Drift, Finalizer, Intent, Overlap, Ownership, Recorded, RecordedEndpoint,
    Removal, Role, Rotation, SecretShape, SecretSource,
};
use crate::provider::{EndpointId, EndpointStatus, EndpointUrl, EventType, EventTypes, NewEndpoint};
use crate::resources::{
    self, ATTEMPT_ANNOTATION, DeletionPolicy, DriftPolicy, EndpointState, EventName, FINALIZER, Lenient,
    NetworkReference, RECONCILE_ANNOTATION, ROTATE_ANNOTATION, RemoteEndpoint, Replacement, SecretTemplate,
    Unreadable, WebhookEndpoint, WebhookEndpointSpec, WebhookEndpointStatus,
};

/// A `WebhookEndpoint`, read into what the operator goes by: as a watch, or an answer to one of our own writes,
/// shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its name.
    pub key: ResourceKey,
    /// Its uid.
    pub uid: String,
    /// Its resource version.
    pub resource_version: Option<String>,
    /// Its generation.
    pub generation: Option<i64>,
    /// When it was created, by the cluster's clock.
    pub created_at: Option<Timestamp>,
    /// All its finalizers.
    pub finalizers: Vec<String>,
    /// The network that it belongs to.
    pub network: NetworkKey,
    /// What it asks for.
    pub intent: Intent,
    /// The URL that it declares, also when it is being deleted.
    pub url: EndpointUrl,
    /// The declared name of its Secret.
    pub secret_name: String,
    /// The latest recorded attempt.
    pub attempt: Option<Attempt>,
    /// What asks for a fresh list, by having changed.
    pub list_request: Option<String>,
    /// Its status.
    pub status: WebhookEndpointStatus,
}

impl Resource {
    /// Reads a resource, as far as this version can.
    #[must_use]
    pub fn shown(resource: &Lenient<WebhookEndpoint>) -> Self {
        match resource {
            Lenient::Readable(resource) => Self::of(resource),
            Lenient::Unreadable(unreadable) => Self::unreadable(resource, unreadable),
        }
    }

    /// Reads a resource. What is on record and can't be read counts as absent.
    #[must_use]
    pub fn of(resource: &WebhookEndpoint) -> Self {
        let parts = Parts {
            network_ref: &resource.spec.network_ref,
            intent: intent(resource),
            url: &resource.spec.url,
            secret_name: resource.spec.secret.name.as_deref(),
        };
        Self::from_parts(resource, parts)
    }

    /// What can be told of a resource that can't be read: it holds what its status names, and what its record of a
    /// create may have made.
    fn unreadable(
        resource: &Lenient<WebhookEndpoint>,
        unreadable: &Unreadable<WebhookEndpointStatus>,
    ) -> Self {
        let spec = &unreadable.spec;
        // A network of a kind that is not known is none that there is.
        let nowhere = NetworkReference { name: String::new(), ..NetworkReference::default() };
        let network_ref = part(spec, "networkRef").unwrap_or(nowhere);
        let parts = Parts {
            network_ref: &network_ref,
            intent: unreadable_intent(unreadable),
            url: spec.get("url").and_then(Value::as_str).unwrap_or_default(),
            secret_name: spec.pointer("/secret/name").and_then(Value::as_str),
        };
        Self::from_parts(resource, parts)
    }

    fn from_parts<K>(resource: &K, parts: Parts<'_>) -> Self
    where
        K: kube::Resource + HasStatus<Status = WebhookEndpointStatus>,
    {
        let Parts { network_ref, intent, url, secret_name } = parts;
        let namespace = resource.namespace().unwrap_or_default();
        let key = ResourceKey::of(resource);
        let attempt = resource.annotations().get(ATTEMPT_ANNOTATION);
        Self {
            network: NetworkKey::referred(network_ref, &namespace),
            uid: resource.uid().unwrap_or_default(),
            resource_version: resource.resource_version(),
            generation: resource.meta().generation,
            created_at: resource.meta().creation_timestamp.as_ref().map(|time| time.0),
            finalizers: resource.finalizers().to_vec(),
            intent,
            url: url.into(),
            secret_name: secret_name.unwrap_or(&key.name).to_owned(),
            key,
            attempt: attempt.and_then(|text| serde_json::from_str(text).ok()),
            list_request: resource.annotations().get(RECONCILE_ANNOTATION).cloned(),
            status: resource.status().cloned().unwrap_or_default(),
        }
    }

    /// Whether a later version of this resource asks for nothing else: only its status may differ, and what the write
    /// that records `recording` does, if that is under way.
    pub(super) fn asks_as(&self, later: &Self, recording: Option<&Attempt>) -> bool {
        let Self {
            key,
            uid,
            resource_version: _,
            generation,
            created_at,
            finalizers,
            network,
            intent,
            url,
            secret_name,
            attempt,
            list_request,
            status: _,
        } = self;
        let brings_attempt = later.attempt.is_some() && *attempt != later.attempt;
        let is_recorded = brings_attempt && later.attempt.as_ref() == recording;
        (key, uid, generation, created_at) == (&later.key, &later.uid, &later.generation, &later.created_at)
            && (network, intent, url) == (&later.network, &later.intent, &later.url)
            && (secret_name, list_request) == (&later.secret_name, &later.list_request)
            && (is_recorded || (attempt, finalizers) == (&later.attempt, &later.finalizers))
    }

    /// Whether our finalizer is set.
    #[must_use]
    pub fn finalizer(&self) -> Finalizer {
        if self.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            Finalizer::Set
        } else {
            Finalizer::Absent
        }
    }

    /// What its network is to be used for.
    #[must_use]
    pub fn network_use(&self) -> NetworkUse {
        match self.intent {
            Intent::Converge(_) | Intent::Pause(_) | Intent::Unreadable(_) => NetworkUse::Converge,
            Intent::Finalize(_) | Intent::PauseDeletion => NetworkUse::Finalize,
        }
    }

    /// The endpoint that it declares to adopt.
    #[must_use]
    pub fn adopts(&self) -> Option<&EndpointId> {
        match &self.intent {
            Intent::Converge(desired) | Intent::Pause(desired) => Some(&desired.adopt.as_ref()?.id),
            Intent::Finalize(_) | Intent::PauseDeletion | Intent::Unreadable(_) => None,
        }
    }

    /// What its status says.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        let status = &self.status;
        let ready = find(&status.conditions, Type::Ready).filter(|ready| ready.status == "True");
        let ready_generation = ready.and_then(|ready| ready.observed_generation);
        Recorded {
            endpoints: self.roles(),
            resolved_attempt: self.resolved_attempt(),
            generation: status.observed_generation,
            // Not on record by operators before 0.2: what they called ready was reached.
            applied_generation: status.applied_generation.or(ready_generation),
            ready_generation,
            seen: status.endpoint.as_ref().map(|endpoint| Box::new(seen(endpoint))),
            next: status.replacement.as_ref().map(|next| Box::new(next_seen(next))),
            next_since: status.replacement.as_ref().and_then(|next| Some(next.since.as_ref()?.0)),
            handled_rotation: status.handled_rotation.clone(),
        }
    }

    /// The endpoints that its status names. One that has several roles is kept in the most important.
    #[must_use]
    pub fn roles(&self) -> BTreeMap<EndpointId, Role> {
        let WebhookEndpointStatus { endpoint, replacement, retiring, .. } = &self.status;
        let retiring = retiring.iter().map(|old| (&old.id, Role::Retiring { since: old.since.0 }));
        let next = replacement.iter().map(|next| (&next.id, Role::Next));
        let current = endpoint.iter().map(|current| (&current.id, Role::Current));
        retiring.chain(next).chain(current).map(|(id, role)| (id.as_str().into(), role)).collect()
    }

    /// The number of the latest attempt that its status calls resolved.
    #[must_use]
    pub fn resolved_attempt(&self) -> u64 {
        self.status.resolved_attempt.and_then(|number| u32::try_from(number).ok()).map_or(0, u64::from)
    }
}

/// What of a resource's spec everybody goes by.
struct Parts<'a> {
    network_ref: &'a NetworkReference,
    intent: Intent,
    url: &'a str,
    secret_name: Option<&'a str>,
}

/// A part of a spec that can be read by itself; its default where it is left out.
fn part<T: DeserializeOwned + Default>(spec: &Value, field: &str) -> Option<T> {
    spec.get(field).map_or_else(|| Some(T::default()), |value| T::deserialize(value).ok())
}

/// One that can't be read is let go all the same, if it says what is to become of its endpoint.
fn unreadable_intent(unreadable: &Unreadable<WebhookEndpointStatus>) -> Intent {
    let spec = &unreadable.spec;
    if unreadable.metadata.deletion_timestamp.is_none() {
        return Intent::Unreadable(unreadable.message());
    }
    match (part(spec, "paused"), part(spec, "deletionPolicy")) {
        (Some(true), _) => Intent::PauseDeletion,
        (Some(false), Some(policy)) => Intent::Finalize(removal(policy)),
        (None, _) | (_, None) => Intent::Unreadable(format!(
            "{}; to let it go, set spec.deletionPolicy to Delete or Retain and spec.paused to false",
            unreadable.message()
        )),
    }
}

fn removal(policy: DeletionPolicy) -> Removal {
    match policy {
        DeletionPolicy::Delete => Removal::Delete,
        DeletionPolicy::Retain => Removal::Retain,
    }
}

fn seen(endpoint: &RemoteEndpoint) -> RecordedEndpoint {
    RecordedEndpoint {
        url: endpoint.url.as_str().into(),
        requested_url: endpoint.requested_url.as_deref().map(Into::into),
        enabled_events: endpoint.enabled_events.iter().cloned().map(Into::into).collect(),
        created_at: endpoint.created_at.as_ref().map(|time| time.0),
    }
}

fn next_seen(next: &Replacement) -> RecordedEndpoint {
    RecordedEndpoint {
        url: next.url.as_str().into(),
        requested_url: next.requested_url.as_deref().map(Into::into),
        enabled_events: EventTypes::default(),
        created_at: None,
    }
}

fn intent(resource: &WebhookEndpoint) -> Intent {
    let WebhookEndpointSpec {
        network_ref: _,
        url,
        enabled_events,
        status,
        secret,
        rotation,
        deletion_policy,
        drift_policy,
        adopt,
        paused,
    } = &resource.spec;
    if resource.metadata.deletion_timestamp.is_some() {
        return if *paused { Intent::PauseDeletion } else { Intent::Finalize(removal(*deletion_policy)) };
    }
    let SecretTemplate { name: _, labels, annotations } = secret;
    let desired = Desired {
        endpoint: NewEndpoint {
            url: url.as_str().into(),
            enabled_events: enabled_events.iter().copied().map(event_type).collect(),
            status: match status {
                EndpointState::Active => EndpointStatus::Active,
                EndpointState::Inactive => EndpointStatus::Inactive,
            },
        },
        secret: SecretShape {
            name: secret.name.clone().unwrap_or_else(|| resource.name_any()),
            labels: labels.clone(),
            annotations: annotations.clone(),
            ownership: match deletion_policy {
                DeletionPolicy::Delete => Ownership::Reference,
                DeletionPolicy::Retain => Ownership::Note,
            },
        },
        drift: match drift_policy {
            DriftPolicy::Correct => Drift::Correct,
            DriftPolicy::Report => Drift::Report,
        },
        adopt: adopt.as_ref().map(adoption),
        rotation: rotation_of(rotation),
        rotate: resource.annotations().get(ROTATE_ANNOTATION).cloned(),
    };
    if *paused { Intent::Pause(desired) } else { Intent::Converge(desired) }
}

fn adoption(declared: &resources::Adoption) -> Adoption {
    let resources::Adoption { endpoint_id, secret_ref } = declared;
    let source =
        secret_ref.as_ref().map(|source| SecretSource { name: source.name.clone(), key: source.key.clone() });
    Adoption { id: endpoint_id.as_str().into(), source }
}

fn rotation_of(declared: &resources::Rotation) -> Rotation {
    let resources::Rotation { interval, activate_after, retire_after, overlap } = *declared;
    Rotation {
        interval: interval.map(Into::into),
        activate_after: activate_after.into(),
        retire_after: retire_after.into(),
        overlap: match overlap {
            resources::Overlap::Full => Overlap::Full,
            resources::Overlap::None => Overlap::None,
        },
    }
}

fn event_type(name: EventName) -> EventType {
    match name {
        EventName::OcppMessage => EventType::OcppMessage,
        EventName::AssetConnectivity => EventType::AssetConnectivity,
    }
}
