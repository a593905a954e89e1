//! The token of a network: fetched once, shared by all calls, renewed before it expires.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use url::form_urlencoded;

use super::auth::{Auth, ClientAuthentication, ClientCredentials, RequestFormat};
use super::body::{self, BodyError, ERROR_BYTES, SINGLE_BYTES};
use super::clock;
use super::config::ConfigError;
use super::detail::Detail;
use super::error::{Failure, TokenFailure};
use super::excerpt::excerpt;
use super::json;
use super::message;
use super::operation::Operation;
use super::token_life::{Decision, TokenLife};
use super::transport::Transport;

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

/// Fetches tokens for client credentials.
pub(super) struct Issuer {
    transport: Transport,
    client: ClientCredentials,
    /// What is known of the token; never held across an await.
    life: Mutex<TokenLife>,
    /// Held while a token is fetched, so that there is one request however many calls wait for it.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Deserialize)]
struct TokenAnswer<'a> {
    access_token: String,
    #[serde(borrow)]
    token_type: Option<&'a RawValue>,
    #[serde(borrow)]
    expires_in: Option<&'a RawValue>,
}

/// What an issuer granted.
struct Grant {
    secret: SecretString,
    header: HeaderValue,
    /// How long it is valid, if the issuer said so.
    lifetime: Option<Duration>,
}

