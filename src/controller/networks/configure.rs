//! From what is declared to a client: pure, but for the certificates that are loaded.

use ipnet::IpNet;
use serde_json::json;
use url::Url;

use super::credentials::Edition;
use crate::network::Declared;
use crate::provider::{self, AddressPolicy, ClientConfig, Fence, Meter};

/// A client for the declared network; `exceptions` are the addresses that confined ones may reach although
/// they are not public. Nothing is sent while `fence` is shut; `meter` counts
/// what is. It takes the place of `before`.
pub(super) fn client(
    declared: &Declared,
    auth: provider::Auth,
    exceptions: &[IpNet],
    (fence, meter): (Fence, Meter),
    before: Option<&provider::Client>,
) -> Result<provider::Client, InvalidNetwork> {
    Ok(provider::Client::succeeding(configure(declared, auth, exceptions, (fence, meter))?, before)?)
}

fn configure(
    declared: &Declared,
    auth: provider::Auth,
    exceptions: &[IpNet],
    (fence, meter): (Fence, Meter),
) -> Result<ClientConfig, InvalidNetwork> {
    let settings = &declared.settings;
    let api_url = Url::parse(&settings.api_url)?;
    if declared.confined {
        refuse_http(&api_url, &auth)?;
    }
    Ok(ClientConfig {
        api_url,
        auth,
        timeout: settings.timeout.into(),
        limits: provider::Limits {
            requests_per_second: settings.limits.requests_per_second.into(),
            burst: settings.limits.burst,
            in_flight: settings.limits.in_flight,
        },
        ca_bundle: settings.ca_bundle.as_ref().map(|pem| pem.clone().into_bytes()),
        allow_http: settings.allow_http && !declared.confined,
        address_policy: if declared.confined {
            AddressPolicy::PublicOnly { exceptions: exceptions.to_vec() }
        } else {
            AddressPolicy::Any
        },
        fence,
        meter,
    })
}

/// Why a declared network can't be worked with.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidNetwork {
    #[error("spec.apiUrl is not a URL: {0}")]
    ApiUrl(#[from] url::ParseError),
    #[error(
        "{0} is http, which a WebhookNetwork may not use, whatever its allowHttp says: use https, or ask the operator's administrator for a ClusterWebhookNetwork"
    )]
    Http(&'static str),
    #[error(transparent)]
    Config(#[from] provider::ConfigError),
}

/// Over http, credentials and signing secrets would cross the cluster's network in clear, and services
/// that trust whoever reaches them, such as a cloud's metadata, could be talked to. Who runs the operator
/// may decide for that; a tenant may not.
fn refuse_http(api_url: &Url, auth: &provider::Auth) -> Result<(), InvalidNetwork> {
    if api_url.scheme() == "http" {
        return Err(InvalidNetwork::Http("spec.apiUrl"));
    }
    match auth {
        provider::Auth::OAuth2ClientCredentials(client) if client.token_url.scheme() == "http" => {
            Err(InvalidNetwork::Http("spec.auth.oauth2ClientCredentials.tokenUrl"))
        }
        _ => Ok(()),
    }
}

/// A text that differs when two declarations need two clients. It holds no credential.
pub(super) fn fingerprint(declared: &Declared, credentials: Edition) -> String {
    let Declared { settings, auth, namespaces: _, confined, known_id: _, confirmation: _ } = declared;
    let mut settings = settings.clone();
    settings.allowed_url_hosts.clear();
    settings.network_id = None;
    json!([settings, auth, confined, credentials.0]).to_string()
}
