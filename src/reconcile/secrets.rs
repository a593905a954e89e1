//! Writes of Secrets. A Secret that is not this resource's is never written.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::events::EventType;
use kube::{Api, Resource as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::Activation;
use super::failure::Failure;
use super::refusal;
use super::secret_object::{
    Content, SECRET_KEY, URL_KEY, change, metadata, overruled, overwriting, secret, taken_over, template,
    values,
};
use crate::index::{SecretWrite, StoredMeta, TemplateKeys};
use crate::planning::{Attempt, InHand, Mutability, SecretShape, SecretSource};
use crate::provider::{EndpointId, EndpointUrl};
use crate::resources::{
    ENDPOINT_ID_ANNOTATION, FIELD_MANAGER, OWNER_ANNOTATION, SECRET_ATTEMPT_ANNOTATION, SECRET_TYPE,
    TEMPLATE_ANNOTATION,
};

impl Activation<'_> {
    fn secrets(&self) -> Api<Secret> {
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

    /// What looks like the trace of a lost create may be the endpoint whose secret is stored, unseen by the
    /// watch. The Secret is asked for by its name, for that is as it is whoever serves it.
    pub(super) async fn refuse_stored_endpoint(
        &self,
        id: &EndpointId,
        attempt: &Attempt,
    ) -> Result<(), Failure> {
        let noted = self.resource.status.secret.iter().map(|stored| stored.name.clone());
        let names = noted.chain([self.resource.secret_name.clone()]);
        for name in names.collect::<BTreeSet<_>>() {
            let found = self.secrets().get_metadata_opt(&name).await;
            let found = found.map_err(Failure::kubernetes("look at the Secret"))?;
            let Some(found) = found.filter(|found| self.owns(found.meta())) else { continue };
            self.context.index().see_secret(&found.metadata);
            let stored = StoredMeta::of(&found.metadata);
            if stored.endpoints().any(|stored| stored == id) || stored.attempt >= attempt.number {
                return Err(Failure::Outdated);
            }
        }
        Ok(())
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

    fn owns(&self, secret: &ObjectMeta) -> bool {
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

    async fn write_secret(
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

    /// The secrets of these endpoints, read from the Secrets of this resource that hold them. Until they are written
    /// again, they are remembered.
    async fn kept(&self, ids: &[EndpointId]) -> Result<Vec<(EndpointId, ByteString)>, Failure> {
        let mut missing = ids.to_vec();
        let remembered =
            self.local(|local| local.kept.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        missing.retain(|id| !remembered.contains(id));
        let mut found = BTreeMap::new();
        let own = self.seen.iter().filter(|(_, meta)| meta.is_of(&self.resource.uid));
        for (name, meta) in own {
            if !meta.endpoints().any(|id| missing.contains(id)) {
                continue;
            }
            let secret = self.secrets().get(name).await.map_err(Failure::kubernetes("read the Secret"))?;
            if secret.metadata.resource_version != meta.resource_version {
                self.context.index().see_secret(&secret.metadata);
                return Err(Failure::Outdated);
            }
            found.extend(values(&secret));
        }
        self.local(|local| {
            for (id, value) in found.into_iter().filter(|(id, _)| missing.contains(id)) {
                local.kept.insert(id, text(&value));
            }
        });
        let kept = self.local(|local| local.kept.clone()).unwrap_or_default();
        let others = kept.keys().filter(|id| !ids.contains(id));
        let ids = ids.iter().chain(others);
        Ok(ids.filter_map(|id| Some((id.clone(), bytes(kept.get(id)?)))).collect())
    }

    /// Has a Secret hold the secrets of these endpoints, which the Secrets of the resource do, and no others.
    pub(super) async fn rewrite_secret(
        &mut self,
        name: &str,
        (first, url, attempt): (&EndpointId, Option<&EndpointUrl>, u64),
        keep: &[EndpointId],
    ) -> Result<(), Failure> {
        let Some(known) = self.known(name).cloned() else { return Err(Failure::Outdated) };
        let ids = [first].into_iter().chain(keep).cloned().collect::<Vec<_>>();
        let mut held = self.kept(&ids).await?;
        self.local(|local| local.kept.clear());
        held.retain(|(id, _)| ids.contains(id));
        let secrets = held.iter().map(|(_, value)| text(value)).collect::<Vec<_>>();
        let Some(place) = held.iter().position(|(id, _)| id == first) else {
            return Err(Failure::NothingToCopy { name: name.to_owned() });
        };
        let (_, secret) = held.remove(place);
        let previous = held;
        let content = Content::new(first, attempt, url.map(EndpointUrl::as_str), secret, previous);
        let mut body = content.patch(&known);
        body["metadata"]["resourceVersion"] = known.resource_version.clone().into();
        match self.secrets().patch(name, &patched(), &Patch::Merge(body)).await {
            Ok(stored) => {
                self.context.index().see_secret(stored.meta());
                Ok(())
            }
            Err(error) => self.refused_change(name, error, &secrets).await,
        }
    }

    /// Copies the secret of an endpoint that is adopted. The Secret that it comes from stays as it is.
    pub(super) async fn adopt_secret(
        &mut self,
        id: &EndpointId,
        url: &EndpointUrl,
        source: &SecretSource,
        shape: &SecretShape,
    ) -> Result<(), Failure> {
        let SecretSource { name, key } = source;
        let unknown = || Failure::SecretUnknown { name: name.clone(), key: key.clone(), id: id.clone() };
        let found =
            self.secrets().get_opt(name).await.map_err(Failure::kubernetes("read the Secret to adopt"))?;
        let found = found.ok_or_else(unknown)?;
        // One that the operator wrote says itself whose secrets it holds.
        let value = if found.type_.as_deref() == Some(SECRET_TYPE) {
            values(&found).remove(id)
        } else {
            found.data.and_then(|mut data| data.remove(key))
        };
        // An editor, or a shell, may have ended it with a line.
        let value = value.map(|value| value.0.trim_ascii_end().to_vec()).filter(|value| !value.is_empty());
        let value = ByteString(value.ok_or_else(unknown)?);
        let known = text(&value);
        let content = Content::new(id, 0, Some(url.as_str()), value, Vec::new());
        let before = self.known(&shape.name).cloned();
        match self.write_secret(shape, &content, before.as_ref()).await {
            Ok(stored) => {
                self.context.index().see_secret(stored.meta());
                self.note_written(shape);
                let note = format!("adopted endpoint {id}, and copied its secret to Secret {:?}", shape.name);
                self.publish(EventType::Normal, "Adopted", "Adopt", note);
                Ok(())
            }
            Err(error) => self.refused(&shape.name, error, &[known]).await,
        }
    }

    /// A write of the Secret, or a dry run of one, has shown that it can be written.
    fn note_written(&self, shape: &SecretShape) {
        self.context.index().note_proven(&self.key.namespace, shape);
        self.local(|local| local.secret_write = SecretWrite::Usual);
    }

    /// Copies a Secret of ours to its declared name.
    pub(super) async fn copy_secret(&mut self, from: &str, shape: &SecretShape) -> Result<(), Failure> {
        let source =
            self.secrets().get(from).await.map_err(Failure::kubernetes("read the Secret to move"))?;
        let stored = StoredMeta::of(source.meta());
        let noted = self.resource.status.secret.as_ref();
        let id = stored.endpoint.clone().or_else(|| noted.map(|noted| noted.endpoint_id.as_str().into()));
        let data = source.data.as_ref();
        let value = data.and_then(|data| data.get(SECRET_KEY)).cloned();
        let Some((id, value)) = id.zip(value) else {
            return Err(Failure::NothingToCopy { name: from.to_owned() });
        };
        let mut held = values(&source);
        let previous = stored.previous.iter().filter_map(|id| Some((id.clone(), held.remove(id)?)));
        let previous = previous.collect::<Vec<_>>();
        let mut secrets = previous.iter().map(|(_, value)| text(value)).collect::<Vec<_>>();
        secrets.push(text(&value));
        let url = data.and_then(|data| data.get(URL_KEY)).map(|url| String::from_utf8_lossy(&url.0));
        let content = Content::new(&id, stored.attempt, url.as_deref(), value, previous);
        let copy = secret(&self.resource, shape, &content);
        match self.secrets().create(&created(), &copy).await {
            Ok(stored) => {
                self.context.index().see_secret(stored.meta());
                let note = format!("moved the secret from Secret {from:?} to Secret {:?}", shape.name);
                self.publish(EventType::Normal, "SecretMoved", "MoveSecret", note);
                Ok(())
            }
            Err(error) => self.refused(&shape.name, error, &secrets).await,
        }
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

    /// Looks whether the values of a Secret of ours that somebody else wrote are whole, and writes the same again:
    /// from then on its metadata say that they are ours.
    pub(super) async fn verify_secret(
        &mut self,
        name: &str,
        endpoint: Option<&EndpointId>,
        url: Option<&EndpointUrl>,
    ) -> Result<(), Failure> {
        let found = self.secrets().get(name).await.map_err(Failure::kubernetes("read the Secret"))?;
        if !self.owns(found.meta()) {
            self.drop_own(name);
            return Err(Failure::Outdated);
        }
        let Some(body) = taken_over(&found, endpoint, url) else {
            return Err(Failure::NotWhole { name: name.to_owned() });
        };
        let known = found.data.iter().flatten().filter(|(key, _)| *key == SECRET_KEY);
        let known = known.map(|(_, value)| String::from_utf8_lossy(&value.0).into_owned().into());
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match self.secrets().patch(name, &params, &Patch::Apply(body)).await {
            Ok(stored) => {
                self.context.index().see_secret(stored.meta());
                Ok(())
            }
            Err(error) => self.refused_change(name, error, &known.collect::<Vec<_>>()).await,
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
    async fn refused_change(
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
    async fn refused(
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
    fn known(&self, name: &str) -> Option<&StoredMeta> {
        self.seen.get(name)
    }

    /// Forgets that a Secret was this resource's. What is known of another's of that name stays.
    fn drop_own(&self, name: &str) {
        let mut index = self.context.index();
        let known = index.secret(&self.key.namespace, name);
        if known.is_some_and(|known| known.is_of(&self.resource.uid)) {
            index.drop_secret(&self.key.namespace, name);
        }
    }
}

fn created() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn patched() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn text(value: &ByteString) -> SecretString {
    String::from_utf8_lossy(&value.0).into_owned().into()
}

fn bytes(value: &SecretString) -> ByteString {
    ByteString(value.expose_secret().as_bytes().to_vec())
}

fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
