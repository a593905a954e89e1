//! What passed through: one request, what it asks for, and what became of it.

use std::collections::BTreeSet;
use std::fmt;

use http::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::signature::Signature;

/// Which server an interposer stands in front of; it decides how calls are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// A kube-apiserver.
    Kubernetes,
    /// The remote API, or its simulator. A server that refuses connections, or that TLS does not trust,
    /// shows through an interposer as a reset: to test those, let the client connect directly.
    Remote,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubernetes => "kubernetes",
            Self::Remote => "remote",
        })
    }
}

/// Whether a call changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Changes nothing. Token requests and Kubernetes' access and token reviews count as reads, for
    /// they leave nothing behind.
    Read,
    /// A Kubernetes watch: a body that does not end.
    Watch,
    /// May change something. A dry run is a mutation too: the operator may die around it.
    Mutation,
}

/// A Kubernetes resource as the path of a call names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceRef {
    /// API group; empty for the core group.
    pub group: String,
    /// Plural name, such as `webhookendpoints`.
    pub resource: String,
    /// The namespace in the path, if any.
    pub namespace: Option<String>,
    /// The object's name: from the path, or for a create from the body (`prefix*` with `generateName`).
    pub name: Option<String>,
    /// Such as `status`.
    pub subresource: Option<String>,
}

/// An operation of the remote API.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RemoteOp {
    /// `GET /webhook-endpoints`.
    List,
    /// `POST /webhook-endpoints`.
    Create,
    /// `GET /webhook-endpoints/{id}`.
    Get(String),
    /// `PATCH /webhook-endpoints/{id}`.
    Update(String),
    /// `DELETE /webhook-endpoints/{id}`.
    Delete(String),
    /// A POST to a path that ends in `/token`.
    Token,
    /// None of these.
    Other,
}

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A path below `/api` or `/apis` that names a resource.
    Kubernetes(ResourceRef),
    /// An operation of the remote API.
    Remote(RemoteOp),
    /// A Kubernetes path that names no resource: discovery, `/version`, health.
    Other,
}

/// A request body, without its values: enough to tell two calls apart, nothing that is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodySummary {
    /// Length in bytes.
    pub bytes: usize,
    /// SHA-256 of the body, in hexadecimal.
    pub sha256: String,
    /// For JSON: the fields it names, two levels deep (`spec.url`), or the operations of a JSON patch
    /// (`test /metadata/resourceVersion`). Sorted.
    pub fields: Vec<String>,
}

impl BodySummary {
    pub(crate) fn of(body: &[u8], json: Option<&Value>) -> Self {
        let sha256 = Sha256::digest(body).iter().fold(String::with_capacity(64), |mut hex, byte| {
            for nibble in [byte >> 4, byte & 0xf] {
                hex.push(char::from_digit(nibble.into(), 16).unwrap_or('?'));
            }
            hex
        });
        Self { bytes: body.len(), sha256, fields: json.map(fields).unwrap_or_default() }
    }
}

fn fields(json: &Value) -> Vec<String> {
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
    /// Whether it counts: a mutation, and of none of the ignored resources (Leases and Events, unless
    /// [`World::ignore`](crate::World::ignore) says otherwise). Only such calls can be planned by number,
    /// appear in [`World::mutations`](crate::World::mutations) and can violate an expectation.
    pub counted: bool,
    /// Its body.
    pub body: BodySummary,
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

    /// The operation of the remote API, if it is one.
    #[must_use]
    pub fn remote_op(&self) -> Option<&RemoteOp> {
        match &self.target {
            Target::Remote(operation) => Some(operation),
            Target::Kubernetes(_) | Target::Other => None,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} life {}] {}", self.sequence, self.life, self.signature)?;
        if !self.body.fields.is_empty() {
            write!(f, " {{{}}}", self.body.fields.join(", "))?;
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
