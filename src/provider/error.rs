//! What can go wrong with a remote call, classed once, where it is known best.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::detail::Detail;
use super::ids::EndpointId;
use super::limiter::{Outcome, Refusal};
use super::operation::Operation;

/// What a caller may conclude from a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The request itself is wrong: repeating it unchanged is pointless.
    Permanent,
    /// The call certainly had no effect; it may be repeated later.
    Retry,
    /// The call may or may not have taken effect: look before repeating it.
    Ambiguous,
    /// The credentials were not accepted; the call had no effect.
    Unauthorized,
    /// The credentials lack a scope; the call had no effect.
    Forbidden,
    /// The endpoint does not exist.
    NotFound,
}

/// A failed call. It holds no secret, no token and no unbounded part of an answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {operation}: {failure}")]
pub struct Error {
    operation: Operation,
    failure: Failure,
}

impl Error {
    pub(super) fn new(operation: Operation, failure: impl Into<Failure>) -> Self {
        Self { operation, failure: failure.into() }
    }

    /// What may be concluded about the call's effect.
    ///
    /// A read (get, list) has no effect whatever happens to its answer, so it is never `Ambiguous`.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match &self.failure {
            Failure::Unauthorized { .. } | Failure::Token(TokenFailure::Refused { .. }) => {
                ErrorClass::Unauthorized
            }
            Failure::Forbidden { .. } => ErrorClass::Forbidden,
            // A page tells nothing of the endpoint, so what is asked is asked again; a change had no effect.
            Failure::PageNotFound { .. } if matches!(self.operation, Operation::Get | Operation::List) => {
                ErrorClass::Retry
            }
            Failure::NotFound { .. } | Failure::PageNotFound { .. } if self.operation.names_an_endpoint() => {
                ErrorClass::NotFound
            }
            Failure::NotFound { .. }
            | Failure::PageNotFound { .. }
            | Failure::Rejected { .. }
            | Failure::InvalidId => ErrorClass::Permanent,
            Failure::RateLimited { .. }
            | Failure::BudgetSpent { .. }
            | Failure::HeldBack(_)
            | Failure::CircuitOpen { .. }
            | Failure::Unreachable { .. }
            | Failure::TlsFailed { .. }
            | Failure::AddressRefused { .. }
            | Failure::CursorRefused { .. }
            | Failure::Token(_) => ErrorClass::Retry,
            Failure::CreatedWithoutSecret { .. } => ErrorClass::Ambiguous,
            Failure::TimedOut { .. }
            | Failure::ConnectionLost { .. }
            | Failure::ServerError { .. }
            | Failure::Redirected { .. }
            | Failure::InvalidResponse { .. } => {
                if self.operation.is_read() {
                    ErrorClass::Retry
                } else {
                    ErrorClass::Ambiguous
                }
            }
        }
    }

    /// A machine word for conditions, events and metrics, one of a fixed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.failure.reason()
    }

    /// How long to wait before the next call: what the API asked for, or what this client's own
    /// budget and circuit foresee.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.failure {
            Failure::RateLimited { retry_after }
            | Failure::Unauthorized { retry_after, .. }
            | Failure::Rejected { retry_after, .. }
            | Failure::ServerError { retry_after, .. }
            | Failure::Token(TokenFailure::Unavailable { retry_after, .. }) => *retry_after,
            Failure::BudgetSpent { retry_after } | Failure::CircuitOpen { retry_after, .. } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }

    /// Whether this client held the call back: for its own budget, because it would have been too late, or
    /// because this process may not act. Nothing was sent and nothing went wrong.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        matches!(self.failure, Failure::BudgetSpent { .. } | Failure::HeldBack(_))
    }

    /// Whether asking again at once or in a while won't help, though the call had no effect and may be repeated:
    /// it takes a change of the network, or of its cursor, or that this process may act again.
    pub(super) fn is_lasting(&self) -> bool {
        matches!(
            self.failure,
            Failure::TlsFailed { .. }
                | Failure::AddressRefused { .. }
                | Failure::Redirected { .. }
                | Failure::CursorRefused { .. }
                | Failure::HeldBack(_)
        )
    }

    /// Whether the API certainly never saw the call: it was held back, or there was no way to the API, or no token.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        self.is_held_back()
            || matches!(
                self.failure,
                Failure::CircuitOpen { .. }
                    | Failure::Unreachable { .. }
                    | Failure::TlsFailed { .. }
                    | Failure::AddressRefused { .. }
                    | Failure::Token(_)
            )
    }

    /// The endpoint that a create made without telling us its secret: the API answered 2xx with a
    /// readable id and no secret.
    #[must_use]
    pub fn created_without_secret(&self) -> Option<&EndpointId> {
        match &self.failure {
            Failure::CreatedWithoutSecret { id } => Some(id),
            _ => None,
        }
    }

    /// Whether the API says that what was to be made is there already (409).
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(&self.failure, Failure::Rejected { status, .. } if *status == StatusCode::CONFLICT)
    }

    /// The same failure of a list that went on after a cursor: an answer that refuses the request
    /// then means that the cursor's endpoint is gone, not that the request is wrong.
    pub(super) fn about_cursor(self) -> Self {
        match self.failure {
            Failure::Rejected { status, .. } | Failure::NotFound { status, .. } => {
                Self { failure: Failure::CursorRefused { status }, ..self }
            }
            _ => self,
        }
    }
}