impl TokenSource {
    /// `before` is the source whose place this one takes.
    pub(super) fn new(transport: Transport, auth: Auth, before: Option<&Self>) -> Result<Self, ConfigError> {
        match auth {
            Auth::BearerToken(secret) => {
                let header =
                    bearer(&secret).ok_or(ConfigError::Credential { credential: "the bearer token" })?;
                Ok(Self::Fixed(Token::fixed(secret, header)))
            }
            Auth::OAuth2ClientCredentials(client) => {
                let life = match before {
                    Some(Self::Issued(issuer)) if issuer.client.is_same(&client) => issuer.life().clone(),
                    Some(Self::Issued(issuer)) if issuer.client.token_url == client.token_url => {
                        TokenLife::succeeding(&issuer.life())
                    }
                    _ => TokenLife::default(),
                };
                Ok(Self::Issued(Box::new(Issuer {
                    transport,
                    client,
                    life: Mutex::new(life),
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
            Self::Issued(issuer) => vec![&issuer.client.client_id, &issuer.client.client_secret],
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
        let fetched = self.fetch().await;
        let outcome = fetched.as_ref().err().map(TokenFailure::reason);
        self.transport.meter.asked(Operation::Authenticate, outcome, asked.elapsed());
        match fetched {
            Ok(Grant { secret, header, lifetime }) => {
                Ok(self.life().fetched(secret, header, lifetime, asked))
            }
            Err(failure @ TokenFailure::HeldBack(_)) => Err(failure),
            Err(failure) => self.life().failed(failure, Instant::now()),
        }
    }

    async fn fetch(&self) -> Result<Grant, TokenFailure> {
        let response = self.transport.send(None, |http| self.request(http)).await.map_err(lost)?;
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

    fn request(&self, http: &reqwest::Client) -> RequestBuilder {
        let ClientCredentials {
            token_url,
            audience,
            scope,
            client_id,
            client_secret,
            request_format,
            client_authentication,
        } = &self.client;
        let (id, secret) = (client_id.expose_secret(), client_secret.expose_secret());
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(scope.as_deref().map(|scope| ("scope", scope)));
        fields.extend(audience.as_deref().map(|audience| ("audience", audience)));
        let mut request = http.post(token_url.clone());
        match client_authentication {
            ClientAuthentication::Body => fields.extend([("client_id", id), ("client_secret", secret)]),
            ClientAuthentication::Basic => request = request.header(AUTHORIZATION, basic(id, secret)),
        }
        match request_format {
            RequestFormat::Json => request.json(&fields.into_iter().collect::<BTreeMap<_, _>>()),
            RequestFormat::Form => {
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
            }
        }
    }

    fn refusal(&self, status: StatusCode, text: &str, retry_after: Option<Duration>) -> TokenFailure {
        let told = excerpt(&message::message(text), &[&self.client.client_id, &self.client.client_secret]);
        let error = message::oauth_error(text);
        let advice = match error.as_deref() {
            Some("invalid_scope") => "scope",
            Some("invalid_target") => "audience and scope",
            Some("invalid_request" | "unsupported_grant_type") => {
                "requestFormat, clientAuthentication, audience and scope"
            }
            _ => "clientId, clientSecret and audience",
        };
        let passing = retry_after.is_some()
            || message::tells_of_a_rate(text)
            || message::is_html(text.as_bytes())
            || matches!(error.as_deref(), Some("server_error" | "temporarily_unavailable"));
        // RFC 6749, section 5.2, answers wrong credentials with 400 or 401; Auth0 also with 403.
        if matches!(status.as_u16(), 400 | 401 | 403 | 422) && !passing {
            return TokenFailure::Refused { status, detail: Detail::new(told), advice };
        }
        let detail = if told.is_empty() { status.to_string() } else { format!("{status}: {told}") };
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
    if message::is_html(body) {
        return Err(unusable("an HTML page"));
    }
    let answer: TokenAnswer<'_> =
        serde_json::from_slice(body).map_err(|error| unusable(json::describe(&error)))?;
    if let Some(kind) = answer.token_type
        && !kind.get().trim_matches('"').eq_ignore_ascii_case("bearer")
    {
        return Err(unusable("its token_type is not Bearer"));
    }
    let secret = SecretString::from(answer.access_token);
    let header =
        bearer(&secret).ok_or_else(|| unusable("its access_token is empty, too long or not printable"))?;
    Ok(Grant { secret, header, lifetime: answer.expires_in.and_then(lifetime) })
}

/// Seconds, as a number or, from some issuers, as a string. What is no lifetime tells none: a token was issued all
/// the same, and whether it is good is for the API to say.
fn lifetime(expires_in: &RawValue) -> Option<Duration> {
    let seconds: f64 = expires_in.get().trim_matches('"').trim().parse().ok()?;
    if seconds.is_nan() || seconds <= 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// The `Authorization` header of RFC 6749, section 2.3.1: each part is encoded like a form before.
fn basic(id: &str, secret: &str) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let both = BASE64_STANDARD.encode(format!("{}:{}", encode(id), encode(secret)));
    // Base64 is always good for a header.
    let header = HeaderValue::try_from(format!("Basic {both}"));
    let mut header = header.unwrap_or_else(|_| HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
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
    use crate::provider::{AddressPolicy, ClientConfig, Fence, Limits, Meter};

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
            meter: Meter::default(),
        }
    }

    #[test]
    fn the_header_is_marked_as_sensitive_and_holds_nothing_odd() {
        assert!(bearer(&"token".into()).unwrap().is_sensitive());
        for token in ["", "a b", "a\nb", "ä", &"a".repeat(MAX_TOKEN_BYTES + 1)] {
            assert!(bearer(&token.into()).is_none(), "{token:?}");
        }
    }

    #[test]
    fn a_client_authenticates_itself_by_basic_as_the_rfc_encodes_it() {
        let header = basic("id:1", "a b+%ü");
        assert!(header.is_sensitive());
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let decoded = BASE64_STANDARD.decode(encoded).unwrap();
        assert_eq!(String::from_utf8(decoded).unwrap(), "id%3A1:a+b%2B%25%C3%BC");
    }

    #[test]
    fn a_lifetime_is_read_as_issuers_write_it() {
        for (expires_in, seconds) in [
            ("3600", Some(3600)),
            ("3600.5", Some(3600)),
            (r#""3600""#, Some(3600)),
            (r#"" 60 ""#, Some(60)),
            ("1e300", Some(u64::MAX)),
            ("0", None),
            ("-5", None),
            (r#""soon""#, None),
            (r#""NaN""#, None),
            (r#""""#, None),
            ("true", None),
            (r#"{"seconds": 5}"#, None),
        ] {
            let body = format!(r#"{{"access_token": "t", "expires_in": {expires_in}}}"#);
            let lifetime = grant(body.as_bytes()).unwrap().lifetime;
            assert_eq!(lifetime.map(|lifetime| lifetime.as_secs()), seconds, "{expires_in}");
        }
    }

    #[tokio::test]
    async fn a_slow_renewal_holds_nobody_up_while_the_old_token_is_good() {
        // It accepts connections and never answers.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let token_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let client = ClientCredentials::new(token_url, "id".into(), "secret".into());
        let auth = Auth::OAuth2ClientCredentials(client);
        let transport = Transport::new(&config(auth.clone())).unwrap();
        let source = TokenSource::new(transport, auth, None).unwrap();
        let TokenSource::Issued(issuer) = source else { panic!("OAuth") };
        let asked = Instant::now().checked_sub(Duration::from_secs(90)).unwrap();
        let lifetime = Some(Duration::from_secs(100));
        issuer.life().fetched("old".into(), HeaderValue::from_static("Bearer old"), lifetime, asked);
        let mut renewal = Box::pin(issuer.token());
        assert!(renewal.as_mut().now_or_never().is_none(), "the first call renews");

        let other = issuer.token().now_or_never().expect("the others do not wait");

        assert_eq!(other.unwrap().secret().expose_secret(), "old");
    }
}
