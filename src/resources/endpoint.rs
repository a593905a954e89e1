//! `WebhookEndpoint`: one endpoint of the remote API, and the Secret that holds its signing secret.
#![expect(clippy::duplicated_attributes, reason = "each printcolumn is an attribute of its own")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::{Duration, duration_rule};
use super::secret_reference::AdoptedSecretKey;
use super::text;

/// An endpoint that the remote API should have, as written in the manifest.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "webhookoperator.dev",
    version = "v1alpha1",
    kind = "WebhookEndpoint",
    namespaced,
    doc = "A webhook endpoint of a remote network, and the Secret that holds its signing secret.",
    status = "WebhookEndpointStatus",
    shortname = "whe",
    category = "webhooks",
    derive = "PartialEq",
    selectable = ".spec.url",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.endpoint.id"),
    printcolumn(name = "Events", type_ = "string", json_path = ".spec.enabledEvents", priority = "1"),
    printcolumn(name = "Network", type_ = "string", json_path = ".spec.networkRef.name", priority = "1"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.networkRef == oldSelf.networkRef").field_path(".networkRef").message(
        "networkRef can't be changed: create a second WebhookEndpoint with the other network, then delete this one"),
)]
pub struct WebhookEndpointSpec {
    /// The network that the endpoint belongs to. Immutable.
    #[serde(default)]
    pub network_ref: NetworkReference,

    /// Where the events are delivered: an http(s) URL of at most 2048 characters. http only where the
    /// network allows it. A change replaces the endpoint.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(validation = Rule::new("isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''").message(
        "url must be an absolute http or https URL, e.g. https://hooks.example.com/charging"))]
    #[x_kube(validation = Rule::new("!self.matches('^[^/]*//[^/?#]*@')").message(
        "url must not contain a user or password (user:password@): receivers verify the signature instead"))]
    #[x_kube(validation = Rule::new("!self.contains('#')").message(
        "url must not contain a fragment (#...): it would never be sent; remove it"))]
    #[x_kube(validation = Rule::new("!self.matches('\\\\s')").message(
        "url must not contain white space: write %20 instead"))]
    pub url: String,

    /// The events to deliver: a set with at least one of `ocpp.message`, `asset.connectivity`.
    #[schemars(length(min = 1, max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub enabled_events: Vec<EventName>,

    /// Whether the API delivers to the endpoint.
    #[serde(default)]
    pub status: EndpointState,

    /// The Secret that receives the signing secret.
    #[serde(default)]
    pub secret: SecretTemplate,

    /// When and how the signing secret is rotated.
    #[serde(default)]
    pub rotation: Rotation,

    /// What becomes of the remote endpoint when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// What is done when the remote endpoint was changed by somebody else.
    #[serde(default)]
    pub drift_policy: DriftPolicy,

    /// Take over an existing endpoint instead of creating one, while this resource holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adoption>,

    /// Leave everything as it is: nothing is written, neither remotely nor to the Secret.
    #[serde(default)]
    pub paused: bool,
}

/// Names the network of an endpoint.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct NetworkReference {
    /// The network's kind.
    #[serde(default)]
    pub kind: NetworkKind,
    /// The network's name; a `WebhookNetwork` is looked for in the endpoint's own namespace.
    #[serde(default = "default_network_name")]
    #[schemars(schema_with = "text::object_name")]
    pub name: String,
}

impl Default for NetworkReference {
    fn default() -> Self {
        Self { kind: NetworkKind::default(), name: default_network_name() }
    }
}

fn default_network_name() -> String {
    "default".to_owned()
}

/// The kinds of network.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum NetworkKind {
    /// One for the cluster, kept by whoever runs it.
    #[default]
    ClusterWebhookNetwork,
    /// One for a namespace, kept by its team.
    WebhookNetwork,
}

/// An event that the API documents; an unknown one is refused at admission.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum EventName {
    /// A message of the Open Charge Point Protocol.
    #[serde(rename = "ocpp.message")]
    OcppMessage,
    /// An asset went online or offline.
    #[serde(rename = "asset.connectivity")]
    AssetConnectivity,
}

/// The API's own term for whether it delivers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// Events are delivered.
    #[default]
    Active,
    /// Events are not delivered.
    Inactive,
}

/// The Secret that receives the signing secret.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
pub struct SecretTemplate {
    /// The Secret's name; the resource's own when left out. A new name moves the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "text::optional_object_name")]
    pub name: Option<String>,
    /// Labels for the Secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), schema_with = "labels")]
    #[x_kube(validation = Rule::new("self.all(k, !k.startsWith('webhookoperator.dev/'))").message(
        "labels under webhookoperator.dev/ are the operator's own: choose another prefix"))]
    #[x_kube(validation = Rule::new("self.all(k, !format.qualifiedName().validate(k).hasValue())").message(
        "a label's key must be a qualified name, e.g. team or example.com/team"))]
    #[x_kube(validation = Rule::new("self.all(k, !format.labelValue().validate(self[k]).hasValue())").message(
        "a label's value has at most 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or a digit; longer or other texts fit in annotations"))]
    pub labels: BTreeMap<String, String>,
    /// Annotations for the Secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "annotations")]
    #[x_kube(validation = Rule::new("self.all(k, !k.startsWith('webhookoperator.dev/'))").message(
        "annotations under webhookoperator.dev/ are the operator's own: choose another prefix"))]
    #[x_kube(validation = Rule::new("self.all(k, !format.qualifiedName().validate(k).hasValue())").message(
        "an annotation's key must be a qualified name, e.g. team or example.com/team"))]
    pub annotations: BTreeMap<String, String>,
}

