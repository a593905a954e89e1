//! Calls to the remote API.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::runtime::events::EventType;
use tracing::warn;

use super::failure::Failure;
use super::{Activation, Reached};
use crate::index::{Resource, StoredMeta};
use crate::kubernetes::{apis, pages};
use crate::planning::{Answer, Attempt, DeleteCause, Identity, PatchCause, Presence, Purpose};
use crate::provider::{Endpoint, EndpointId, EndpointPatch, Error, ErrorClass, Priority};
use crate::resources::{Lenient, SECRET_TYPE, WebhookEndpoint};

impl Activation<'_> {
    /// The network, which could be asked when it was observed.
    fn remote(&self) -> Result<Reached, Failure> {
        self.network.clone().ok_or(Failure::Outdated)
    }

    fn saw(&self, remote: &Reached, endpoint: Endpoint) {
        self.context.index().saw(&self.resource.network, remote.incarnation, endpoint);
    }

    fn saw_gone(&self, remote: &Reached, id: &EndpointId) {
        self.context.index().saw_gone(&self.resource.network, remote.incarnation, id);
    }

    /// Sends the recorded attempt. An answer that leaves open what became of it is no failure: it is
    /// remembered, and planning finds out.
    pub(super) async fn create(
        &mut self,
        attempt: &Attempt,
        no_later_than: Timestamp,
    ) -> Result<(), Failure> {
        let remote = self.remote()?;
        let client = &remote.network.client;
        let mut earlier = attempt.known.clone();
        if let Some(inventory) = self.context.index().inventory(&self.resource.network) {
            earlier.extend(inventory.with_url(&attempt.url).map(|endpoint| endpoint.id.clone()));
        }
        self.local(|local| local.memory.sending(client.now()));
        let outcome = client.create(&attempt.request(), no_later_than).await;
        let answered = match &outcome {
            Ok(created) => Some(&created.endpoint.id),
            Err(error) => error.created_without_secret(),
        };
        if let Some(id) = answered.filter(|id| {
            let index = self.context.index();
            earlier.contains(*id) || index.is_spoken_for(&self.resource.network, id, &self.key)
        }) {
            self.local(|local| local.memory.refused());
            return Err(Failure::NotMade { id: id.clone() });
        }
        match outcome {
            Ok(created) if !self.is_here(&remote, &created.endpoint) => {
                self.created(&remote, &created.endpoint.id, Answer::Elsewhere);
                Ok(())
            }
            Ok(created) => {
                let id = created.endpoint.id.clone();
                self.created(&remote, &id, Answer::WithSecret);
                self.local(|local| local.secret = Some(created.secret));
                self.saw(&remote, created.endpoint);
                Ok(())
            }
            Err(error) => {
                if let Some(id) = error.created_without_secret() {
                    let here = self.context.index().identity(&self.resource.network) == Identity::Confirmed;
                    self.created(&remote, id, if here { Answer::WithoutSecret } else { Answer::Elsewhere });
                } else if error.class() == ErrorClass::Ambiguous {
                    self.local(|local| local.memory.unanswered(client.now()));
                } else {
                    self.local(|local| local.memory.refused());
                    let rotates = !matches!(attempt.purpose, Purpose::First | Purpose::Url);
                    return Err(match error {
                        error if rotates && error.is_conflict() => Failure::OverlapRefused(error),
                        error => error.into(),
                    });
                }
                self.publish(EventType::Warning, error.reason(), "Create", error.to_string());
                self.lost_answer(error)
            }
        }
    }

    /// Whether an endpoint that was just made is certain to be in the known network.
    fn is_here(&self, remote: &Reached, made: &Endpoint) -> bool {
        let id = made.network_id.as_ref();
        self.context.index().answered(&self.resource.network, remote.incarnation, id)
    }

    /// The first may be an accident; an API that keeps answering so is not asked in a loop, whatever its lists show.
    fn lost_answer(&self, error: Error) -> Result<(), Failure> {
        let lost = self.local(|local| {
            local.lost_answers += 1;
            local.lost_answers
        });
        if lost > Some(1) { Err(Failure::Unusable(error)) } else { Ok(()) }
    }

    fn created(&self, remote: &Reached, id: &EndpointId, answer: Answer) {
        // What is held shows which network it is: what was made elsewhere may not.
        let there =
            answer == Answer::Elsewhere || self.context.index().created(&self.key, &self.resource.uid, id);
        let noted = self.local(|local| {
            local.memory.created(id.clone(), answer);
            local.made_through = Some(remote.incarnation);
        });
        if !there || noted.is_none() {
            warn_of_loss(id);
        }
    }

    pub(super) async fn patch(
        &mut self,
        id: &EndpointId,
        patch: &EndpointPatch,
        cause: PatchCause,
    ) -> Result<(), Failure> {
        let remote = self.remote()?;
        match remote.network.client.patch(id, patch).await {
            Ok(shown) => {
                match shown {
                    Some(endpoint) => self.saw(&remote, endpoint),
                    None => self.confirm(id).await?,
                }
                if matches!(cause, PatchCause::Reactivation | PatchCause::Activation) {
                    self.local(|local| local.memory.activated(id, remote.network.client.now()));
                }
                let (reason, note) = match cause {
                    PatchCause::Difference => ("Updated", format!("updated endpoint {id}")),
                    PatchCause::Reactivation => ("Reactivated", format!("set endpoint {id} active again")),
                    PatchCause::Activation => (
                        "Activated",
                        format!("set endpoint {id} active, to take the place of the current one"),
                    ),
                    PatchCause::Retirement => {
                        ("Retiring", format!("set endpoint {id} inactive, since another one has its place"))
                    }
                };
                self.publish(EventType::Normal, reason, "Patch", note);
                Ok(())
            }
            Err(error) if error.class() == ErrorClass::NotFound => self.unless_missing(id, error).await,
            Err(error) => Err(error.into()),
        }
    }

    /// That a change was answered 404 says nothing, a gateway may have done so: it is asked for by its id, and then
    /// planning goes on from what that shows.
    async fn unless_missing(&mut self, id: &EndpointId, error: Error) -> Result<(), Failure> {
        self.confirm(id).await?;
        match self.last_seen(id) {
            Some(Presence::Present(_)) => Err(error.into()),
            Some(Presence::Unlisted | Presence::Missing { .. } | Presence::Gone) | None => Ok(()),
        }
    }

    /// How an endpoint was last seen.
    pub(super) fn last_seen(&self, id: &EndpointId) -> Option<Presence> {
        self.context.index().inventory(&self.resource.network)?.presence(id)
    }

    pub(super) async fn confirm(&mut self, id: &EndpointId) -> Result<(), Failure> {
        let remote = self.remote()?;
        match remote.network.client.get(id, Priority::Change).await {
            Ok(endpoint) => {
                self.saw(&remote, endpoint);
                Ok(())
            }
            Err(error) if error.class() == ErrorClass::NotFound => {
                let now = remote.network.client.now();
                self.context.index().saw_missing(&self.resource.network, remote.incarnation, id, now);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn list(&mut self) -> Result<(), Failure> {
        Ok(self.remote()?.network.list_afresh().await?)
    }

    /// Deletes an endpoint. That it is not there any more counts as done once it is known for certain.
    pub(super) async fn delete(&mut self, id: &EndpointId, cause: &DeleteCause) -> Result<(), Failure> {
        let remote = self.remote()?;
        let elsewhere = *cause == DeleteCause::InHand && self.is_elsewhere();
        if elsewhere && self.local(|local| local.made_through) != Some(Some(remote.incarnation)) {
            self.left_elsewhere(id);
            return Ok(());
        }
        if let DeleteCause::Orphan { attempt, rival_posts, remainder: _ } = cause {
            self.refuse_stored_endpoint(id, attempt).await?;
            self.refuse_endpoint_of_another(id, attempt, *rival_posts).await?;
        }
        if *cause == DeleteCause::Replaced {
            self.refuse_unseen_secret().await?;
        }
        self.local(|local| local.memory.deleting(cause));
        if let Err(error) = remote.network.client.delete(id).await {
            if error.class() != ErrorClass::NotFound {
                return Err(error.into());
            }
            if self.last_seen(id) != Some(Presence::Gone) {
                return self.unless_missing(id, error).await;
            }
        }
        self.saw_gone(&remote, id);
        self.context.index().deleted(&self.key, &self.resource.uid, id);
        self.local(|local| {
            local.memory.deleted(id, cause);
            if *cause == DeleteCause::InHand {
                local.secret = None;
            }
        });
        let (reason, note) = match cause {
            DeleteCause::Removed => ("Deleted", format!("deleted endpoint {id}")),
            DeleteCause::Superseded => (
                "DeletedSuperseded",
                format!("deleted endpoint {id}, which was to take the place of the current one"),
            ),
            DeleteCause::Replaced => {
                ("DeletedReplaced", format!("deleted endpoint {id}, so that another one can be created"))
            }
            DeleteCause::Retired => (
                "DeletedRetired",
                format!("deleted endpoint {id}, since another one has had its place for long"),
            ),
            DeleteCause::InHand if elsewhere => (
                "DeletedElsewhere",
                format!("deleted endpoint {id}, since it was made in another network than the known one"),
            ),
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
        self.publish(EventType::Normal, reason, "Delete", note);
        if elsewhere {
            // The network's own status is written after a list.
            self.list().await?;
        }
        Ok(())
    }

    /// Gives up an endpoint that was made in another network, to which nothing leads any more.
    fn left_elsewhere(&self, id: &EndpointId) {
        self.local(|local| local.memory.deleted(id, &DeleteCause::InHand));
        let note = format!(
            "endpoint {id} was made in another network than the known one, and could not be deleted there before the \
             network's credentials or apiUrl changed: delete it there, its secret is stored nowhere"
        );
        self.publish(EventType::Warning, "LeftElsewhere", "Delete", note);
    }

    /// Whether the endpoint in hand was made in another network than the known one.
    fn is_elsewhere(&self) -> bool {
        let answer = self.local(|local| local.memory.in_hand().map(|hand| hand.answer));
        answer.flatten() == Some(Answer::Elsewhere)
    }

    /// What looks like the trace of a lost create might be held by a resource, or be another's trace,
    /// unseen by the caches: everybody's claims are read again, past them.
    async fn refuse_endpoint_of_another(
        &self,
        id: &EndpointId,
        attempt: &Attempt,
        rival_posts: u32,
    ) -> Result<(), Failure> {
        let mut rivals = 0_u32;
        let (client, namespaces) = (&self.context.client, &self.context.settings.namespaces);
        let resources = apis::<Lenient<WebhookEndpoint>>(client, namespaces).into_iter().map(|resources| {
            pages(move |params| {
                let resources = resources.clone();
                async move { resources.list(&params).await }
            })
        });
        let mut pages = std::pin::pin!(stream::iter(resources).flatten());
        while let Some(page) = pages.try_next().await.map_err(Failure::kubernetes("list the resources"))? {
            let others = page.iter().map(Resource::shown);
            for other in others.filter(|other| other.uid != self.resource.uid && self.shares_api_with(other))
            {
                if other.roles().contains_key(id) || other.adopts() == Some(id) {
                    return Err(Failure::Outdated);
                }
                let resolved = other.resolved_attempt();
                let open = other.attempt.filter(|rival| rival.is_open(&other.uid, resolved));
                let posts = open.filter(|rival| rival.resembles(attempt)).map_or(0, |rival| rival.posts);
                rivals = rivals.saturating_add(posts);
            }
        }
        if rivals > rival_posts {
            return Err(Failure::Outdated);
        }
        let secrets = apis::<Secret>(client, namespaces).into_iter().map(|secrets| {
            self::pages(move |params| {
                let secrets = secrets.clone();
                async move { secrets.list_metadata(&params.fields(&format!("type={SECRET_TYPE}"))).await }
            })
        });
        let mut pages = std::pin::pin!(stream::iter(secrets).flatten());
        while let Some(page) = pages.try_next().await.map_err(Failure::kubernetes("list the Secrets"))? {
            let stored = |secret: &PartialObjectMeta<Secret>| StoredMeta::of(&secret.metadata);
            if page.iter().any(|secret| stored(secret).endpoints().any(|stored| stored == id)) {
                return Err(Failure::Outdated);
            }
        }
        Ok(())
    }

    fn shares_api_with(&self, other: &Resource) -> bool {
        let index = self.context.index();
        index.api(&other.network) == index.api(&self.resource.network)
    }
}

/// A resource is gone that had an endpoint in hand: it is lost with it, which has to be said somewhere.
pub fn warn_of_loss(id: &EndpointId) {
    warn!(%id, "the resource was let go by force before its secret was stored: its endpoint is unmanaged now");
}