#[cfg(test)]
impl Error {
    /// A list that the API answered with this status.
    pub(crate) fn of_list(status: StatusCode) -> Self {
        let detail = Detail::default();
        let failure = match status {
            StatusCode::UNAUTHORIZED => Failure::Unauthorized { detail, retry_after: None },
            StatusCode::FORBIDDEN => Failure::Forbidden { detail },
            _ => Failure::ServerError { status, detail, retry_after: None },
        };
        Self::new(Operation::List, failure)
    }
}

/// Why it failed. Every `detail` is an excerpt: capped, printable and redacted.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the id cannot be part of a URL; correct spec.adopt.endpointId")]
    InvalidId,
    #[error("the API refused the request with {status}{detail}; {}", advice(*.status))]
    Rejected { status: StatusCode, detail: Detail, retry_after: Option<Duration> },
    #[error("the API did not accept the credentials (401){detail}; check the network's credentials")]
    Unauthorized { detail: Detail, retry_after: Option<Duration> },
    #[error("the API client lacks the webhook scopes (403){detail}; ask the vendor's support to grant them")]
    Forbidden { detail: Detail },
    #[error("the API does not know it ({status}){detail}; if this persists, check the network's apiUrl")]
    NotFound { status: StatusCode, detail: Detail },
    #[error(
        "a page that is not the API's says {status}; if this persists, check the network's apiUrl and the gateway before it"
    )]
    PageNotFound { status: StatusCode },
    #[error("the API limits the rate; the network pauses and carries on by itself")]
    RateLimited { retry_after: Option<Duration> },
    #[error("the network's request budget is spent; it carries on by itself")]
    BudgetSpent { retry_after: Duration },
    #[error("the API has been failing ({cause}), so calls rest; it carries on by itself")]
    CircuitOpen { retry_after: Duration, cause: &'static str },
    #[error("no connection{detail}; check the network's apiUrl and the way to it")]
    Unreachable { detail: Detail },
    #[error("the TLS handshake failed{detail}; check the network's apiUrl and caBundle")]
    TlsFailed { detail: Detail },
    #[error(
        "the name leads only to addresses that this network may not reach{detail}; use a public address or ask the operator's administrator for an exception"
    )]
    AddressRefused { detail: Detail },
    #[error("no complete answer within {}; the call may have taken effect", Seconds(.after))]
    TimedOut { after: Duration },
    #[error("the connection was lost before the answer was complete{detail}; the call may have taken effect")]
    ConnectionLost { detail: Detail },
    #[error("the API failed with {status}{detail}; it is tried again")]
    ServerError { status: StatusCode, detail: Detail, retry_after: Option<Duration> },
    #[error("the API no longer accepts the cursor ({status}); the list begins again")]
    CursorRefused { status: StatusCode },
    #[error("the API redirects ({status}), which is not followed; check the network's apiUrl")]
    Redirected { status: StatusCode },
    #[error("the API's answer is not what it documents{detail}; it is tried again")]
    InvalidResponse { detail: Detail },
    #[error("the API created {id} without showing its secret; it has to be replaced")]
    CreatedWithoutSecret { id: EndpointId },
    #[error(transparent)]
    HeldBack(#[from] HeldBack),
    #[error(transparent)]
    Token(TokenFailure),
}

/// Why a request was not sent after all, when nothing but its sending was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeldBack {
    #[error("its time was up before it could be sent; it is begun anew")]
    TooLate,
    #[error("this process may not act now, so nothing is sent; whoever may carries on")]
    NotLeading,
}

impl HeldBack {
    fn reason(self) -> &'static str {
        match self {
            Self::TooLate => "TooLate",
            Self::NotLeading => "NotLeading",
        }
    }
}