fn labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": { "type": "string", "maxLength": 253 },
    })
}

fn annotations(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": { "type": "string", "maxLength": 16384 },
    })
}

/// When and how the signing secret is rotated.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// How long a secret is used before it is replaced, e.g. `2160h`; never, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(duration_rule!("duration(self) >= duration('10s')")).message(
        "interval must be at least 10s, e.g. 2160h"))]
    pub interval: Option<Duration>,
    /// How long consumers get to load the new secret before it signs.
    #[serde(default = "default_activate_after")]
    pub activate_after: Duration,
    /// How long the old endpoint is kept, inactive, so that its pending retries are not cut.
    #[serde(default = "default_retire_after")]
    pub retire_after: Duration,
    /// Whether the old endpoint delivers until the new one does.
    #[serde(default)]
    pub overlap: Overlap,
}

/// Whether the old endpoint delivers until the new one does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Overlap {
    /// It does: no event is lost, and none is signed with a secret that is not stored.
    #[default]
    Full,
    /// The old endpoint is deleted before the new one is created, and what happens between is delivered to neither:
    /// for an API that refuses a second endpoint with the same URL.
    None,
}

/// An existing endpoint to take over.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Adoption {
    /// The API's id.
    #[schemars(length(min = 1, max = 256))]
    pub endpoint_id: String,
    /// The Secret of the same namespace that holds its signing secret. It is copied, and stays as it is. Without it,
    /// the annotation `webhookoperator.dev/rotate` has the endpoint replaced by one whose secret is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<AdoptedSecretKey>,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            interval: None,
            activate_after: default_activate_after(),
            retire_after: default_retire_after(),
            overlap: Overlap::default(),
        }
    }
}

fn default_activate_after() -> Duration {
    std::time::Duration::from_mins(2).into()
}

fn default_retire_after() -> Duration {
    std::time::Duration::from_hours(96).into()
}

/// What becomes of the remote endpoint when the resource is deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DeletionPolicy {
    /// The endpoint and its Secret are deleted.
    #[default]
    Delete,
    /// The endpoint and its Secret stay.
    Retain,
}

/// What is done about a remote change made by somebody else.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DriftPolicy {
    /// It is undone.
    #[default]
    Correct,
    /// It is reported.
    Report,
}

/// What was last seen and done.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEndpointStatus {
    /// The generation that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Synced` and, while they hold, `Reconciling` or `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// The remote endpoint as last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<RemoteEndpoint>,
    /// Where the signing secret is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<StoredSecret>,
    /// The endpoint that will take the place of `endpoint`, while a replacement is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Replacement>,
    /// Endpoints whose place was taken, until they are deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".to_owned()]))]
    pub retiring: Vec<RetiringEndpoint>,
    /// The number of the latest create attempt whose outcome is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_attempt: Option<i64>,
    /// The value of the annotation `webhookoperator.dev/rotate` that the current endpoint was made after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled_rotation: Option<String>,
    /// The latest generation that was reached: what differs from it was changed by somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_generation: Option<i64>,
}

/// The endpoint that will take the place of the current one.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// The API's id.
    pub id: String,
    /// Where it is to deliver to.
    #[serde(default)]
    pub url: String,
    /// The URL that was asked for, where the API shows it as another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_url: Option<String>,
    /// Since when the Secret has held its secret, by the API's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When it takes the place of the current one, by the API's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_over_at: Option<Time>,
}

/// An endpoint whose place was taken.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetiringEndpoint {
    /// The API's id.
    pub id: String,
    /// Since when another endpoint has had its place, by the API's clock.
    pub since: Time,
    /// When it is deleted, by the API's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// A remote endpoint, in the API's own terms.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteEndpoint {
    /// The API's id.
    pub id: String,
    /// The network that the API filed it under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_id: Option<String>,
    /// Where events are delivered.
    pub url: String,
    /// The URL that was asked for, where the API shows it as another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_url: Option<String>,
    /// The events that are delivered; may hold ones that this version does not know.
    pub enabled_events: Vec<String>,
    /// `active` or `inactive`, or what the API calls it.
    pub status: String,
    /// When the API created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
}

/// Where a signing secret is stored.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredSecret {
    /// The Secret's name.
    pub name: String,
    /// The remote endpoint whose secret it holds.
    pub endpoint_id: String,
    /// When it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<Time>,
}
