//! One request and its answer: token, connection, status and body.

use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response};

use super::body::{self, BodyError, ERROR_BYTES};
use super::clock::{self, Clock};
use super::config::{ClientConfig, ConfigError, Priority};
use super::error::{Detail, Error, Failure, Operation};
use super::excerpt::excerpt;
use super::limiter::{Limiter, Outcome, Permit};
use super::token::{Token, TokenSource};
use super::transport;

/// What all calls of one network share.
pub(super) struct Exchange {
    /// Connections to the API and to the token URL.
    http: reqwest::Client,
    /// The one source of this network's token.
    tokens: TokenSource,
    /// The one budget and circuit of this network.
    pub(super) limiter: Limiter,
    /// The API's clock.
    clock: Clock,
    /// How long one exchange may take.
    timeout: Duration,
}

/// An answer with a status of success.
pub(super) struct Success {
    /// The whole body, or why it could not be read.
    pub(super) body: Result<Vec<u8>, Failure>,
}

impl Exchange {
    pub(super) fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        let http = transport::build(&config)?;
        Ok(Self {
            tokens: TokenSource::new(http.clone(), config.auth, config.timeout)?,
            http,
            limiter: Limiter::new(config.limits),
            clock: Clock::local(),
            timeout: config.timeout,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn authenticate(&self) -> Result<(), Error> {
        let token = self.tokens.token().await;
        token.map(drop).map_err(|failure| Error::new(Operation::Authenticate, failure))
    }

    /// Sends a request; once more when the API did not accept the token, which certainly had no
    /// effect, and another token could be had.
    pub(super) async fn run(
        &self,
        operation: Operation,
        priority: Priority,
        cap: usize,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Success, Error> {
        let started = Instant::now();
        let result = self.send_with_renewal(operation, priority, cap, request).await;
        let elapsed = started.elapsed();
        result
            .map_err(|failure| Error::new(operation, failure))
            .inspect_err(
                |error| tracing::debug!(%operation, reason = error.reason(), ?elapsed, "API call failed"),
            )
            .inspect(|_| tracing::debug!(%operation, ?elapsed, "API call succeeded"))
    }

    async fn send_with_renewal(
        &self,
        operation: Operation,
        priority: Priority,
        cap: usize,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Success, Failure> {
        let token = self.tokens.token().await?;
        let permit = self.limiter.acquire(operation, priority, self.timeout).await?;
        let refused = match self.send(permit, request(&self.http), &token, cap).await {
            Err(refused @ Failure::Unauthorized { .. }) => refused,
            result => return result,
        };
        let Some(renewed) = self.tokens.renew(&token).await? else { return Err(refused) };
        let permit = self.limiter.acquire(operation, priority, self.timeout).await?;
        self.send(permit, request(&self.http), &renewed, cap).await
    }

    async fn send(
        &self,
        permit: Permit<'_>,
        request: RequestBuilder,
        token: &Token,
        cap: usize,
    ) -> Result<Success, Failure> {
        let result = self.attempt(request, token, cap).await;
        permit.finish(match &result {
            Ok(Success { body: Ok(_) }) => Outcome::Answered,
            Ok(Success { body: Err(failure) }) | Err(failure) => failure.outcome(),
        });
        result
    }

    async fn attempt(&self, request: RequestBuilder, token: &Token, cap: usize) -> Result<Success, Failure> {
        let response = request
            .header(http::header::AUTHORIZATION, token.header())
            .send()
            .await
            .map_err(|error| transport::failure(&error, self.timeout))?;
        self.clock.learn(response.headers(), Instant::now());
        if response.status() != StatusCode::UNAUTHORIZED {
            self.tokens.accepted(token);
        }
        if response.status() == StatusCode::FORBIDDEN {
            self.tokens.lacks_scope(token);
        }
        if response.status().is_success() {
            let body = body::read(response, cap).await.map_err(|error| unread(&error, self.timeout));
            return Ok(Success { body });
        }
        Err(self.refusal(response, token).await)
    }

    /// What an answer without success means.
    async fn refusal(&self, response: Response, token: &Token) -> Failure {
        let status = response.status();
        let headers = response.headers().clone();
        let text = body::beginning(response, ERROR_BYTES).await;
        let mut secrets = self.tokens.secrets();
        secrets.push(token.secret());
        let detail = Detail::new(excerpt(&text, &secrets));
        refusal(status, &headers, detail, self.clock.now())
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap, detail: Detail, now: Timestamp) -> Failure {
    let retry_after = clock::retry_after(headers, now);
    match status.as_u16() {
        401 => Failure::Unauthorized { detail },
        403 => Failure::Forbidden { detail },
        404 | 410 => Failure::NotFound { status },
        429 => Failure::RateLimited { retry_after },
        408 | 500..=599 => Failure::ServerError { status, detail, retry_after },
        300..=399 => Failure::Redirected { status },
        400..=499 => Failure::Rejected { status, detail },
        _ => Failure::InvalidResponse { detail: Detail::new(format!("status {status}")) },
    }
}

fn unread(error: &BodyError, timeout: Duration) -> Failure {
    match error {
        BodyError::TooLong(_) => Failure::InvalidResponse { detail: Detail::new(error.to_string()) },
        BodyError::Lost(error) => transport::failure(error, timeout),
    }
}
