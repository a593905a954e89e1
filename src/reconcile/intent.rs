//! What a manifest asks for: pure.

use kube::ResourceExt as _;

use crate::planning::{Desired, Drift, Intent, Reason, Removal, Rest, SecretShape, State};
use crate::provider::{EndpointStatus, EventType, NewEndpoint};
use crate::resources::{
    DeletionPolicy, DriftPolicy, EndpointState, EventName, SecretTemplate, WebhookEndpoint,
    WebhookEndpointSpec,
};

/// What a resource asks for.
pub(super) fn of(resource: &WebhookEndpoint) -> Intent {
    if resource.metadata.deletion_timestamp.is_some() {
        return Intent::Remove(match resource.spec.deletion_policy {
            DeletionPolicy::Delete => Removal::Delete,
            DeletionPolicy::Retain => Removal::Retain,
        });
    }
    let WebhookEndpointSpec {
        network_ref: _,
        url,
        enabled_events,
        status,
        secret,
        rotation: _,
        deletion_policy: _,
        drift_policy,
        endpoint_id,
        paused: _,
    } = &resource.spec;
    let SecretTemplate { name: _, labels, annotations } = secret;
    Intent::Keep(Desired {
        endpoint: NewEndpoint {
            url: url.as_str().into(),
            enabled_events: enabled_events.iter().copied().map(event_type).collect(),
            status: match status {
                EndpointState::Active => EndpointStatus::Active,
                EndpointState::Inactive => EndpointStatus::Inactive,
            },
        },
        secret: SecretShape {
            name: secret_name(resource),
            labels: labels.clone(),
            annotations: annotations.clone(),
        },
        drift: match drift_policy {
            DriftPolicy::Correct => Drift::Correct,
            DriftPolicy::Report => Drift::Report,
        },
        adopt: endpoint_id.as_deref().map(Into::into),
    })
}

/// The name that the Secret should have.
pub(super) fn secret_name(resource: &WebhookEndpoint) -> String {
    resource.spec.secret.name.clone().unwrap_or_else(|| resource.name_any())
}

/// The report of a resource that is to be left as it is.
pub(super) fn paused(resource: &WebhookEndpoint) -> Option<Rest> {
    let deleting = resource.metadata.deletion_timestamp.is_some();
    let message = if deleting {
        "spec.paused is true, so the deletion waits: set it to false to go on"
    } else {
        "spec.paused is true, so nothing is changed: set it to false to go on"
    };
    resource.spec.paused.then(|| Rest {
        state: State::Reconciling,
        reason: Reason::Paused,
        message: message.to_owned(),
        wake: None,
    })
}

fn event_type(name: EventName) -> EventType {
    match name {
        EventName::OcppMessage => EventType::OcppMessage,
        EventName::AssetConnectivity => EventType::AssetConnectivity,
    }
}
