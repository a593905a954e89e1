//! The HTTP connection below both the API and the token URL, and what its failures mean.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use reqwest::redirect;

use super::address::{AddressPolicy, AddressesRefused, Resolver};
use super::config::{Auth, ClientConfig, ConfigError};
use super::error::{Detail, Failure};
use super::excerpt::excerpt;

/// The longest time that connecting may take, TLS included.
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: shorter than common servers keep theirs, because a create
/// that goes out on a connection the server is just closing has an unknown outcome.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Makes the HTTP client. It follows no redirects and repeats nothing by itself.
pub(super) fn build(config: &ClientConfig) -> Result<reqwest::Client, ConfigError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .timeout(config.timeout)
        // At most half of the whole, so that a connection that never came about is recognised as such.
        .connect_timeout(MAX_CONNECT_TIMEOUT.min(config.timeout / 2))
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .https_only(!config.allow_http)
        .dns_resolver(Resolver { policy: config.address_policy.clone() });
    if matches!(config.address_policy, AddressPolicy::PublicOnly { .. }) {
        // A proxy would resolve the name itself, past the policy.
        builder = builder.no_proxy();
    }
    if let Some(pem) = &config.ca_bundle {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| ConfigError::CaBundle)?;
        if certificates.is_empty() {
            return Err(ConfigError::CaBundle);
        }
        builder = builder.tls_certs_merge(certificates);
    } else if !uses_tls(config) {
        // Loading the system's certificates fails where there are none, which must not matter here.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| ConfigError::Tls(root_cause(&error)))
}

fn uses_tls(config: &ClientConfig) -> bool {
    let token_url = match &config.auth {
        Auth::OAuth2ClientCredentials { token_url, .. } => Some(token_url),
        Auth::BearerToken(_) => None,
    };
    config.api_url.scheme() == "https" || token_url.is_some_and(|url| url.scheme() == "https")
}

/// What a failed exchange means. A failure to connect certainly had no effect; whatever comes later
/// may have had one.
pub(super) fn failure(error: &reqwest::Error, timeout: Duration) -> Failure {
    if let Some(refused) = find::<AddressesRefused>(error) {
        return Failure::AddressRefused { detail: Detail::new(excerpt(&refused.to_string(), &[])) };
    }
    if error.is_connect() || error.is_builder() {
        if find::<rustls::Error>(error).is_some() {
            return Failure::TlsFailed { detail: Detail::new(root_cause(error)) };
        }
        let detail = if error.is_timeout() { "connecting took too long".into() } else { root_cause(error) };
        return Failure::Unreachable { detail: Detail::new(detail) };
    }
    if error.is_timeout() {
        return Failure::TimedOut { after: timeout };
    }
    Failure::ConnectionLost { detail: Detail::new(root_cause(error)) }
}

/// The error at the bottom of the chain, which says most in the fewest words.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = next(cause) {
        cause = next;
    }
    excerpt(&cause.to_string(), &[])
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = next(error);
    }
    None
}

/// The next error of the chain. An `io::Error` passes over the error that it wraps, which is where
/// rustls' errors are.
fn next<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(inner);
    }
    error.source()
}
