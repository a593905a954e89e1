//! What resources say of themselves.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint, WebhookNetwork};

use crate::Object;

/// A resource that has conditions.
pub trait Conditioned: Object {
    /// Its conditions, none as long as it has no status.
    fn conditions(&self) -> &[Condition];
}

macro_rules! conditioned {
    ($($kind:ty),*) => {
        $(impl Conditioned for $kind {
            fn conditions(&self) -> &[Condition] {
                self.status.as_ref().map_or(&[], |status| &status.conditions)
            }
        })*
    };
}

conditioned!(WebhookEndpoint, ClusterWebhookNetwork, WebhookNetwork);

/// A resource's condition.
#[must_use]
pub fn condition<'a>(resource: &'a impl Conditioned, kind: &str) -> Option<&'a Condition> {
    resource.conditions().iter().find(|condition| condition.type_ == kind)
}

/// The message of a resource's condition, empty when it has none.
#[must_use]
pub fn message<'a>(resource: &'a impl Conditioned, kind: &str) -> &'a str {
    condition(resource, kind).map_or("", |condition| condition.message.as_str())
}

/// Whether a resource has a condition for its latest generation.
#[must_use]
pub fn has_condition(resource: &impl Conditioned, kind: &str, status: &str, reason: &str) -> bool {
    condition(resource, kind).is_some_and(|condition| {
        condition.status == status
            && condition.reason == reason
            && condition.observed_generation == resource.meta().generation
    })
}
