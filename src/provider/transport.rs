//! The one way out, below both the API and the token URL, and what failures on it mean.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response, redirect};

use super::address::{AddressPolicy, AddressesRefused, Resolver};
use super::auth::Auth;
use super::clock::Clock;
use super::config::{ClientConfig, ConfigError};
use super::detail::Detail;
use super::error::{Failure, HeldBack};
use super::excerpt::excerpt;
use super::fence::Fence;
use super::meter::Meter;

/// The longest time that connecting may take, TLS included.
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: shorter than common servers keep theirs, because a create
/// that goes out on a connection the server is just closing has an unknown outcome.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The way out. Clones share connections, fence and clock.
#[derive(Clone)]
pub(super) struct Transport {
    http: reqwest::Client,
    /// Holds everything back while this process may not act.
    pub(super) fence: Fence,
    /// Counts what is asked.
    pub(super) meter: Meter,
    /// The API's clock.
    pub(super) clock: Arc<Clock>,
    /// How long one exchange may take, from connecting to the last byte of the answer.
    timeout: Duration,
}

impl Transport {
    pub(super) fn new(config: &ClientConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            http: build(config)?,
            fence: config.fence.clone(),
            meter: config.meter.clone(),
            clock: Arc::new(Clock::local()),
            timeout: config.timeout,
        })
    }

    /// Sends a request: the one place through which any leaves. It is checked here, when all waiting is
    /// over, that this process may still act, and that the request is not too late by the API's clock.
    pub(super) async fn send(
        &self,
        no_later_than: Option<Timestamp>,
        request: impl FnOnce(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let request = request(&self.http);
        if !self.fence.is_open() {
            return Err(HeldBack::NotLeading.into());
        }
        self.patience(no_later_than)?;
        request.send().await.map_err(|error| self.failure(&error))
    }

    /// How long a request may wait before it is sent.
    pub(super) fn patience(&self, no_later_than: Option<Timestamp>) -> Result<Duration, HeldBack> {
        let Some(latest) = no_later_than else { return Ok(self.timeout) };
        let left = Duration::try_from(latest.duration_since(self.clock.now()));
        left.map(|left| left.min(self.timeout)).map_err(|_| HeldBack::TooLate)
    }

    /// What a failed exchange means. A failure to connect certainly had no effect; whatever comes later
    /// may have had one.
    pub(super) fn failure(&self, error: &reqwest::Error) -> Failure {
        if let Some(refused) = find::<AddressesRefused>(error) {
            return Failure::AddressRefused { detail: Detail::new(excerpt(&refused.to_string(), &[])) };
        }
        if error.is_connect() || error.is_builder() {
            if find::<rustls::Error>(error).is_some() {
                return Failure::TlsFailed { detail: Detail::new(root_cause(error)) };
            }
            let detail =
                if error.is_timeout() { "connecting took too long".into() } else { root_cause(error) };
            return Failure::Unreachable { detail: Detail::new(detail) };
        }
        if error.is_timeout() {
            return Failure::TimedOut { after: self.timeout };
        }
        Failure::ConnectionLost { detail: Detail::new(root_cause(error)) }
    }
}

/// Makes the HTTP client. It follows no redirects and repeats nothing by itself.
fn build(config: &ClientConfig) -> Result<reqwest::Client, ConfigError> {
    let mut builder = reqwest::Client::builder()
        .default_headers(headers())
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

/// What every request says: an answer is JSON, and is read as it comes.
fn headers() -> HeaderMap {
    [
        (ACCEPT, HeaderValue::from_static("application/json")),
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ]
    .into_iter()
    .collect()
}

fn uses_tls(config: &ClientConfig) -> bool {
    let token_url = match &config.auth {
        Auth::OAuth2ClientCredentials(client) => Some(&client.token_url),
        Auth::BearerToken(_) => None,
    };
    config.api_url.scheme() == "https" || token_url.is_some_and(|url| url.scheme() == "https")
}

/// The error at the bottom of the chain, which says most in the fewest words.
fn root_cause(error: &(dyn StdError + 'static)) -> String {
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
