//! One request and its answer: token, permit, status and body.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_ENCODING};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Response};

use super::body::{self, BodyError, ERROR_BYTES};
use super::clock;
use super::config::{ClientConfig, ConfigError, Priority};
use super::detail::Detail;
use super::error::{Error, Failure, invalid};
use super::excerpt::excerpt;
use super::limiter::{Limiter, Outcome};
use super::message;
use super::meter::Meter;
use super::operation::Operation;
use super::token::{Token, TokenSource};
use super::transport::Transport;

/// How long a page of a list waits for its turn at least: nobody is kept waiting by it, and a list that is turned
/// away whenever there is much to do would never end.
const LIST_PATIENCE: Duration = Duration::from_mins(1);

/// What all calls of one network share.
pub(super) struct Exchange {
    /// The way to the API and to the token URL.
    transport: Transport,
    /// The one source of this network's token.
    tokens: TokenSource,
    /// The one budget and circuit of this network.
    pub(super) limiter: Arc<Limiter>,
}

/// What a call is, but for its request.
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) priority: Priority,
    /// The most that is read of the answer, in bytes; `None` when its status says it all.
    pub(super) cap: Option<usize>,
    /// When it is too late to send it, by the API's clock.
    pub(super) no_later_than: Option<Timestamp>,
}

impl Exchange {
    /// `before` is the exchange whose place this one takes: what the API asked it for, and the API's clock, count
    /// for this one too.
    pub(super) fn new(config: ClientConfig, before: Option<&Self>) -> Result<Self, ConfigError> {
        let mut transport = Transport::new(&config)?;
        let limiter = match before {
            Some(before) => {
                transport.clock = Arc::clone(&before.transport.clock);
                before.limiter.adjust(config.limits);
                Arc::clone(&before.limiter)
            }
            None => Arc::new(Limiter::new(config.limits)),
        };
        let tokens = TokenSource::new(transport.clone(), config.auth, before.map(|before| &before.tokens))?;
        Ok(Self { transport, tokens, limiter })
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.transport.meter
    }

    /// Waits until this process may act.
    pub(super) async fn may_act(&self) {
        self.transport.fence.opened().await;
    }

    pub(super) fn now(&self) -> Timestamp {
        self.transport.clock.now()
    }

    pub(super) async fn authenticate(&self) -> Result<(), Error> {
        let token = self.tokens.token().await;
        token.map(drop).map_err(|failure| Error::new(Operation::Authenticate, failure))
    }

    /// Sends a request and has `read` make something of the answer's body; sends it once more when the API did
    /// not accept the token, which certainly had no effect, and another token could be had.
    pub(super) async fn run<T>(
        &self,
        call: &Call,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
        read: impl Fn(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let Call { operation, .. } = *call;
        let started = Instant::now();
        let result = self.run_with_renewal(call, request, read).await;
        let elapsed = started.elapsed();
        result
            .map_err(|failure| Error::new(operation, failure))
            .inspect_err(
                |error| tracing::debug!(%operation, reason = error.reason(), ?elapsed, "API call failed"),
            )
            .inspect(|_| tracing::debug!(%operation, ?elapsed, "API call succeeded"))
    }

    async fn run_with_renewal<T>(
        &self,
        call: &Call,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
        read: impl Fn(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let token = self.tokens.token().await?;
        let refused = match self.run_once(call, &request, &read, &token).await {
            Err(refused @ Failure::Unauthorized { .. }) => refused,
            result => return result,
        };
        let Some(renewed) = self.tokens.renew(&token).await? else { return Err(refused) };
        self.run_once(call, &request, &read, &renewed).await
    }

    async fn run_once<T>(
        &self,
        call: &Call,
        request: &impl Fn(&reqwest::Client) -> RequestBuilder,
        read: &impl Fn(&[u8]) -> Result<T, Failure>,
        token: &Token,
    ) -> Result<T, Failure> {
        let mut patience = self.transport.patience(call.no_later_than)?;
        if call.operation == Operation::List && self.limiter.pause() <= patience {
            patience = patience.max(LIST_PATIENCE);
        }
        let meter = &self.transport.meter;
        let asked = Instant::now();
        let permit = self.limiter.acquire(call.operation, call.priority, patience).await?;
        meter.waited(asked.elapsed());
        let begun = Instant::now();
        let result = self.attempt(call, request, read, token).await;
        meter.asked(call.operation, result.as_ref().err().map(Failure::reason), begun.elapsed());
        let outcome = match &result {
            Ok(_) => Some(Outcome::Answered),
            Err(failure) => failure.outcome(),
        };
        if let Some(outcome) = outcome {
            if outcome.asks_for_a_pause() {
                meter.paused();
            }
            permit.finish(outcome);
        }
        result
    }

    async fn attempt<T>(
        &self,
        call: &Call,
        request: &impl Fn(&reqwest::Client) -> RequestBuilder,
        read: &impl Fn(&[u8]) -> Result<T, Failure>,
        token: &Token,
    ) -> Result<T, Failure> {
        let authorized = |http: &_| request(http).header(AUTHORIZATION, token.header());
        let response = self.transport.send(call.no_later_than, authorized).await?;
        let seen = Instant::now();
        if !response.status().is_success() {
            return Err(self.refusal(response, token).await);
        }
        let Some(cap) = call.cap else {
            let text = body::beginning(response, ERROR_BYTES).await;
            // That is what a proxy or a portal says, and not the API.
            return if message::is_html(text.as_bytes()) { Err(invalid("an HTML page")) } else { read(&[]) };
        };
        let headers = response.headers().clone();
        if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
            let encoding = excerpt(&String::from_utf8_lossy(encoding.as_bytes()), &[]);
            return Err(invalid(&format!("it is encoded as {encoding}, which was not asked for")));
        }
        let body = body::read(response, cap).await.map_err(|error| self.unread(&error))?;
        let answer = read(&body)?;
        // What is not the API's own answer does not tell its time: a proxy has a clock too.
        self.transport.clock.learn(&headers, seen);
        Ok(answer)
    }

    fn unread(&self, error: &BodyError) -> Failure {
        match error {
            BodyError::TooLong(_) => invalid(&error.to_string()),
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
        let detail = Detail::new(excerpt(&message::message(&text), &secrets));
        let refusal = refusal(status, &headers, &text, detail, self.now());
        if matches!(refusal, Failure::Forbidden { .. }) {
            self.tokens.lacks_scope(token);
        }
        refusal
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap, text: &str, detail: Detail, now: Timestamp) -> Failure {
    let retry_after = clock::retry_after(headers, now);
    match status.as_u16() {
        429 => Failure::RateLimited { retry_after },
        401 | 403 if message::tells_of_a_rate(text) => Failure::RateLimited { retry_after },
        401 => Failure::Unauthorized { detail, retry_after },
        403 if retry_after.is_some() => Failure::RateLimited { retry_after },
        403 => Failure::Forbidden { detail },
        404 | 410 if message::is_html(text.as_bytes()) || is_html(headers) => {
            Failure::PageNotFound { status }
        }
        404 | 410 => Failure::NotFound { status, detail },
        408 | 500..=599 => Failure::ServerError { status, detail, retry_after },
        300..=399 => Failure::Redirected { status },
        400..=499 => Failure::Rejected { status, detail, retry_after },
        _ => invalid(&format!("status {status}")),
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().starts_with("text/html"))
}
