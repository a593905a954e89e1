//! The two kinds of network, as the API server serves them.

use std::fmt::Debug;

use kube::core::object::HasStatus;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use crate::index::NetworkKey;
use crate::network::{Declared, NetworkResource};
use crate::resources::{ClusterWebhookNetwork, Lenient, WebhookNetwork, WebhookNetworkStatus};

/// A kind of network, as the API server serves it.
pub(super) trait Kind:
    HasStatus<Status = WebhookNetworkStatus>
    + Resource<DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    const PLURAL: &'static str;
    fn api(client: Client, key: &NetworkKey) -> Api<Self>;
    fn reference(key: &NetworkKey) -> Option<ObjectRef<Self>>;
    fn key(&self) -> NetworkKey;
    /// What it declares, or why that can't be read.
    fn declared(&self) -> Result<Declared, String>;
}

fn declared<K>(network: &Lenient<K>) -> Result<Declared, String>
where
    K: NetworkResource + HasStatus,
{
    match network {
        Lenient::Readable(network) => Ok(network.declared()),
        Lenient::Unreadable(unreadable) => Err(unreadable.message()),
    }
}

impl Kind for Lenient<ClusterWebhookNetwork> {
    const PLURAL: &'static str = "ClusterWebhookNetworks";

    fn key(&self) -> NetworkKey {
        NetworkKey::cluster(self.name_any())
    }

    fn declared(&self) -> Result<Declared, String> {
        declared(self)
    }

    fn api(client: Client, _: &NetworkKey) -> Api<Self> {
        Api::all(client)
    }

    fn reference(key: &NetworkKey) -> Option<ObjectRef<Self>> {
        match key {
            NetworkKey::Cluster { name } => Some(ObjectRef::new(name)),
            NetworkKey::Namespaced { .. } => None,
        }
    }
}

impl Kind for Lenient<WebhookNetwork> {
    const PLURAL: &'static str = "WebhookNetworks";

    fn key(&self) -> NetworkKey {
        NetworkKey::Namespaced {
            namespace: self.namespace().unwrap_or_default().into(),
            name: self.name_any().into(),
        }
    }

    fn declared(&self) -> Result<Declared, String> {
        declared(self)
    }

    fn api(client: Client, key: &NetworkKey) -> Api<Self> {
        match key {
            NetworkKey::Namespaced { namespace, .. } => Api::namespaced(client, namespace),
            NetworkKey::Cluster { .. } => Api::default_namespaced(client),
        }
    }

    fn reference(key: &NetworkKey) -> Option<ObjectRef<Self>> {
        match key {
            NetworkKey::Namespaced { namespace, name } => Some(ObjectRef::new(name).within(namespace)),
            NetworkKey::Cluster { .. } => None,
        }
    }
}
