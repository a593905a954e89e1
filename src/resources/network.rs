//! `ClusterWebhookNetwork` and `WebhookNetwork`: a remote network, its credentials and its budget.
#![expect(clippy::duplicated_attributes, reason = "each printcolumn is an attribute of its own")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration::{Duration, duration_rule};
use super::secret_reference::{LocalSecretKey, SecretKey, SecretSource};

const ONE_AUTH_RULE: &str = "has(self.auth.oauth2ClientCredentials) != has(self.auth.bearerToken)";
const ONE_AUTH_MESSAGE: &str = "auth needs exactly one of oauth2ClientCredentials and bearerToken";
const HTTPS_RULE: &str = "self.allowHttp || ([self.apiUrl] + (has(self.auth.oauth2ClientCredentials) ? \
                          [self.auth.oauth2ClientCredentials.tokenUrl] : [])).all(u, !isURL(u) || \
                          url(u).getScheme() != 'http')";
const HTTPS_MESSAGE: &str = "apiUrl and tokenUrl must be https, so that credentials and secrets are encrypted on their \
                             way; for a test server, set allowHttp: true";

/// A network for the whole cluster, or for chosen namespaces of it.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "webhookoperator.dev",
    version = "v1alpha1",
    kind = "ClusterWebhookNetwork",
    doc = "A remote network, its credentials and its budget, for the whole cluster or for chosen namespaces.",
    status = "WebhookNetworkStatus",
    shortname = "cwhn",
    category = "webhooks",
    derive = "PartialEq",
    printcolumn(name = "API", type_ = "string", json_path = ".spec.apiUrl"),
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
    printcolumn(name = "Network", type_ = "string", json_path = ".status.networkId"),
    printcolumn(name = "Managed", type_ = "integer", json_path = ".status.endpoints.managed"),
    printcolumn(name = "Drifted", type_ = "integer", json_path = ".status.endpoints.drifted"),
    printcolumn(name = "Unmanaged", type_ = "integer", json_path = ".status.endpoints.unmanaged"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(ONE_AUTH_RULE).field_path(".auth").message(ONE_AUTH_MESSAGE))]
#[x_kube(validation = Rule::new(HTTPS_RULE).field_path(".apiUrl").message(HTTPS_MESSAGE))]
pub struct ClusterWebhookNetworkSpec {
    /// How the operator authenticates.
    #[serde(default)]
    pub auth: Auth<SecretKey>,
    /// The namespaces whose endpoints may use this network; every one, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
    /// What both kinds have in common.
    #[serde(flatten)]
    pub settings: NetworkSettings,
}

/// A network for one namespace, kept by its team.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "webhookoperator.dev",
    version = "v1alpha1",
    kind = "WebhookNetwork",
    namespaced,
    doc = "A remote network, its credentials and its budget, for one namespace.",
    status = "WebhookNetworkStatus",
    shortname = "whn",
    category = "webhooks",
    derive = "PartialEq",
    printcolumn(name = "API", type_ = "string", json_path = ".spec.apiUrl"),
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
    printcolumn(name = "Network", type_ = "string", json_path = ".status.networkId"),
    printcolumn(name = "Managed", type_ = "integer", json_path = ".status.endpoints.managed"),
    printcolumn(name = "Drifted", type_ = "integer", json_path = ".status.endpoints.drifted"),
    printcolumn(name = "Unmanaged", type_ = "integer", json_path = ".status.endpoints.unmanaged"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(ONE_AUTH_RULE).field_path(".auth").message(ONE_AUTH_MESSAGE))]
#[x_kube(
    validation = Rule::new("!has(self.allowHttp) || !self.allowHttp").field_path(".allowHttp").message(
        "a WebhookNetwork may not allow http: ask the operator's administrator for a ClusterWebhookNetwork"),
    validation = Rule::new("!isURL(self.apiUrl) || url(self.apiUrl).getScheme() == 'https'").field_path(".apiUrl").message(
        "a WebhookNetwork's apiUrl must be https"),
    validation = Rule::new("!has(self.auth.oauth2ClientCredentials) || !isURL(self.auth.oauth2ClientCredentials.tokenUrl) || url(self.auth.oauth2ClientCredentials.tokenUrl).getScheme() == 'https'").message(
        "a WebhookNetwork's tokenUrl must be https"),
)]
pub struct WebhookNetworkSpec {
    /// How the operator authenticates, with Secrets of this namespace.
    #[serde(default)]
    pub auth: Auth<LocalSecretKey>,
    /// What both kinds have in common.
    #[serde(flatten)]
    pub settings: NetworkSettings,
}

