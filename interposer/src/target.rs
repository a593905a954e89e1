//! What a call is about.

use std::fmt;

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
