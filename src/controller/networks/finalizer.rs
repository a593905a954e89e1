//! What keeps a network from vanishing under its endpoints: without it, none could be deleted remotely.

use std::sync::PoisonError;

use futures::TryStreamExt as _;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::{Kind, RETRY, Shared};
use crate::index::{NetworkKey, Resource, version};
use crate::kubernetes::pages;
use crate::network::Verdict;
use crate::planning::Openness;
use crate::resources::{FINALIZER, Lenient, WebhookEndpoint};

impl Shared {
    /// Lets a network go once no endpoint needs it. From now on it takes no new ones.
    pub(super) async fn let_go<K: Kind>(&self, network: &K, key: &NetworkKey) -> Result<Action, kube::Error> {
        if !is_held(network) {
            self.end(key);
            return Ok(Action::await_change());
        }
        match network.declared() {
            Ok(declared) => {
                self.establish(key, declared, Openness::Closing).await?;
            }
            Err(why) => {
                self.leave(key, why);
            }
        }
        let endpoints = self.users(key).await?;
        if endpoints > 0 {
            self.report(network, key, &Verdict::InUse { endpoints }).await?;
            return Ok(Action::requeue(RETRY));
        }
        let mut finalizers = network.finalizers().to_vec();
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        self.patch_finalizers(network, key, finalizers).await?;
        self.end(key);
        Ok(Action::await_change())
    }

    /// How many endpoints need a network: those with the finalizer, which is set before anything is
    /// created. A resource that merely names it, maybe one that the network does not allow, needs nothing.
    ///
    /// What is known may be incomplete just after a start, so before it is believed that there is none,
    /// the API server is asked.
    async fn users(&self, key: &NetworkKey) -> Result<usize, kube::Error> {
        let context = &self.parts.context;
        let known = context.index().finalized_of_network(key);
        if known > 0 {
            return Ok(known);
        }
        let api = match key {
            NetworkKey::Cluster { .. } => Api::<Lenient<WebhookEndpoint>>::all(context.client.clone()),
            NetworkKey::Namespaced { namespace, .. } => Api::namespaced(context.client.clone(), namespace),
        };
        let uses = |endpoint: &Lenient<WebhookEndpoint>| {
            is_held(endpoint) && Resource::shown(endpoint).network == *key
        };
        let pages = pages(|params: ListParams| {
            let api = api.clone();
            async move { api.list(&params).await }
        });
        let count = |users, page: Vec<Lenient<WebhookEndpoint>>| async move {
            Ok(users + page.iter().filter(|endpoint| uses(endpoint)).count())
        };
        pages.try_fold(0, count).await
    }

    pub(super) async fn hold<K: Kind>(&self, network: &K, key: &NetworkKey) -> Result<(), kube::Error> {
        if is_held(network) {
            return Ok(());
        }
        let mut finalizers = network.finalizers().to_vec();
        finalizers.push(FINALIZER.to_owned());
        self.patch_finalizers(network, key, finalizers).await
    }

    /// Whether the cache shows a network as it was before our own write of its finalizer.
    pub(super) fn is_outdated<K: Kind>(&self, network: &K, key: &NetworkKey) -> bool {
        let latest = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = version(network.meta().resource_version.as_deref());
        latest.get(key).is_some_and(|written| shown < *written)
    }

    async fn patch_finalizers<K: Kind>(
        &self,
        network: &K,
        key: &NetworkKey,
        finalizers: Vec<String>,
    ) -> Result<(), kube::Error> {
        let body = json!({ "metadata": {
            "uid": network.uid(),
            "resourceVersion": network.resource_version(),
            "finalizers": finalizers,
        }});
        let api = K::api(self.parts.context.client.clone(), key);
        match api.patch_metadata(&network.name_any(), &PatchParams::default(), &Patch::Merge(body)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Ok(written) => {
                let mut latest = self.written.lock().unwrap_or_else(PoisonError::into_inner);
                latest.insert(key.clone(), version(written.metadata.resource_version.as_deref()));
                Ok(())
            }
            // After a conflict, too, it is tried again: nothing else may come, since a status alone, which is
            // our own, is no reason to look.
            Err(error) => Err(error),
        }
    }
}

fn is_held(object: &impl kube::Resource) -> bool {
    object.meta().finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}
