//! Writes of Secrets. A Secret that is not this resource's is never written.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::events::EventType;
use kube::{Api, Resource as _, ResourceExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::Activation;
use super::failure::Failure;
use super::observe::{attempt, seen};
use super::refusal;
use crate::planning::{InHand, SecretShape};
use crate::provider::EndpointId;
use crate::resources::{ENDPOINT_ID_ANNOTATION, SECRET_ATTEMPT_ANNOTATION, SECRET_TYPE, TEMPLATE_ANNOTATION};
use crate::state::{StoredMeta, TemplateKeys};

const SECRET_KEY: &str = "secret";
const ENDPOINT_ID_KEY: &str = "endpointId";
const URL_KEY: &str = "url";
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "webhook-operator");

impl Activation<'_> {
    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.context.client.clone(), &self.key.namespace)
    }

    /// Dry-runs the write of the Secret: a denial shows before there is a secret to lose. One at a
    /// time in a namespace; those that waited go by what it showed.
    pub(super) async fn prove_writable(&mut self, shape: &SecretShape) -> Result<(), Failure> {
        let _one_at_a_time = self.context.namespaces.lock(&self.key.namespace).await;
        if !self.mind.doubtful && self.context.is_proven(&self.key.namespace) {
            return Ok(());
        }
        let outcome = if self.known(&shape.name).is_some() {
            let params = PatchParams { dry_run: true, ..PatchParams::default() };
            let body = json!({ "metadata": self.metadata(shape, None) });
            self.secrets().patch(&shape.name, &params, &Patch::Merge(body)).await.map(drop)
        } else {
            let params = PostParams { dry_run: true, field_manager: None };
            let secret = self.secret(shape, None, [(SECRET_KEY, "dry run")]);
            self.secrets().create(&params, &secret).await.map(drop)
        };
        match outcome {
            Ok(()) => {
                self.mind.doubtful = false;
                self.context.note_proven(&self.key.namespace, true);
                Ok(())
            }
            Err(error) => self.refused(&shape.name, error, &[]).await,
        }
    }

    /// What looks like the trace of a lost create may be the endpoint whose secret is stored, unseen by the
    /// watch. The Secret is asked for by its name, for that is as it is whoever serves it.
    pub(super) async fn refuse_stored_endpoint(&self, id: &EndpointId) -> Result<(), Failure> {
        let attempt = attempt(&self.view).ok_or(Failure::Outdated)?;
        let noted = self.view.status.as_ref().and_then(|status| status.secret.as_ref());
        let noted = noted.map(|stored| stored.name.clone());
        let names = noted.into_iter().chain([super::intent::secret_name(&self.view)]);
        for name in names.collect::<BTreeSet<_>>() {
            let found = self.secrets().get_metadata_opt(&name).await;
            let found = found.map_err(Failure::kubernetes("look at the Secret"))?;
            let Some(found) = found.filter(|found| self.owns(found.meta())) else { continue };
            self.context.secrets().put(&found.metadata);
            let stored = StoredMeta::of(&found.metadata);
            if stored.endpoint.as_ref() == Some(id) || stored.attempt >= attempt.number {
                return Err(Failure::Outdated);
            }
        }
        Ok(())
    }

    fn owns(&self, secret: &ObjectMeta) -> bool {
        let uid = self.view.uid();
        secret.owner_references.iter().flatten().any(|owner| uid.as_ref() == Some(&owner.uid))
    }

    /// Writes the secret in hand.
    pub(super) async fn store_secret(&mut self, shape: &SecretShape) -> Result<(), Failure> {
        let (Some(hand), Some(secret)) = (self.mind.memory.in_hand().cloned(), self.mind.secret.clone())
        else {
            return Err(Failure::Restless);
        };
        let url =
            seen(self, &hand.id).map_or_else(|| self.view.spec.url.clone(), |endpoint| endpoint.url.into());
        let data = [
            (SECRET_KEY, secret.expose_secret()),
            (ENDPOINT_ID_KEY, hand.id.as_str()),
            (URL_KEY, url.as_str()),
        ];
        let before = self.known(&shape.name);
        let outcome = if before.is_some() {
            let mut body = serde_json::to_value(self.secret(shape, Some(&hand), data)).unwrap_or_default();
            change(&mut body["metadata"], before.as_ref());
            self.secrets().patch(&shape.name, &PatchParams::default(), &Patch::Merge(body)).await
        } else {
            self.secrets().create(&PostParams::default(), &self.secret(shape, Some(&hand), data)).await
        };
        match outcome {
            Ok(stored) => {
                self.context.secrets().put(stored.meta());
                self.context.note_proven(&self.key.namespace, true);
                self.mind.doubtful = false;
                self.mind.memory.stored();
                self.mind.secret = None;
                self.mind.lost_answers = 0;
                self.claim();
                let note =
                    format!("created endpoint {} and stored its secret in Secret {:?}", hand.id, shape.name);
                self.tell(EventType::Normal, "Created", "Create", note).await;
                Ok(())
            }
            Err(error) => self.refused(&shape.name, error, &[secret]).await,
        }
    }

    /// Copies a Secret of ours to its declared name.
    pub(super) async fn copy_secret(&mut self, from: &str, shape: &SecretShape) -> Result<(), Failure> {
        let source =
            self.secrets().get(from).await.map_err(Failure::kubernetes("read the Secret to move"))?;
        let stored = StoredMeta::of(source.meta());
        let data = source.data.unwrap_or_default();
        let Some(secret) = data.get(SECRET_KEY) else {
            return Err(Failure::NothingToCopy { name: from.to_owned() });
        };
        let secret = SecretString::from(String::from_utf8_lossy(&secret.0).into_owned());
        let noted = self.view.status.as_ref().and_then(|status| status.secret.as_ref());
        let id = stored.endpoint.or_else(|| noted.map(|noted| noted.endpoint_id.as_str().into()));
        let Some(id) = id else { return Err(Failure::NothingToCopy { name: from.to_owned() }) };
        let hand = InHand { attempt: stored.attempt, id, has_secret: true };
        let copy = Secret { data: Some(data), ..self.secret(shape, Some(&hand), []) };
        match self.secrets().create(&PostParams::default(), &copy).await {
            Ok(stored) => {
                self.context.secrets().put(stored.meta());
                self.claim();
                let note = format!("moved the secret from Secret {from:?} to Secret {:?}", shape.name);
                self.tell(EventType::Normal, "SecretMoved", "MoveSecret", note).await;
                Ok(())
            }
            Err(error) => self.refused(&shape.name, error, &[secret]).await,
        }
    }

    /// Gives the Secret its declared labels and annotations.
    pub(super) async fn dress_secret(&mut self, shape: &SecretShape) -> Result<(), Failure> {
        let mut metadata = serde_json::to_value(self.metadata(shape, None)).unwrap_or_default();
        let Some(known) = self.known(&shape.name) else { return Err(Failure::Outdated) };
        change(&mut metadata, Some(&known));
        let body = Patch::Merge(json!({ "metadata": metadata }));
        match self.secrets().patch_metadata(&shape.name, &PatchParams::default(), &body).await {
            Ok(stored) => {
                self.context.secrets().put(&stored.metadata);
                Ok(())
            }
            Err(error) => self.refused(&shape.name, error, &[]).await,
        }
    }

    /// Deletes a Secret of ours.
    pub(super) async fn delete_secret(&mut self, name: &str) -> Result<(), Failure> {
        // Only what was seen to be ours, and has not changed since, is deleted.
        let Some(known) = self.known(name) else { return Err(Failure::Outdated) };
        let preconditions = Preconditions { resource_version: known.resource_version, uid: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.secrets().delete(name, &params).await {
            Err(error) if !is_code(&error, 404) => {
                return Err(Failure::kubernetes("delete the former Secret")(error));
            }
            _ => {}
        }
        self.context.secrets().drop_named(&self.key.namespace, name);
        self.claim();
        Ok(())
    }

    /// Lets go of a Secret, so that it outlives the resource.
    pub(super) async fn release_secret(&mut self, name: Option<String>) -> Result<(), Failure> {
        let name = name.unwrap_or_else(|| super::intent::secret_name(&self.view));
        let found = self.secrets().get_metadata_opt(&name).await;
        let found = found.map_err(Failure::kubernetes("look at the Secret to release"))?;
        let Some(found) = found.filter(|found| self.owns(&found.metadata)) else {
            self.drop_own(&name);
            return Err(Failure::Outdated);
        };
        let uid = self.view.uid();
        let mut owners = found.metadata.owner_references.unwrap_or_default();
        owners.retain(|owner| uid.as_ref() != Some(&owner.uid));
        let metadata =
            json!({ "ownerReferences": owners, "resourceVersion": found.metadata.resource_version });
        let body = Patch::Merge(json!({ "metadata": metadata }));
        match self.secrets().patch_metadata(&name, &PatchParams::default(), &body).await {
            Ok(stored) => {
                self.context.secrets().put(&stored.metadata);
                let note = format!("Secret {name:?} is kept, as deletionPolicy Retain asks");
                self.tell(EventType::Normal, "Retained", "Release", note).await;
            }
            Err(error) if is_code(&error, 404) => {
                self.context.secrets().drop_named(&self.key.namespace, &name);
            }
            Err(error) => return Err(Failure::kubernetes("release the Secret")(error)),
        }
        Ok(())
    }

    fn claim(&self) {
        let claim = super::claim_of(&self.view, &self.context.secrets());
        self.context.claims().see(self.key, claim);
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
            self.context.secrets().drop_named(&self.key.namespace, name);
            return Err(Failure::Outdated);
        }
        if is_code(&error, 409) {
            let found = self.secrets().get_metadata_opt(name).await;
            let Some(found) = found.map_err(Failure::kubernetes("look at the Secret"))? else {
                return Err(Failure::Outdated);
            };
            if self.owns(&found.metadata) {
                self.context.secrets().put(&found.metadata);
            } else {
                self.drop_own(name);
                self.mind.foreign_secret = Some(name.to_owned());
            }
            return Ok(());
        }
        self.mind.doubtful = true;
        self.context.note_proven(&self.key.namespace, false);
        match &error {
            kube::Error::Api(status) if matches!(status.code, 400 | 403 | 404 | 422) => {
                Err(Failure::SecretRefused { name: name.to_owned(), why: status.message.clone() })
            }
            _ => Err(Failure::Kubernetes { what: "write the Secret", source: Box::new(error) }),
        }
    }

    /// The Secret to be.
    fn secret<'d>(
        &self,
        shape: &SecretShape,
        hand: Option<&InHand>,
        data: impl IntoIterator<Item = (&'d str, &'d str)>,
    ) -> Secret {
        let data =
            data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec())));
        Secret {
            metadata: self.metadata(shape, hand),
            type_: Some(SECRET_TYPE.to_owned()),
            data: Some(data.collect()),
            ..Secret::default()
        }
    }

    fn metadata(&self, shape: &SecretShape, hand: Option<&InHand>) -> ObjectMeta {
        let keys = TemplateKeys {
            labels: shape.labels.keys().cloned().collect(),
            annotations: shape.annotations.keys().cloned().collect(),
        };
        let mut labels = shape.labels.clone();
        labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
        let mut annotations = shape.annotations.clone();
        annotations.insert(TEMPLATE_ANNOTATION.to_owned(), serde_json::to_string(&keys).unwrap_or_default());
        if let Some(hand) = hand {
            annotations.insert(ENDPOINT_ID_ANNOTATION.to_owned(), hand.id.to_string());
            annotations.insert(SECRET_ATTEMPT_ANNOTATION.to_owned(), hand.attempt.to_string());
        }
        ObjectMeta {
            name: Some(shape.name.clone()),
            namespace: Some(self.key.namespace.clone()),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: self.view.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        }
    }

    /// A Secret of this resource, as last seen.
    fn known(&self, name: &str) -> Option<StoredMeta> {
        let secrets = self.context.secrets();
        let known = secrets.get(&self.key.namespace, name)?;
        let owner = known.owner.as_ref().map(|(_, uid)| uid);
        (owner.is_some() && owner == self.view.uid().as_ref()).then(|| known.clone())
    }

    /// Forgets that a Secret was this resource's. What is known of another's of that name stays.
    fn drop_own(&self, name: &str) {
        if self.known(name).is_some() {
            self.context.secrets().drop_named(&self.key.namespace, name);
        }
    }
}

/// Has a merge patch lose against a Secret that changed since it was seen, and remove what was declared
/// before and is not now. What others added to the Secret stays.
fn change(metadata: &mut Value, before: Option<&StoredMeta>) {
    let Some(before) = before else { return };
    metadata["resourceVersion"] = before.resource_version.clone().into();
    let mut remove = |field: &str, declared: &BTreeMap<String, String>| {
        for key in declared.keys() {
            if metadata[field].get(key).is_none() {
                metadata[field][key] = Value::Null;
            }
        }
    };
    remove("labels", &before.labels);
    remove("annotations", &before.annotations);
}

fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
