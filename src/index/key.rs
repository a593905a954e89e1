//! Names of the things that state is kept for.

use std::fmt;

use kube::ResourceExt as _;

use crate::resources::{NetworkKind, NetworkReference};

/// A `WebhookEndpoint`, by name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ResourceKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ResourceKey {
    /// The name of a resource.
    #[must_use]
    pub fn of(resource: &impl kube::Resource) -> Self {
        Self { namespace: resource.namespace().unwrap_or_default(), name: resource.name_any() }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A network, by kind and name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum NetworkKey {
    /// A `ClusterWebhookNetwork`.
    Cluster {
        /// Its name.
        name: String,
    },
    /// A `WebhookNetwork`.
    Namespaced {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl NetworkKey {
    /// The network that an endpoint in `namespace` refers to.
    #[must_use]
    pub fn referred(reference: &NetworkReference, namespace: &str) -> Self {
        let name = reference.name.clone();
        match reference.kind {
            NetworkKind::ClusterWebhookNetwork => Self::Cluster { name },
            NetworkKind::WebhookNetwork => Self::Namespaced { namespace: namespace.to_owned(), name },
        }
    }
}

impl fmt::Display for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster { name } => write!(f, "ClusterWebhookNetwork {name:?}"),
            Self::Namespaced { namespace, name } => write!(f, "WebhookNetwork {name:?} in {namespace:?}"),
        }
    }
}