/// What to do about a request that the API refused.
fn advice(status: StatusCode) -> &'static str {
    if status == StatusCode::CONFLICT {
        "if another endpoint has this URL, choose another one, or delete that endpoint and this goes on by itself"
    } else {
        "correct the resource"
    }
}

/// Why there is no token. Nothing was sent to the API.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum TokenFailure {
    #[error("the token URL refused the client credentials with {status}{detail}; check {advice}")]
    Refused { status: StatusCode, detail: Detail, advice: &'static str },
    #[error("the token URL gave no token{detail}; check tokenUrl and the way to it")]
    Unavailable { detail: Detail, retry_after: Option<Duration> },
    #[error(transparent)]
    HeldBack(#[from] HeldBack),
}

impl Failure {
    /// See [`Error::reason`].
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::InvalidId => "InvalidId",
            Self::Rejected { status, .. } if *status == StatusCode::CONFLICT => "Conflict",
            Self::Rejected { .. } => "Rejected",
            Self::Unauthorized { .. } => "Unauthorized",
            Self::Forbidden { .. } => "MissingScope",
            Self::NotFound { .. } | Self::PageNotFound { .. } => "NotFound",
            Self::RateLimited { .. } => "RateLimited",
            Self::BudgetSpent { .. } => "BudgetSpent",
            Self::CircuitOpen { .. } => "CircuitOpen",
            Self::Unreachable { .. } => "Unreachable",
            Self::TlsFailed { .. } => "TlsFailed",
            Self::AddressRefused { .. } => "AddressRefused",
            Self::CursorRefused { .. } => "CursorRefused",
            Self::TimedOut { .. } => "TimedOut",
            Self::ConnectionLost { .. } => "ConnectionLost",
            Self::ServerError { .. } => "ServerError",
            Self::Redirected { .. } => "Redirected",
            Self::InvalidResponse { .. } => "InvalidResponse",
            Self::CreatedWithoutSecret { .. } => "CreatedWithoutSecret",
            Self::HeldBack(held_back) => held_back.reason(),
            Self::Token(failure) => failure.reason(),
        }
    }

    /// What the failure says about the API's health, to the network's limiter; `None` when nothing was sent.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        Some(match self {
            Self::HeldBack(_) => return None,
            Self::RateLimited { retry_after } => Outcome::Limited { retry_after: *retry_after },
            Self::Unreachable { .. }
            | Self::TlsFailed { .. }
            | Self::AddressRefused { .. }
            | Self::TimedOut { .. }
            | Self::ConnectionLost { .. } => Outcome::Failed { cause: self.reason(), retry_after: None },
            // What a gateway says when there is nothing behind it; a 500 may be about one request.
            Self::ServerError { status, retry_after, .. } if matches!(status.as_u16(), 502..=504) => {
                Outcome::Failed { cause: self.reason(), retry_after: *retry_after }
            }
            Self::ServerError { retry_after: Some(asked), .. }
            | Self::Unauthorized { retry_after: Some(asked), .. } => {
                Outcome::Limited { retry_after: Some(*asked) }
            }
            _ => Outcome::Answered,
        })
    }
}

impl From<TokenFailure> for Failure {
    fn from(failure: TokenFailure) -> Self {
        match failure {
            TokenFailure::HeldBack(held_back) => Self::HeldBack(held_back),
            failure => Self::Token(failure),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Paused { retry_after } => Self::RateLimited { retry_after: Some(retry_after) },
            Refusal::Spent { retry_after } => Self::BudgetSpent { retry_after },
            Refusal::Down { retry_after, cause } => Self::CircuitOpen { retry_after, cause },
        }
    }
}

impl TokenFailure {
    /// See [`Error::reason`].
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "InvalidClient",
            Self::Unavailable { .. } => "TokenUnavailable",
            Self::HeldBack(held_back) => held_back.reason(),
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { .. } | Self::HeldBack(_) => None,
            Self::Unavailable { retry_after, .. } => *retry_after,
        }
    }

    /// The same failure, with the time for which the issuer is left in peace.
    pub(super) fn waiting(self, rest: Duration) -> Self {
        match self {
            Self::Refused { .. } | Self::HeldBack(_) => self,
            Self::Unavailable { detail, .. } => Self::Unavailable { detail, retry_after: Some(rest) },
        }
    }
}

/// An answer that is not what the API documents, in a few words of our own.
pub(super) fn invalid(detail: &str) -> Failure {
    Failure::InvalidResponse { detail: Detail::new(detail) }
}

struct Seconds<'a>(&'a Duration);

impl fmt::Display for Seconds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}s", self.0.as_secs_f64())
    }
}
