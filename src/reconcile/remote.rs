//! Calls to the remote API.

use std::sync::Arc;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt as _};

use super::Activation;
use super::failure::Failure;
use super::observe::{attempt, claim_of};
use crate::network::Network;
use crate::planning::DeleteCause;
use crate::provider::{EndpointId, EndpointPatch, ErrorClass, Priority};
use crate::resources::{SECRET_TYPE, WebhookEndpoint};
use crate::state::{Claim, SecretIndex, StoredMeta};

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
        let mut earlier = attempt.known.clone();
        earlier.extend(network.inventory().with_url(&attempt.url).map(|endpoint| endpoint.id.clone()));
        self.mind.memory.sending(network.client.now());
        let latest = attempt.started_at.checked_add(network.timeout).unwrap_or(Timestamp::MAX);
        let outcome = network.client.create(&attempt.request(), latest).await;
        let answered = match &outcome {
            Ok(created) => Some(&created.endpoint.id),
            Err(error) => error.created_without_secret(),
        };
        if let Some(id) = answered.filter(|id| {
            earlier.contains(*id) || self.context.claims().held_by_another(id, self.key, &self.networks)
        }) {
            self.mind.memory.refused();
            return Err(Failure::NotMade { id: id.clone() });
        }
        match outcome {
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
                    self.context.claims().created(self.key, id);
                    self.mind.memory.created(id.clone(), false);
                } else if error.class() == ErrorClass::Ambiguous {
                    self.mind.memory.unanswered(network.client.now());
                } else {
                    self.mind.memory.refused();
                    return Err(error.into());
                }
                self.tell(EventType::Warning, error.reason(), "Create", error.to_string()).await;
                self.mind.lost_answers += 1;
                // The first may be an accident; an API that keeps answering so is not asked in a loop.
                if self.mind.lost_answers > 1 { Err(error.into()) } else { Ok(()) }
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
        Ok(self.remote()?.list_afresh().await?)
    }

    /// Deletes an endpoint. That it is not there any more counts as done.
    pub(super) async fn delete(&mut self, id: &EndpointId, cause: DeleteCause) -> Result<(), Failure> {
        let network = self.remote()?;
        if matches!(cause, DeleteCause::Orphan { .. }) {
            self.refuse_stored_endpoint(id).await?;
            self.refuse_endpoint_of_another(id).await?;
        }
        if let Err(error) = network.client.delete(id).await
            && error.class() != ErrorClass::NotFound
        {
            return Err(error.into());
        }
        network.inventory().saw_gone(id);
        self.context.claims().deleted(self.key, id);
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
                format!(
                    "deleted endpoint {id}, which a create made whose answer, and so its secret, was lost"
                ),
            ),
        };
        self.tell(EventType::Normal, reason, "Delete", note).await;
        Ok(())
    }

    /// What looks like the trace of a lost create might be held by a resource, or be another's trace,
    /// unseen by the caches: everybody's claims are read again, past them.
    async fn refuse_endpoint_of_another(&self, id: &EndpointId) -> Result<(), Failure> {
        let attempt = attempt(&self.view).ok_or(Failure::Outdated)?;
        let mut rivals = 0_u32;
        let own = self.view.uid().unwrap_or_default();
        let no_secrets = SecretIndex::default();
        let resources = Api::<WebhookEndpoint>::all(self.context.client.clone());
        let mut pages = std::pin::pin!(pages(|params| {
            let resources = resources.clone();
            async move { resources.list(&params).await }
        }));
        while let Some(page) = pages.try_next().await.map_err(Failure::kubernetes("list the resources"))? {
            let same_api =
                |claim: &Claim| claim.network.as_ref().is_some_and(|key| self.networks.contains(key));
            let claims = page.iter().map(|other| claim_of(other, &no_secrets));
            for claim in claims.filter(|claim| claim.uid != own && same_api(claim)) {
                if claim.held.contains(id) {
                    return Err(Failure::Outdated);
                }
                let rival = claim.attempt.filter(|rival| rival.resembles(&attempt));
                rivals = rivals.saturating_add(rival.map_or(0, |rival| rival.posts));
            }
        }
        if rivals > self.context.claims().rival_posts(self.key, &attempt, &self.networks) {
            return Err(Failure::Outdated);
        }
        let secrets = Api::<Secret>::all(self.context.client.clone());
        let mut pages = std::pin::pin!(self::pages(|params| {
            let secrets = secrets.clone();
            async move { secrets.list_metadata(&params.fields(&format!("type={SECRET_TYPE}"))).await }
        }));
        while let Some(page) = pages.try_next().await.map_err(Failure::kubernetes("list the Secrets"))? {
            if page.iter().any(|secret| StoredMeta::of(&secret.metadata).endpoint.as_ref() == Some(id)) {
                return Err(Failure::Outdated);
            }
        }
        Ok(())
    }
}

/// The pages of a consistent list.
pub fn pages<K, F, R>(list: F) -> impl futures::Stream<Item = kube::Result<Vec<K>>>
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
