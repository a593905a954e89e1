//! One request and its answer: token, permit, status and body.

use std::time::Instant;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response};

use super::body::{self, BodyError, ERROR_BYTES};
use super::clock;
use super::config::{ClientConfig, ConfigError, Priority};
use super::error::{Detail, Error, Failure};
use super::excerpt::excerpt;
use super::limiter::{Limiter, Outcome};
use super::operation::Operation;
use super::token::{Token, TokenSource};
use super::transport::Transport;

/// What all calls of one network share.
pub(super) struct Exchange {
    /// The way to the API and to the token URL.
    transport: Transport,
    /// The one source of this network's token.
    tokens: TokenSource,
    /// The one budget and circuit of this network.
    pub(super) limiter: Limiter,
}

/// What a call is, but for its request.
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) priority: Priority,
    /// The most that is read of the answer, in bytes.
    pub(super) cap: usize,
    /// When it is too late to send it, by the API's clock.
    pub(super) no_later_than: Option<Timestamp>,
}

/// An answer with a status of success.
pub(super) struct Success {
    /// The whole body, or why it could not be read.
    pub(super) body: Result<Vec<u8>, Failure>,
}

impl Exchange {
    pub(super) fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        let transport = Transport::new(&config)?;
        Ok(Self {
            tokens: TokenSource::new(transport.clone(), config.auth)?,
            transport,
            limiter: Limiter::new(config.limits),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.transport.clock.now()
    }

    pub(super) async fn authenticate(&self) -> Result<(), Error> {
        let token = self.tokens.token().await;
        token.map(drop).map_err(|failure| Error::new(Operation::Authenticate, failure))
    }

    /// Sends a request; once more when the API did not accept the token, which certainly had no
    /// effect, and another token could be had.
    pub(super) async fn run(
        &self,
        call: &Call,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Success, Error> {
        let Call { operation, .. } = *call;
        let started = Instant::now();
        let result = self.run_with_renewal(call, request).await;
        let elapsed = started.elapsed();
        result
            .map_err(|failure| Error::new(operation, failure))
            .inspect_err(
                |error| tracing::debug!(%operation, reason = error.reason(), ?elapsed, "API call failed"),
            )
            .inspect(|_| tracing::debug!(%operation, ?elapsed, "API call succeeded"))
    }

    async fn run_with_renewal(
        &self,
        call: &Call,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Success, Failure> {
        let token = self.tokens.token().await?;
        let refused = match self.run_once(call, &request, &token).await {
            Err(refused @ Failure::Unauthorized { .. }) => refused,
            result => return result,
        };
        let Some(renewed) = self.tokens.renew(&token).await? else { return Err(refused) };
        self.run_once(call, &request, &renewed).await
    }

    async fn run_once(
        &self,
        call: &Call,
        request: &impl Fn(&reqwest::Client) -> RequestBuilder,
        token: &Token,
    ) -> Result<Success, Failure> {
        let patience = self.transport.patience(call.no_later_than)?;
        let permit = self.limiter.acquire(call.operation, call.priority, patience).await?;
        let result = self.attempt(call, request, token).await;
        let outcome = match &result {
            Ok(Success { body: Ok(_) }) => Some(Outcome::Answered),
            Ok(Success { body: Err(failure) }) | Err(failure) => failure.outcome(),
        };
        if let Some(outcome) = outcome {
            permit.finish(outcome);
        }
        result
    }

    async fn attempt(
        &self,
        call: &Call,
        request: &impl Fn(&reqwest::Client) -> RequestBuilder,
        token: &Token,
    ) -> Result<Success, Failure> {
        let authorized = |http: &_| request(http).header(http::header::AUTHORIZATION, token.header());
        let response = self.transport.send(call.no_later_than, authorized).await?;
        self.transport.clock.learn(response.headers(), Instant::now());
        if response.status() != StatusCode::UNAUTHORIZED {
            self.tokens.accepted(token);
        }
        if response.status().is_success() {
            let body = body::read(response, call.cap).await.map_err(|error| self.unread(&error));
            return Ok(Success { body });
        }
        let refusal = self.refusal(response, token).await;
        if matches!(refusal, Failure::Forbidden { .. }) {
            self.tokens.lacks_scope(token);
        }
        Err(refusal)
    }

    fn unread(&self, error: &BodyError) -> Failure {
        match error {
            BodyError::TooLong(_) => Failure::InvalidResponse { detail: Detail::new(error.to_string()) },
            BodyError::Lost(error) => self.transport.failure(error),
        }
    }

    /// What an answer without success means.
    async fn refusal(&self, response: Response, token: &Token) -> Failure {
        let status = response.status();
        let headers = response.headers().clone();
        let text = body::beginning(response, ERROR_BYTES).await;
        let mut secrets = self.tokens.secrets();
        secrets.push(token.secret());
        let detail = Detail::new(excerpt(&text, &secrets));
        refusal(status, &headers, detail, self.now())
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap, detail: Detail, now: Timestamp) -> Failure {
    let retry_after = clock::retry_after(headers, now);
    match status.as_u16() {
        401 => Failure::Unauthorized { detail },
        403 if retry_after.is_some() || detail.tells_of_a_rate() => Failure::RateLimited { retry_after },
        403 => Failure::Forbidden { detail },
        404 | 410 if detail.is_page() || is_html(headers) => Failure::PageNotFound { status },
        404 | 410 => Failure::NotFound { status },
        429 => Failure::RateLimited { retry_after },
        408 | 500..=599 => Failure::ServerError { status, detail, retry_after },
        300..=399 => Failure::Redirected { status },
        400..=499 => Failure::Rejected { status, detail },
        _ => Failure::InvalidResponse { detail: Detail::new(format!("status {status}")) },
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().starts_with("text/html"))
}