/// What both kinds of network have in common.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSettings {
    /// The API's base URL, e.g. `https://api.lynkwell.com/webhooks/v1`.
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(validation = Rule::new("isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''").message(
        "apiUrl must be an absolute http or https URL, e.g. https://api.lynkwell.com/webhooks/v1"))]
    #[x_kube(validation = Rule::new("!self.matches('^[^/]*//[^/?#]*@') && !self.contains('#') && !self.contains('?')").message(
        "apiUrl must not contain a user, a query or a fragment: give the base URL only"))]
    pub api_url: String,
    /// The API's id of the network that the credentials lead to. Where they lead to another one, nothing is created,
    /// changed or deleted (`NetworkChanged`). Setting it to another value confirms that the network that is there now is
    /// meant, and that what it does not show is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub network_id: Option<String>,
    /// How often the remote endpoints are listed; a tenth of it, at random, is added.
    #[serde(default = "default_resync_interval")]
    #[x_kube(validation = Rule::new(duration_rule!("duration(self) >= duration('1s')")).message(
        "resyncInterval must be at least 1s, e.g. 5m"))]
    pub resync_interval: Duration,
    /// How long one call may take, answer included.
    #[serde(default = "default_timeout")]
    #[x_kube(validation = Rule::new(duration_rule!("duration(self) >= duration('100ms') && duration(self) <= duration('60s')")).message(
        "timeout must be between 100ms and 60s, e.g. 10s"))]
    pub timeout: Duration,
    /// The budget of calls to the API.
    #[serde(default)]
    pub limits: Limits,
    /// Certificates (PEM) to trust, beside the public ones, when the API or the token URL is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 262_144))]
    #[x_kube(validation = Rule::new("self.contains('-----BEGIN CERTIFICATE-----')").message(
        "caBundle must hold at least one PEM block: -----BEGIN CERTIFICATE-----"))]
    pub ca_bundle: Option<String>,
    /// Allow http: for the API and for endpoints' URLs. For tests: the production API delivers to https only.
    /// A `WebhookNetwork` may not, since credentials and signing secrets would cross the network in clear.
    #[serde(default)]
    pub allow_http: bool,
    /// The hosts that endpoints may deliver to, e.g. `hooks.example.com` or `*.example.com`; any, when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "host_patterns")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_url_hosts: Vec<String>,
}

fn host_patterns(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 100,
        "items": {
            "type": "string",
            "maxLength": 253,
            "x-kubernetes-validations": [{
                "rule": "!format.dns1123Subdomain().validate(self.startsWith('*.') ? self.substring(2) : self).hasValue()",
                "message": "an allowed host is written in lower case and without scheme, port and path, e.g. \
                            hooks.example.com or *.example.com",
            }],
        },
    })
}

fn default_resync_interval() -> Duration {
    std::time::Duration::from_mins(5).into()
}

fn default_timeout() -> Duration {
    std::time::Duration::from_secs(10).into()
}

/// How the operator authenticates: exactly one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Auth<K> {
    /// OAuth 2.0 client credentials (RFC 6749, section 4.4).
    #[serde(skip_serializing_if = "Option::is_none", rename = "oauth2ClientCredentials")]
    pub oauth2_client_credentials: Option<OAuth2ClientCredentials<K>>,
    /// A token that is sent as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<BearerToken<K>>,
}

// A default, so that `auth: {}`, which server-side apply makes null, is refused for what it lacks and not
// for being no object. The API server wants a default to pass the rules of its own field, so the rule
// stands one level up.
impl<K> Default for Auth<K> {
    fn default() -> Self {
        Self { oauth2_client_credentials: None, bearer_token: None }
    }
}

