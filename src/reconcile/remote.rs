//! Calls to the remote API.

use std::sync::Arc;

use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, PartialObjectMeta};
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt as _};

use super::Activation;
use super::failure::Failure;
use super::observe::{attempt, claim_of};
use crate::network::{Network, NotListed};
use crate::planning::DeleteCause;
use crate::provider::{EndpointId, EndpointPatch, ErrorClass, Priority};
use crate::resources::{SECRET_TYPE, WebhookEndpoint};
use crate::state::{SecretIndex, StoredMeta};

impl Activation<'_> {
    fn remote(&self) -> Result<Arc<Network>, Failure> {
        match &self.network {
            Ok((network, _)) => Ok(Arc::clone(network)),
            // The gate keeps actions that concern the network from being performed without one.
            Err(_) => Err(Failure::Restless),
        }
    }

    /// Sends the recorded attempt. An answer that leaves open what became of it is no failure: it is
    /// remembered, and planning finds out.
    pub(super) async fn create(&mut self) -> Result<(), Failure> {
        let network = self.remote()?;
        let Some(attempt) = attempt(&self.view) else { return Err(Failure::Restless) };
        self.refuse_create_too_soon()?;
        self.mind.memory.sending(network.client.now());
        match network.client.create(&attempt.request()).await {
            Ok(created) => {
                let id = created.endpoint.id.clone();
                self.context.claims().created(self.key, &id);
                self.mind.memory.created(id, true);
                self.mind.secret = Some(created.secret);
                network.inventory().saw(created.endpoint);
                Ok(())
            }
            Err(error) => {
                if let Some(id) = error.created_without_secret() {
                    self.mind.create_failed();
                    self.context.claims().created(self.key, id);
                    self.mind.memory.created(id.clone(), false);
                } else if error.class() == ErrorClass::Ambiguous {
                    self.mind.create_failed();
                    self.mind.memory.unanswered(network.client.now());
                } else {
                    self.mind.memory.refused();
                    return Err(error.into());
                }
                self.tell(EventType::Warning, error.reason(), "Create", error.to_string()).await;
                Ok(())
            }
        }
    }

    pub(super) async fn patch(
        &mut self,
        id: &EndpointId,
        patch: &EndpointPatch,
        reactivates: bool,
    ) -> Result<(), Failure> {
        let network = self.remote()?;
        match network.client.patch(id, patch).await {
            Ok(endpoint) => {
                network.inventory().saw(endpoint);
                if reactivates {
                    self.mind.memory.reactivated(network.client.now());
                }
                let reason = if reactivates { "Reactivated" } else { "Updated" };
                self.tell(EventType::Normal, reason, "Patch", format!("updated endpoint {id}")).await;
                Ok(())
            }
            Err(error) if error.class() == ErrorClass::NotFound => {
                network.inventory().saw_gone(id);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn confirm(&mut self, id: &EndpointId) -> Result<(), Failure> {
        let network = self.remote()?;
        match network.client.get(id, Priority::Change).await {
            Ok(endpoint) => {
                network.inventory().saw(endpoint);
                Ok(())
            }
            Err(error) if error.class() == ErrorClass::NotFound => {
                network.inventory().saw_gone(id);
                let note = format!("endpoint {id} was deleted remotely, and not by this operator");
                self.tell(EventType::Warning, "DeletedRemotely", "Confirm", note).await;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn list(&mut self) -> Result<(), Failure> {
        match self.remote()?.list_afresh().await {
            Ok(()) => Ok(()),
            Err(NotListed::Failed(error)) => Err(error.into()),
            Err(NotListed::Ended) => Err(Failure::Outdated),
        }
    }

    /// Deletes an endpoint. That it is not there any more counts as done.
    pub(super) async fn delete(&mut self, id: &EndpointId, cause: DeleteCause) -> Result<(), Failure> {
        let network = self.remote()?;
        match cause {
            DeleteCause::InHand => {}
            DeleteCause::Removed => self.refuse_outdated_view().await?,
            DeleteCause::Orphan { .. } => {
                self.refuse_outdated_view().await?;
                self.refuse_endpoint_of_another(id).await?;
            }
        }
        if let Err(error) = network.client.delete(id).await
            && error.class() != ErrorClass::NotFound
        {
            return Err(error.into());
        }
        network.inventory().saw_gone(id);
        self.context.claims().deleted(id);
        self.mind.memory.deleted(id, cause, attempt(&self.view).as_ref());
        if cause == DeleteCause::InHand {
            self.mind.secret = None;
        }
        let (reason, note) = match cause {
            DeleteCause::Removed => ("Deleted", format!("deleted endpoint {id}")),
            DeleteCause::InHand => {
                ("DeletedUnstored", format!("deleted endpoint {id}, since its secret can't be stored"))
            }
            DeleteCause::Orphan { .. } => (
                "DeletedOrphan",
                format!("deleted endpoint {id}, which a create made whose answer, and so its secret, was lost"),
            ),
        };
        self.tell(EventType::Normal, reason, "Delete", note).await;
        Ok(())
    }

    /// An API that never answers a create well must not be met with creates and deletes in a loop.
    pub(super) fn refuse_create_too_soon(&self) -> Result<(), Failure> {
        match self.mind.create_pause() {
            Some(left) => Err(Failure::CreatePaused { left }),
            None => Ok(()),
        }
    }

    /// A delete can't be undone: the resource is read again, past the cache, and must be as planned with.
    async fn refuse_outdated_view(&self) -> Result<(), Failure> {
        let api = Api::<WebhookEndpoint>::namespaced(self.context.client.clone(), &self.key.namespace);
        let live = api.get(&self.key.name).await.map_err(Failure::kubernetes("read the resource"))?;
        if live.resource_version() == self.view.resource_version() && live.uid() == self.view.uid() {
            return Ok(());
        }
        Err(Failure::Outdated)
    }

    /// The trace of a lost create might be what another resource holds by now, unseen by the caches.
    async fn refuse_endpoint_of_another(&self, id: &EndpointId) -> Result<(), Failure> {
        let failed = Failure::kubernetes;
        let client = &self.context.client;
        let own = self.view.uid().unwrap_or_default();
        let nothing = SecretIndex::default();
        let resources = Api::<WebhookEndpoint>::all(client.clone());
        let mut pages = std::pin::pin!(pages(|params| {
            let resources = resources.clone();
            async move { resources.list(&params).await }
        }));
        while let Some(page) = pages.try_next().await.map_err(failed("list the resources"))? {
            if page.iter().any(|other| {
                other.uid().as_deref() != Some(&own) && claim_of(other, &nothing).held.contains(id)
            }) {
                return Err(Failure::Outdated);
            }
        }
        let secrets = Api::<Secret>::all(client.clone());
        let mut pages = std::pin::pin!(self::pages(|params| {
            let secrets = secrets.clone();
            async move { secrets.list_metadata(&params.fields(&format!("type={SECRET_TYPE}"))).await }
        }));
        while let Some(page) = pages.try_next().await.map_err(failed("list the Secrets"))? {
            let names = |secret: &PartialObjectMeta<Secret>| {
                let stored = StoredMeta::of(&secret.metadata);
                stored.endpoint.as_ref() == Some(id)
            };
            if page.iter().any(names) {
                return Err(Failure::Outdated);
            }
        }
        Ok(())
    }
}

/// The pages of a consistent list.
fn pages<K, F, R>(list: F) -> impl futures::Stream<Item = kube::Result<Vec<K>>>
where
    K: Clone,
    F: Fn(ListParams) -> R,
    R: Future<Output = kube::Result<kube::core::ObjectList<K>>>,
{
    futures::stream::try_unfold((list, Some(String::new())), |(list, token)| async move {
        let Some(token) = token else { return Ok(None) };
        let params = ListParams::default().limit(500);
        let params = if token.is_empty() { params } else { params.continue_token(&token) };
        let page = list(params).await?;
        let next = page.metadata.continue_.filter(|token| !token.is_empty());
        Ok(Some((page.items, (list, next))))
    })
}
