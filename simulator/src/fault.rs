//! What can go wrong on demand.

mod queue;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use queue::{FaultQueue, Traits};

use crate::endpoint::{EndpointId, NetworkId};
use crate::hold::{Hold, milliseconds};
use crate::operation::Operation;

/// A fault: what goes wrong, in which calls, how often.
///
/// A call meets at most one fault: the first injected of those that fit. In JSON the kind's own
/// fields stand beside the others: `{"operation": "create", "kind": "reset", "point": "after-effect"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Only calls of this operation; every call if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// How many fitting calls meet it.
    #[serde(default)]
    pub times: Times,
    /// How many fitting calls pass first, those that meet another fault included.
    #[serde(default)]
    pub after: u64,
    /// Only calls about this URL: a create of it, or any call with the id of an endpoint that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Only calls about this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EndpointId>,
    /// Only calls of this network's callers (or clients, for the token operation).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkId>,
}

/// How many fitting calls meet a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// The next so many.
    Next(u64),
    /// All, until the fault is cleared.
    UntilCleared,
}

impl Default for Times {
    fn default() -> Self {
        Self::Next(1)
    }
}

/// Identifies an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(u64);

impl From<u64> for FaultId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

/// Where in a call a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// Nothing is done.
    BeforeEffect,
    /// Everything is done, but the caller does not hear of it properly.
    AfterEffect,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FaultKind {
    /// Effect and answer come late; the effect also when the caller has gone meanwhile.
    Latency {
        /// How late.
        hold: Hold,
    },
    /// The connection is reset and nothing is done. For a fault on every operation without a URL, id
    /// or network, this happens as soon as a connection is accepted (or used again); else the request
    /// must be read first.
    Refuse,
    /// The connection is reset once the request is read.
    Reset {
        /// Before or after the effect.
        point: Point,
    },
    /// There is never an answer; the connection stays open until the caller leaves.
    Hang {
        /// Before or after the effect.
        point: Point,
    },
    /// The connection is reset at once, and the effect comes later.
    Deferred {
        /// How long after the reset.
        hold: Hold,
    },
    /// The answer's body comes drop by drop.
    Drip {
        /// Bytes a drop.
        bytes: usize,
        /// Time between two drops; milliseconds in JSON.
        #[serde(with = "milliseconds")]
        interval: Duration,
    },
    /// The connection is closed in the middle of the answer's body.
    Truncate,
    /// The answer's body is complete, but no JSON.
    InvalidJson,
    /// The answer's body is padded with white space to this size. It is streamed, never held.
    Oversize {
        /// Bytes in all.
        bytes: u64,
    },
    /// Another answer than the right one.
    Answer {
        /// 100 to 999
        status: u16,
        /// Header names and values.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body as it is sent.
        #[serde(default)]
        body: String,
        /// Whether the right thing is done nevertheless.
        point: Point,
    },
    /// 429; nothing is done.
    RateLimit {
        /// The header `Retry-After`, if any.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
    },
    /// The right answer, changed in each endpoint that it shows (a JSON merge patch: `null` removes).
    AlterEndpoint {
        /// The patch.
        patch: Value,
    },
    /// The right answer, changed as a whole (a JSON merge patch: `null` removes).
    AlterBody {
        /// The patch.
        patch: Value,
    },
    /// A list's page that has a cursor repeats the end of the page before: what offset paging does
    /// when something is added meanwhile.
    RepeatItems {
        /// How many items.
        count: usize,
    },
    /// A list's page leaves out its first items: what offset paging does when something is deleted
    /// meanwhile.
    SkipItems {
        /// How many items.
        count: usize,
    },
}

/// The header `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryAfter {
    /// As so many seconds.
    Seconds(u64),
    /// As a date this many seconds after the API's now.
    Date(u64),
}

impl Fault {
    /// A fault that the next call of an operation meets.
    #[must_use]
    pub fn on(operation: Operation, kind: FaultKind) -> Self {
        Self { operation: Some(operation), ..Self::on_any(kind) }
    }

    /// A fault that the next call meets, whatever it is.
    #[must_use]
    pub fn on_any(kind: FaultKind) -> Self {
        Self { operation: None, kind, times: Times::default(), after: 0, url: None, id: None, network: None }
    }

    /// The next `count` fitting calls meet it.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = Times::Next(count);
        self
    }

    /// Every fitting call meets it until it is cleared.
    #[must_use]
    pub fn until_cleared(mut self) -> Self {
        self.times = Times::UntilCleared;
        self
    }

    /// So many fitting calls pass first, those that meet another fault included.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Only calls about this URL meet it.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Only calls about this endpoint meet it.
    #[must_use]
    pub fn id(mut self, id: impl Into<EndpointId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Only calls of this network's callers meet it.
    #[must_use]
    pub fn network(mut self, network: impl Into<NetworkId>) -> Self {
        self.network = Some(network.into());
        self
    }
}

impl FaultKind {
    /// Another status with this body; nothing is done.
    #[must_use]
    pub fn status(status: u16, body: impl Into<String>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into(), point: Point::BeforeEffect }
    }

    /// Another status with this body, although the right thing is done.
    #[must_use]
    pub fn status_after_effect(status: u16, body: impl Into<String>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into(), point: Point::AfterEffect }
    }

    /// A redirect; nothing is done.
    #[must_use]
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        let headers = vec![("Location".to_owned(), location.into())];
        Self::Answer { status, headers, body: String::new(), point: Point::BeforeEffect }
    }

    /// A successful create that does not show the secret.
    #[must_use]
    pub fn without_secret() -> Self {
        Self::AlterEndpoint { patch: json!({ "secret": null }) }
    }

    /// Endpoints with fields that the page does not list.
    #[must_use]
    pub fn extra_fields() -> Self {
        let patch = json!({ "description": "added later", "metadata": { "team": "charging" }, "version": 2 });
        Self::AlterEndpoint { patch }
    }

    /// Endpoints with a status and an event that the page does not list.
    #[must_use]
    pub fn unknown_enum_values() -> Self {
        Self::AlterEndpoint { patch: json!({ "status": "suspended", "enabledEvents": ["asset.firmware"] }) }
    }

    /// Endpoints without `createdAt`.
    #[must_use]
    pub fn without_created_at() -> Self {
        Self::AlterEndpoint { patch: json!({ "createdAt": null }) }
    }

    /// The name that the ledger records.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Refuse => "refuse",
            Self::Reset { point: Point::BeforeEffect } => "reset-before-effect",
            Self::Reset { point: Point::AfterEffect } => "reset-after-effect",
            Self::Hang { point: Point::BeforeEffect } => "hang-before-effect",
            Self::Hang { point: Point::AfterEffect } => "hang-after-effect",
            Self::Deferred { .. } => "deferred",
            Self::Drip { .. } => "drip",
            Self::Truncate => "truncate",
            Self::InvalidJson => "invalid-json",
            Self::Oversize { .. } => "oversize",
            Self::Answer { .. } => "answer",
            Self::RateLimit { .. } => "rate-limit",
            Self::AlterEndpoint { .. } => "alter-endpoint",
            Self::AlterBody { .. } => "alter-body",
            Self::RepeatItems { .. } => "repeat-items",
            Self::SkipItems { .. } => "skip-items",
        }
    }
}
