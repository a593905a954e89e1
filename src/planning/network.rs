//! How a network stands to a resource.

use super::outcome::Reason;

/// Whether the network can be asked, and what it allows.
#[derive(Clone, Debug, PartialEq)]
pub enum NetworkState {
    /// It can be asked.
    Available(Admission),
    /// It can't be asked now.
    Unavailable(Unavailable),
}

impl Default for NetworkState {
    fn default() -> Self {
        Self::Available(Admission::default())
    }
}

/// What a network allows a resource.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Admission {
    /// Why it does not take the declared endpoint, if so.
    pub refusal: Option<Refusal>,
    /// Whether it takes new endpoints.
    pub openness: Openness,
    /// Whether it is the network that is known.
    pub identity: Identity,
}

/// Whether the API shows the network that is known: other credentials, or another URL, may lead to another one, where
/// every endpoint looks deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Identity {
    /// It does: it was seen since the credentials or the URL changed.
    #[default]
    Confirmed,
    /// Nothing was seen yet by which to tell. The answer to a create would show it.
    Unconfirmed,
    /// Nothing was seen yet by which to tell, and the answer to a create would not show it either.
    Untold,
    /// It shows another one.
    Changed,
}

/// Whether a network takes new endpoints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Openness {
    /// It does.
    #[default]
    Open,
    /// It is being deleted, and serves those it has.
    Closing,
}

/// Why a network can't be asked now.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// For machines.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

/// Why a network does not take an endpoint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The namespace is not among those allowed.
    #[error(
        "the network does not allow endpoints of namespace {namespace:?}: ask its administrator to add the namespace to \
         spec.allowedNamespaces"
    )]
    Namespace {
        /// The namespace.
        namespace: String,
    },
    /// The labels of the namespace were not seen yet.
    #[error("waits for the labels of namespace {namespace:?}, by which the network selects who may use it")]
    UnknownNamespace {
        /// The namespace.
        namespace: String,
    },
    /// The URL can't be read.
    #[error("spec.url {url:?} is not a URL that events can be delivered to: {why}")]
    Unreadable {
        /// The URL.
        url: String,
        /// Why.
        why: url::ParseError,
    },
    /// The URL is http.
    #[error(
        "spec.url is http, and the network allows only https: use https, since the API does not deliver to http URLs"
    )]
    Http,
    /// The host is not among those allowed.
    #[error("spec.url leads to host {host:?}, and the network allows only {}", allowed.join(", "))]
    Host {
        /// The host.
        host: String,
        /// The allowed patterns.
        allowed: Vec<String>,
    },
}
