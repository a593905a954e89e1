//! What passed through: one request, and what became of it.

use std::collections::BTreeSet;
use std::fmt;

use http::{Method, StatusCode};
use serde_json::Value;

use crate::signature::Signature;
use crate::target::{Kind, ResourceRef, Side, Target};

/// The fields that a JSON body names, two levels deep (`spec.url`), or the operations of a JSON patch
/// (`test /metadata/resourceVersion`), sorted: enough to tell two calls apart, nothing that is secret.
pub(crate) fn fields(json: &Value) -> Vec<String> {
    let named: BTreeSet<String> = match json {
        Value::Array(operations) => operations
            .iter()
            .filter_map(|operation| {
                Some(format!("{} {}", operation.get("op")?.as_str()?, operation.get("path")?.as_str()?))
            })
            .collect(),
        Value::Object(object) => object
            .iter()
            .flat_map(|(key, value)| match value {
                Value::Object(inner) if !inner.is_empty() => {
                    inner.keys().map(|field| format!("{key}.{field}")).collect()
                }
                _ => vec![key.clone()],
            })
            .collect(),
        _ => BTreeSet::new(),
    };
    named.into_iter().collect()
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Held, or under way.
    Pending,
    /// The server answered with this status. Whether the answer reached the client is another matter.
    Answered(StatusCode),
    /// An injected fault answered with this status; the server never saw the call.
    Injected(StatusCode),
    /// Dropped before it was sent: by a plan, by a fault, or because its client is gone.
    NotSent,
    /// Sent, but the server gave no answer; the reason.
    Unanswered(String),
}

/// One request that was let in.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its place among all calls of a [`World`](crate::World), both sides together, from 1.
    pub sequence: u64,
    /// Which life of the operator made it: 0 until the first [`abandon`](crate::World::abandon).
    pub life: u32,
    /// Which server it is for.
    pub side: Side,
    /// The request's method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The query, without the `?`.
    pub query: Option<String>,
    /// Whether it changes anything.
    pub kind: Kind,
    /// What it is about.
    pub target: Target,
    /// Whether it asks the API server for `dryRun=All`.
    pub dry_run: bool,
    /// Whether it counts: a mutation, and not of a Lease or an Event. Only such calls appear in
    /// [`World::mutations`](crate::World::mutations).
    pub counted: bool,
    /// What a JSON body names, without its values: `spec.url`, or `test /metadata/resourceVersion` for a patch.
    pub fields: Vec<String>,
    /// What it is called in every run of the same scenario.
    pub signature: Signature,
    /// What became of it.
    pub outcome: Outcome,
}

impl Call {
    /// The Kubernetes resource it is about, if it is about one.
    #[must_use]
    pub fn resource(&self) -> Option<&ResourceRef> {
        match &self.target {
            Target::Kubernetes(resource) => Some(resource),
            Target::Remote(_) | Target::Other => None,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} life {}] {}", self.sequence, self.life, self.signature)?;
        if !self.fields.is_empty() {
            write!(f, " {{{}}}", self.fields.join(", "))?;
        }
        match &self.outcome {
            Outcome::Pending => write!(f, " → pending"),
            Outcome::Answered(status) => write!(f, " → {}", status.as_u16()),
            Outcome::Injected(status) => write!(f, " → {} (injected)", status.as_u16()),
            Outcome::NotSent => write!(f, " → not sent"),
            Outcome::Unanswered(why) => write!(f, " → no answer: {why}"),
        }
    }
}
