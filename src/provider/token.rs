//! The token of a network: fetched once, shared by all calls, renewed before it expires.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::body::{self, BodyError, ERROR_BYTES, SINGLE_BYTES};
use super::clock;
use super::config::{Auth, ConfigError};
use super::error::{Detail, Failure, TokenFailure};
use super::excerpt::excerpt;
use super::token_life::{Decision, TokenLife};
use super::transport::Transport;
use super::wire;

pub(super) use super::token_life::Token;

/// The longest token that is believed, in bytes: more does not fit into common servers' header limits.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Where a network's token comes from.
pub(super) enum TokenSource {
    /// A token that is used as it is.
    Fixed(Token),
    /// Tokens that are issued for client credentials.
    Issued(Box<Issuer>),
}

/// OAuth 2.0 client credentials (RFC 6749, section 4.4), in the JSON form that the vendor documents.
pub(super) struct Issuer {
    transport: Transport,
    token_url: Url,
    audience: Option<String>,
    client_id: SecretString,
    client_secret: SecretString,
    /// What is known of the token; never held across an await.
    life: Mutex<TokenLife>,
    /// Held while a token is fetched, so that there is one request however many calls wait for it.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Serialize)]
struct TokenRequest<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
    grant_type: &'static str,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<ExpiresIn>,
}

/// Seconds, as a number or, from some issuers, as a string of digits.
#[derive(Deserialize)]
#[serde(untagged)]
enum ExpiresIn {
    Number(f64),
    Text(String),
}

/// What an issuer granted.
struct Grant {
    secret: SecretString,
    header: HeaderValue,
    /// How long it is valid, if the issuer said so.
    lifetime: Option<Duration>,
}

impl TokenSource {
    pub(super) fn new(transport: Transport, auth: Auth) -> Result<Self, ConfigError> {
        match auth {
            Auth::BearerToken(secret) => {
                let header =
                    bearer(&secret).ok_or(ConfigError::Credential { credential: "the bearer token" })?;
                Ok(Self::Fixed(Token::fixed(secret, header)))
            }
            Auth::OAuth2ClientCredentials { token_url, audience, client_id, client_secret } => {
                Ok(Self::Issued(Box::new(Issuer {
                    transport,
                    token_url,
                    audience,
                    client_id,
                    client_secret,
                    life: Mutex::default(),
                    flight: tokio::sync::Mutex::default(),
                })))
            }
        }
    }

    /// A token that should be accepted.
    pub(super) async fn token(&self) -> Result<Token, TokenFailure> {
        match self {
            Self::Fixed(token) => Ok(token.clone()),
            Self::Issued(issuer) => issuer.token().await,
        }
    }

    /// Another token in place of `refused`, which the API did not accept; none if there is no hope
    /// that another one fares better.
    pub(super) async fn renew(&self, refused: &Token) -> Result<Option<Token>, TokenFailure> {
        match self {
            Self::Fixed(_) => Ok(None),
            Self::Issued(issuer) => {
                if !issuer.life().refused(refused, Instant::now()) {
                    return Ok(None);
                }
                issuer.token().await.map(Some)
            }
        }
    }

    /// Notes that the API accepted the token.
    pub(super) fn accepted(&self, token: &Token) {
        match self {
            Self::Fixed(_) => {}
            Self::Issued(issuer) => issuer.life().accepted(token),
        }
    }

    /// Notes that the API said that the token lacks a scope.
    pub(super) fn lacks_scope(&self, token: &Token) {
        match self {
            Self::Fixed(_) => {}
            Self::Issued(issuer) => issuer.life().lacks_scope(token, Instant::now()),
        }
    }

    /// The secrets, beside the token, that an answer might echo.
    pub(super) fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Issued(issuer) => vec![&issuer.client_id, &issuer.client_secret],
        }
    }
}

impl Issuer {
    async fn token(&self) -> Result<Token, TokenFailure> {
        let decision = self.life().decide(Instant::now());
        let _flight = match decision {
            Decision::Use(token) => return Ok(token),
            Decision::Fail(failure) => return Err(failure),
            // The old token is still good, so only one call renews it and the others do not wait.
            Decision::Renew(token) => match self.flight.try_lock() {
                Ok(flight) => flight,
                Err(_) => return Ok(token),
            },
            Decision::Fetch => self.flight.lock().await,
        };
        // Another call may have fetched one while this one waited.
        match self.life().decide(Instant::now()) {
            Decision::Use(token) => return Ok(token),
            Decision::Fail(failure) => return Err(failure),
            Decision::Renew(_) | Decision::Fetch => {}
        }
        // The lifetime counts from before the request, whenever the answer arrives.
        let asked = Instant::now();
        match self.fetch().await {
            Ok(Grant { secret, header, lifetime }) => {
                Ok(self.life().fetched(secret, header, lifetime, asked))
            }
            Err(failure @ TokenFailure::HeldBack(_)) => Err(failure),
            Err(failure) => self.life().failed(failure, Instant::now()),
        }
    }