/// OAuth 2.0 client credentials.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2ClientCredentials<K> {
    /// Where tokens are issued, e.g. `https://lynkwell-prod.us.auth0.com/oauth/token`.
    #[schemars(length(min = 1, max = 2048), extend("x-kubernetes-validations" = [{
        "rule": "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",
        "message": "tokenUrl must be an absolute http or https URL, e.g. https://lynkwell-prod.us.auth0.com/oauth/token",
    }, {
        "rule": "!self.matches('^[^/]*//[^/?#]*@') && !self.contains('#')",
        "message": "tokenUrl must not contain a user or a fragment: remove it",
    }]))]
    pub token_url: String,
    /// The API that the token is for, e.g. `https://api.lynkwell.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub audience: Option<String>,
    /// What the token is to allow: words with one space between two of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), extend("x-kubernetes-validations" = [{
        "rule": "self.matches('^[]!#-[^-~]+( []!#-[^-~]+)*$')",
        "message": "scope must be printable ASCII words without quotes and backslashes, one space between two of them, e.g. read:webhooks write:webhooks",
    }]))]
    pub scope: Option<String>,
    /// How the request for a token is written.
    #[serde(default)]
    pub request_format: RequestFormat,
    /// Where the request for a token says who asks.
    #[serde(default)]
    pub client_authentication: ClientAuthentication,
    /// The client's id.
    pub client_id: SecretSource<K>,
    /// The client's secret.
    pub client_secret: SecretSource<K>,
}

/// How a request for a token is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RequestFormat {
    /// `application/x-www-form-urlencoded`, as OAuth 2.0 has it.
    #[default]
    Form,
    /// JSON.
    #[serde(rename = "JSON")]
    Json,
}

/// Where a request for a token says who asks (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ClientAuthentication {
    /// In its body (`client_secret_post`).
    #[default]
    Body,
    /// In the header `Authorization` (`client_secret_basic`).
    Basic,
}

/// A token that is sent as it is.
pub type BearerToken<K> = SecretSource<K>;

// The API server knows no unsigned formats, and warns of them.
/// The budget of calls to the API, shared by all endpoints of the network.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Calls per second, in the long run.
    #[serde(default = "default_requests_per_second")]
    #[schemars(range(min = 1, max = 1000), extend("format" = "int32"))]
    pub requests_per_second: u32,
    /// Calls at once after a pause.
    #[serde(default = "default_burst")]
    #[schemars(range(min = 1, max = 1000), extend("format" = "int32"))]
    pub burst: u32,
    /// Calls under way at one time.
    #[serde(default = "default_in_flight")]
    #[schemars(range(min = 1, max = 100), extend("format" = "int32"))]
    pub in_flight: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: default_requests_per_second(),
            burst: default_burst(),
            in_flight: default_in_flight(),
        }
    }
}

fn default_requests_per_second() -> u32 {
    10
}

fn default_burst() -> u32 {
    20
}

fn default_in_flight() -> u32 {
    8
}

/// The namespaces whose endpoints may use a network: those named and those selected.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AllowedNamespaces {
    /// Namespaces by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub names: Vec<String>,
    /// Namespaces by label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// What was last seen of a network.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookNetworkStatus {
    /// The generation that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` and, while they hold, `Reconciling` or `Stalled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
    /// The id by which the network is known: as declared, or as its endpoints name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_id: Option<String>,
    /// How it was when it was last certain which network it is: what is seen by other credentials, or elsewhere, says
    /// nothing at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<NetworkConfirmation>,
    /// How many remote endpoints there are, as last listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<EndpointCounts>,
    /// The first of those that nobody here holds, by their ids.
    #[serde(default)]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".to_owned()]))]
    pub unmanaged_endpoints: Vec<UnmanagedEndpoint>,
}

/// A remote endpoint that no resource holds.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnmanagedEndpoint {
    /// The API's id.
    pub id: String,
    /// Where it delivers to, without what may be secret: user, query, and long parts of the path.
    pub url: String,
}

/// How a network was when it was last certain which one it is.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConfirmation {
    /// The base URL of the API.
    pub api_url: String,
    /// The Secrets that the credentials are in, and their versions.
    pub credentials: String,
    /// What `spec.networkId` was. Null in a merge patch, when it was left out, removes it.
    #[serde(default)]
    pub declared_network_id: Option<String>,
}

/// How many remote endpoints there are, as last listed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct EndpointCounts {
    /// Held by a `WebhookEndpoint`.
    pub managed: i64,
    /// Managed, and different from what is declared.
    pub drifted: i64,
    /// Held by nobody here; reported, never touched.
    pub unmanaged: i64,
}
