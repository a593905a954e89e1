//! Writes of Secrets. A Secret that is not this resource's is never written.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::events::EventType;
use kube::{Api, Resource as _};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::Activation;
use super::failure::Failure;
use super::refusal;
use super::secret_object::{
    Content, bytes, change, metadata, overruled, overwriting, secret, template, text,
};
use crate::index::{SecretWrite, StoredMeta, TemplateKeys};
use crate::planning::{Attempt, InHand, Mutability, SecretShape};
use crate::provider::{EndpointId, EndpointUrl};
use crate::resources::{
    ENDPOINT_ID_ANNOTATION, FIELD_MANAGER, OWNER_ANNOTATION, SECRET_ATTEMPT_ANNOTATION, TEMPLATE_ANNOTATION,
};

impl Activation<'_> {
    pub(super) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.context.client.clone(), &self.key.namespace)
    }

    /// Dry-runs the write of the Secret: a denial shows before there is a secret to lose. One at a
    /// time in a namespace; those that waited go by what it showed.
    pub(super) async fn prove_writable(&mut self, shape: &SecretShape) -> Result<(), Failure> {
        let namespace = BTreeSet::from([self.key.namespace.clone()]);
        let _one_at_a_time = self.context.namespaces.lock(namespace).await;
        let refused = self.local(|local| local.secret_write == SecretWrite::Refused) == Some(true);
        let over = self.known(&shape.name).cloned();
        if !refused && over.is_none() && self.context.index().is_proven(&self.key.namespace, shape) {
            return Ok(());
        }
        let content = Content::dry_run();
        let secret = secret(&self.resource, shape, &content);
        let outcome = match &over {
            Some(before) => {
                let params = PatchParams { dry_run: true, ..patched() };
                let mut body = serde_json::to_value(&secret).unwrap_or_default();
                change(&mut body["metadata"], before);
                self.secrets().patch(&shape.name, &params, &Patch::Merge(body)).await
            }
            None => self.secrets().create(&PostParams { dry_run: true, ..created() }, &secret).await,
        };
        match outcome {
            Ok(_) => {
                self.note_written(shape);
                self.local(|local| local.overwrite_proven = over.and_then(|over| over.resource_version));
                Ok(())
            }
            Err(error) => self.refused(&shape.name, error, &[]).await,
        }
    }

    /// What looks like the trace of a lost create may be the endpoint whose secret is stored, unseen by the watch.
    pub(super) async fn refuse_stored_endpoint(
        &self,
        id: &EndpointId,
        attempt: &Attempt,
    ) -> Result<(), Failure> {
        let is_stored = |stored: &StoredMeta| {
            stored.endpoints().any(|stored| stored == id) || stored.attempt >= attempt.number
        };
        let stored = self.ask_for_secrets().await?;
        if stored.iter().any(|(stored, _)| is_stored(stored)) { Err(Failure::Outdated) } else { Ok(()) }
    }

    /// What looks lost, or altered, may be another Secret by now, unseen by the watch.
    pub(super) async fn refuse_unseen_secret(&self) -> Result<(), Failure> {
        let stored = self.ask_for_secrets().await?;
        if stored.iter().any(|(_, is_news)| *is_news) { Err(Failure::Outdated) } else { Ok(()) }
    }

    /// Asks for the Secrets of this resource by their names, for those are as they are whoever serves them. Tells of
    /// each whether that is news.
    async fn ask_for_secrets(&self) -> Result<Vec<(StoredMeta, bool)>, Failure> {
        let noted = self.resource.status.secret.iter().map(|stored| stored.name.clone());
        let names = noted.chain([self.resource.secret_name.clone()]);
        let mut stored = Vec::new();
        for name in names.collect::<BTreeSet<_>>() {
            let found = self.secrets().get_metadata_opt(&name).await;
            let found = found.map_err(Failure::kubernetes("look at the Secret"))?;
            let Some(found) = found.filter(|found| self.owns(found.meta())) else { continue };
            let is_news = !self.context.index().see_secret(&found.metadata).is_empty();
            stored.push((StoredMeta::of(&found.metadata), is_news));
        }
        Ok(stored)
    }

    /// A Secret that belonged to nobody when it was seen may be this resource's by now, and its endpoint with it.
    pub(super) async fn refuse_claimed_secret(&self) -> Result<(), Failure> {
        let name = &self.resource.secret_name;
        if self.known(name).is_none_or(|known| known.is_of(&self.resource.uid)) {
            return Ok(());
        }
        let found = self.secrets().get_metadata_opt(name).await;
        match found.map_err(Failure::kubernetes("look at the Secret"))? {
            Some(found) if self.owns(&found.metadata) => {
                self.context.index().see_secret(&found.metadata);
                Err(Failure::Outdated)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn owns(&self, secret: &ObjectMeta) -> bool {
        StoredMeta::of(secret).is_of(&self.resource.uid)
    }

    /// Writes the secret in hand, beside those that are kept.
    pub(super) async fn store_secret(
        &mut self,
        hand: &InHand,
        url: &EndpointUrl,
        shape: &SecretShape,
        keep: &[EndpointId],
    ) -> Result<(), Failure> {
        let Some(value) = self.local(|local| local.secret.clone()).flatten() else {
            return Err(Failure::Outdated);
        };
        let previous = self.kept(keep).await?;
        let mut known = vec![value.clone()];
        known.extend(previous.iter().map(|(_, value)| text(value)));
        let content = Content::new(&hand.id, hand.attempt, Some(url.as_str()), bytes(&value), previous);
        let before = self.known(&shape.name).cloned();
        let before = match before {
            Some(before) if before.mutability == Mutability::Immutable => {
                self.delete_secret(&shape.name).await?;
                None
            }
            before => before,
        };
        match self.write_secret(shape, &content, before.as_ref()).await {
            Ok(stored) => {
                self.context.index().see_secret(stored.meta());
                self.note_written(shape);
                self.local(|local| {
                    local.memory.stored();
                    local.secret = None;
                    local.kept.clear();
                    local.lost_answers = 0;
                });
                let note =
                    format!("created endpoint {} and stored its secret in Secret {:?}", hand.id, shape.name);
                self.publish(EventType::Normal, "Created", "Create", note);
                Ok(())
            }
            Err(error) => self.refused(&shape.name, error, &known).await,
        }
    }

    pub(super) async fn write_secret(
        &self,
        shape: &SecretShape,
        content: &Content,
        before: Option<&StoredMeta>,
    ) -> kube::Result<Secret> {
        let secret = secret(&self.resource, shape, content);
        match before {
            Some(before) => {
                let body = Patch::Merge(overwriting(&secret, content, before));
                self.secrets().patch(&shape.name, &patched(), &body).await
            }
            None => self.secrets().create(&created(), &secret).await,
        }
    }

    /// A write of the Secret, or a dry run of one, has shown that it can be written.
    pub(super) fn note_written(&self, shape: &SecretShape) {
        self.context.index().note_proven(&self.key.namespace, shape);
        self.local(|local| local.secret_write = SecretWrite::Usual);
    }

    /// Gives the Secret its owner, its notes, and its declared labels and annotations.
    pub(super) async fn sync_secret_metadata(
        &mut self,
        shape: &SecretShape,
        endpoint: Option<&EndpointId>,
        attempt: Option<u64>,
    ) -> Result<(), Failure> {
        let mut metadata =
            serde_json::to_value(metadata(&self.resource, shape, &Content::default())).unwrap_or_default();
        if let Some(id) = endpoint {
            metadata["annotations"][ENDPOINT_ID_ANNOTATION] = id.as_str().into();
        }
        if let Some(number) = attempt {
            metadata["annotations"][SECRET_ATTEMPT_ANNOTATION] = number.to_string().into();
        }
        if let Some(known) = self.known(&shape.name) {
            change(&mut metadata, known);
        }
        self.change_secret(&shape.name, metadata).await
    }

    /// Puts on record which declared labels and annotations somebody overrules.
    pub(super) async fn accept_secret_metadata(&mut self, shape: &SecretShape) -> Result<(), Failure> {
        let Some(known) = self.known(&shape.name) else { return Err(Failure::Outdated) };
        let keys = TemplateKeys { overruled: overruled(shape, known), ..template(shape) };
        let note = format!(
            "an admission policy, or somebody else, overrules what spec.secret declares for Secret {:?}, and is let have \
             its way: {}",
            shape.name,
            keys.overruled.keys().collect::<Vec<_>>().join(", ")
        );
        let text = serde_json::to_string(&keys).unwrap_or_default();
        self.change_secret(&shape.name, json!({ "annotations": { TEMPLATE_ANNOTATION: text } })).await?;
        self.publish(EventType::Warning, "Overruled", "SyncSecret", note);
        Ok(())
    }

    async fn change_secret(&mut self, name: &str, mut metadata: Value) -> Result<(), Failure> {
        let Some(known) = self.known(name) else { return Err(Failure::Outdated) };
        metadata["resourceVersion"] = known.resource_version.clone().into();
        let body = Patch::Merge(json!({ "metadata": metadata }));
        match self.secrets().patch_metadata(name, &patched(), &body).await {
            Ok(stored) => {
                self.context.index().see_secret(&stored.metadata);
                Ok(())
            }
            Err(error) => self.refused_change(name, error, &[]).await,
        }
    }

    /// Deletes a Secret of ours.
    pub(super) async fn delete_secret(&mut self, name: &str) -> Result<(), Failure> {
        // Only what was seen to be ours, and has not changed since, is deleted.
        let Some(known) = self.known(name) else { return Err(Failure::Outdated) };
        let preconditions = Preconditions { resource_version: known.resource_version.clone(), uid: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.secrets().delete(name, &params).await {
            Err(error) if !is_code(&error, 404) => {
                return Err(Failure::kubernetes("delete the former Secret")(error));
            }
            _ => {}
        }
        self.context.index().drop_secret(&self.key.namespace, name);
        Ok(())
    }

    /// Lets go of a Secret, so that it outlives the resource.
    pub(super) async fn release_secret(&mut self, name: &str) -> Result<(), Failure> {
        let found = self.secrets().get_metadata_opt(name).await;
        let found = found.map_err(Failure::kubernetes("look at the Secret to release"))?;
        let Some(found) = found.filter(|found| self.owns(&found.metadata)) else {
            self.drop_own(name);
            return Err(Failure::Outdated);
        };
        let mut owners = found.metadata.owner_references.unwrap_or_default();
        owners.retain(|owner| owner.uid != self.resource.uid);
        let metadata = json!({
            "ownerReferences": owners,
            "annotations": { OWNER_ANNOTATION: null },
            "resourceVersion": found.metadata.resource_version,
        });
        let body = Patch::Merge(json!({ "metadata": metadata }));
        match self.secrets().patch_metadata(name, &patched(), &body).await {
            Ok(stored) => {
                self.context.index().see_secret(&stored.metadata);
                let note = format!("Secret {name:?} is kept, as deletionPolicy Retain asks");
                self.publish(EventType::Normal, "Retained", "Release", note);
            }
            Err(error) if is_code(&error, 404) => {
                self.context.index().drop_secret(&self.key.namespace, name);
            }
            Err(error) => return Err(Failure::kubernetes("release the Secret")(error)),
        }
        Ok(())
    }

    /// A refused change of a Secret that is there. One that lost against another is not done.
    pub(super) async fn refused_change(
        &mut self,
        name: &str,
        error: kube::Error,
        known: &[SecretString],
    ) -> Result<(), Failure> {
        self.refused(name, error, known).await?;
        Err(Failure::Outdated)
    }

    /// A refused write. A Secret of this name that no watch showed is looked at: it may be ours,
    /// written by an earlier process a moment ago.
    pub(super) async fn refused(
        &mut self,
        name: &str,
        error: kube::Error,
        known: &[SecretString],
    ) -> Result<(), Failure> {
        let error = refusal::without_secrets(error, known);
        if is_code(&error, 404) && !error.to_string().contains("namespaces") {
            // It went away since it was seen; the next plan writes a new one.
            self.context.index().drop_secret(&self.key.namespace, name);
            return Err(Failure::Outdated);
        }
        if is_code(&error, 409) {
            let found = self.secrets().get_metadata_opt(name).await;
            let Some(found) = found.map_err(Failure::kubernetes("look at the Secret"))? else {
                return Err(Failure::Outdated);
            };
            if self.owns(&found.metadata) {
                self.context.index().see_secret(&found.metadata);
            } else {
                self.drop_own(name);
                self.local(|local| local.secret_write = SecretWrite::Foreign(name.to_owned()));
            }
            return Ok(());
        }
        self.local(|local| local.secret_write = SecretWrite::Refused);
        self.context.index().note_refused(&self.key.namespace);
        match &error {
            kube::Error::Api(status) if matches!(status.code, 400 | 403 | 404 | 422) => {
                let in_hand = self.local(|local| Some(local.memory.in_hand()?.id.clone())).flatten();
                Err(Failure::SecretRefused { name: name.to_owned(), in_hand, why: status.message.clone() })
            }
            _ => Err(Failure::Kubernetes { what: "write the Secret", source: Box::new(error) }),
        }
    }

    /// A Secret of this resource, or one that may be, as it was observed.
    pub(super) fn known(&self, name: &str) -> Option<&StoredMeta> {
        self.seen.get(name)
    }

    /// Forgets that a Secret was this resource's. What is known of another's of that name stays.
    pub(super) fn drop_own(&self, name: &str) {
        let mut index = self.context.index();
        let known = index.secret(&self.key.namespace, name);
        if known.is_some_and(|known| known.is_of(&self.resource.uid)) {
            index.drop_secret(&self.key.namespace, name);
        }
    }
}

pub(super) fn created() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

pub(super) fn patched() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