    async fn fetch(&self) -> Result<Grant, TokenFailure> {
        let request = TokenRequest {
            client_id: self.client_id.expose_secret(),
            client_secret: self.client_secret.expose_secret(),
            audience: self.audience.as_deref(),
            grant_type: "client_credentials",
        };
        let response = self
            .transport
            .send(None, |http| http.post(self.token_url.clone()).json(&request))
            .await
            .map_err(lost)?;
        let status = response.status();
        if !status.is_success() {
            let retry_after = clock::retry_after(response.headers(), jiff::Timestamp::now());
            let text = body::beginning(response, ERROR_BYTES).await;
            return Err(self.refusal(status, &text, retry_after));
        }
        let body = match body::read(response, SINGLE_BYTES).await {
            Ok(body) => body,
            Err(BodyError::Lost(error)) => return Err(lost(self.transport.failure(&error))),
            Err(error @ BodyError::TooLong(_)) => return Err(unusable(error.to_string())),
        };
        tracing::debug!("a token was issued");
        grant(&body)
    }

    fn refusal(&self, status: StatusCode, text: &str, retry_after: Option<Duration>) -> TokenFailure {
        let text = excerpt(text, &[&self.client_id, &self.client_secret]);
        // RFC 6749, section 5.2, answers wrong credentials with 400 or 401; Auth0 also with 403.
        if matches!(status.as_u16(), 400 | 401 | 403 | 422) {
            return TokenFailure::Refused { status, detail: Detail::new(text) };
        }
        let detail = if text.is_empty() { status.to_string() } else { format!("{status}: {text}") };
        TokenFailure::Unavailable { detail: Detail::new(detail), retry_after }
    }

    fn life(&self) -> MutexGuard<'_, TokenLife> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request for a token means that was not answered, or not sent.
fn lost(failure: Failure) -> TokenFailure {
    match failure {
        Failure::HeldBack(held_back) => held_back.into(),
        Failure::AddressRefused { detail }
        | Failure::TlsFailed { detail }
        | Failure::Unreachable { detail }
        | Failure::ConnectionLost { detail } => TokenFailure::Unavailable { detail, retry_after: None },
        _ => unusable("no complete answer in time"),
    }
}

/// Reads an issuer's answer.
fn grant(body: &[u8]) -> Result<Grant, TokenFailure> {
    let answer: TokenAnswer =
        serde_json::from_slice(body).map_err(|error| unusable(wire::describe(&error)))?;
    if let Some(kind) = answer.token_type
        && !kind.eq_ignore_ascii_case("bearer")
    {
        return Err(unusable("its token_type is not Bearer"));
    }
    let lifetime = answer.expires_in.map(|expires_in| {
        expires_in.seconds().ok_or_else(|| unusable("its expires_in is not a positive number of seconds"))
    });
    let secret = SecretString::from(answer.access_token);
    let header =
        bearer(&secret).ok_or_else(|| unusable("its access_token is empty, too long or not printable"))?;
    Ok(Grant { secret, header, lifetime: lifetime.transpose()? })
}

impl ExpiresIn {
    fn seconds(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(seconds) => *seconds,
            Self::Text(text) => text.parse().ok()?,
        };
        // A lifetime beyond what a Duration holds is cut later; infinity and NaN are no lifetimes.
        if !seconds.is_finite() || seconds <= 0.0 {
            return None;
        }
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

/// The `Authorization` header for a token; HTTP libraries do not show its value in their logs.
fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let token = token.expose_secret();
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !token.chars().all(|c| c.is_ascii_graphic()) {
        return None;
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

fn unusable(detail: impl Into<String>) -> TokenFailure {
    TokenFailure::Unavailable { detail: Detail::new(detail), retry_after: None }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::provider::{AddressPolicy, ClientConfig, Fence, Limits};

    fn config(auth: Auth) -> ClientConfig {
        ClientConfig {
            api_url: "http://api.example.com".parse().unwrap(),
            auth,
            timeout: Duration::from_secs(5),
            limits: Limits { requests_per_second: 10.0, burst: 20, in_flight: 8 },
            ca_bundle: None,
            allow_http: true,
            address_policy: AddressPolicy::Any,
            fence: Fence::default(),
        }
    }

    #[test]
    fn the_header_is_marked_as_sensitive_and_holds_nothing_odd() {
        assert!(bearer(&"token".into()).unwrap().is_sensitive());
        for token in ["", "a b", "a\nb", "ä", &"a".repeat(MAX_TOKEN_BYTES + 1)] {
            assert!(bearer(&token.into()).is_none(), "{token:?}");
        }
    }

    #[tokio::test]
    async fn a_slow_renewal_holds_nobody_up_while_the_old_token_is_good() {
        // It accepts connections and never answers.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let token_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let auth = Auth::OAuth2ClientCredentials {
            token_url,
            audience: None,
            client_id: "id".into(),
            client_secret: "secret".into(),
        };
        let transport = Transport::new(&config(auth.clone())).unwrap();
        let TokenSource::Issued(issuer) = TokenSource::new(transport, auth).unwrap() else { panic!("OAuth") };
        let asked = Instant::now().checked_sub(Duration::from_secs(90)).unwrap();
        let lifetime = Some(Duration::from_secs(100));
        issuer.life().fetched("old".into(), HeaderValue::from_static("Bearer old"), lifetime, asked);
        let mut renewal = Box::pin(issuer.token());
        assert!(renewal.as_mut().now_or_never().is_none(), "the first call renews");

        let other = issuer.token().now_or_never().expect("the others do not wait");

        assert_eq!(other.unwrap().secret().expose_secret(), "old");
    }
}
