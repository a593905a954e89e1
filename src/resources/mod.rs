//! The custom resources of `webhookoperator.dev/v1alpha1`: their fields, defaults and admission rules.
//!
//! Nothing here talks to a server. The rules are CEL and live in the CRDs, so that a bad manifest is
//! refused by `kubectl apply` with a message that says what to write instead.

mod duration;
mod endpoint;
mod lenient;
mod network;
mod secret_reference;
mod text;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt as _;
use serde_json::json;

pub use duration::{Duration, DurationError};
pub use endpoint::{
    Adoption, DeletionPolicy, DriftPolicy, EndpointState, EventName, NetworkKind, NetworkReference, Overlap,
    RemoteEndpoint, Replacement, RetiringEndpoint, Rotation, SecretTemplate, StoredSecret, WebhookEndpoint,
    WebhookEndpointSpec, WebhookEndpointStatus,
};
pub use lenient::{Lenient, Unreadable};
pub use network::{
    AllowedNamespaces, Auth, BearerToken, ClientAuthentication, ClusterWebhookNetwork,
    ClusterWebhookNetworkSpec, EndpointCounts, Limits, NetworkConfirmation, NetworkSettings,
    OAuth2ClientCredentials, RequestFormat, UnmanagedEndpoint, WebhookNetwork, WebhookNetworkSpec,
    WebhookNetworkStatus,
};
pub use secret_reference::{AdoptedSecretKey, LocalSecretKey, SecretKey, SecretSource};

/// The API group of all three resources.
pub const GROUP: &str = "webhookoperator.dev";
/// Holds a resource until its remote endpoint is deleted or let go.
pub const FINALIZER: &str = "webhookoperator.dev/finalizer";
/// How the operator names itself to the API server, which keeps who wrote which field of a Secret.
pub const FIELD_MANAGER: &str = "webhook-operator";
/// The type of every Secret the operator writes: immutable in Kubernetes, so a watch can select on it.
pub const SECRET_TYPE: &str = "webhookoperator.dev/signing-secret";
/// Records the create under way; see `planning::Attempt`.
pub const ATTEMPT_ANNOTATION: &str = "webhookoperator.dev/create-attempt";
/// Any new value asks for one reconciliation with a fresh list of the network.
pub const RECONCILE_ANNOTATION: &str = "webhookoperator.dev/reconcile";
/// Any new value asks for one rotation of the signing secret.
pub const ROTATE_ANNOTATION: &str = "webhookoperator.dev/rotate";
/// On a Secret: the remote endpoint whose secret it holds.
pub const ENDPOINT_ID_ANNOTATION: &str = "webhookoperator.dev/endpoint-id";
/// On a Secret: the remote endpoints whose secrets it holds beside, while they are valid: ids with commas between, in
/// the order of the keys `previousSecret`, `previousSecret2` and so on.
pub const PREVIOUS_ENDPOINT_ID_ANNOTATION: &str = "webhookoperator.dev/previous-endpoint-id";
/// On a Secret: the number of the create attempt whose answer it holds.
pub const SECRET_ATTEMPT_ANNOTATION: &str = "webhookoperator.dev/attempt";
/// On a Secret that outlives its owner, which it therefore has no reference to: that owner's name and uid.
pub const OWNER_ANNOTATION: &str = "webhookoperator.dev/owner";
/// On a Secret: which labels and annotations were set because the resource declares them.
pub const TEMPLATE_ANNOTATION: &str = "webhookoperator.dev/template";

/// Every CRD, in the order in which they are written to `crds/`.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![WebhookEndpoint::crd(), ClusterWebhookNetwork::crd(), WebhookNetwork::crd()]
        .into_iter()
        .map(in_progress_until_seen)
        .collect()
}

/// To kstatus, and so to Flux, an object without a status is current. One that the operator has not seen yet is
/// not: its status speaks of a generation that never was, as in Flux's own resources.
fn in_progress_until_seen(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let status = schema.and_then(|schema| schema.properties.as_mut()?.get_mut("status"));
        if let Some(status) = status {
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
        }
    }
    crd
}
