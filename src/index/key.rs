//! Names of the things that state is kept for.

use std::fmt;
use std::sync::Arc;

use kube::ResourceExt as _;

use crate::resources::{NetworkKind, NetworkReference};

/// A `WebhookEndpoint`, by name.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ResourceKey {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ResourceKey {
    /// A resource of this namespace and name.
    #[must_use]
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The name of a resource.
    #[must_use]
    pub fn of(resource: &impl kube::Resource) -> Self {
        Self::new(resource.namespace().unwrap_or_default(), resource.name_any())
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
        name: Arc<str>,
    },
    /// A `WebhookNetwork`.
    Namespaced {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
}

impl NetworkKey {
    /// Its name, after its namespace and a slash if it is in one: as metrics have it.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Cluster { name } => name.to_string(),
            Self::Namespaced { namespace, name } => format!("{namespace}/{name}"),
        }
    }

    /// The `ClusterWebhookNetwork` of this name.
    #[must_use]
    pub fn cluster(name: impl Into<Arc<str>>) -> Self {
        Self::Cluster { name: name.into() }
    }

    /// The network that an endpoint in `namespace` refers to.
    #[must_use]
    pub fn referred(reference: &NetworkReference, namespace: &str) -> Self {
        let name = Arc::from(reference.name.as_str());
        match reference.kind {
            NetworkKind::ClusterWebhookNetwork => Self::cluster(name),
            NetworkKind::WebhookNetwork => Self::Namespaced { namespace: namespace.into(), name },
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
