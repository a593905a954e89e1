//! How a user does what is to be done.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};
use simulator::EndpointId;
use testkit::NETWORK;
use webhook_operator::resources::ROTATE_ANNOTATION;

use crate::change::{Deed, SecretName, Spelling};
use crate::fleet::{Fleet, Place, oddly};
use crate::manifest::{KEYS, Manifest, Pairs};

/// Whether a deed took place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Done {
    Yes,
    /// There is nothing to do it to, or what was there has yet to go.
    No,
}

impl Done {
    fn when(done: bool) -> Self {
        if done { Self::Yes } else { Self::No }
    }
}

impl Fleet {
    /// Does a deed, if there is something to do it to.
    pub async fn carry_out(&self, place: usize, deed: &Deed) {
        let mut place = self.place(place).await;
        let done = self.perform(&mut place, deed).await;
        if done == Done::Yes {
            let number = self.count_done();
            let line = format!("{number:>6} {} {deed:?}", self.simulator.now());
            place.journal.push(line);
        }
    }

    async fn perform(&self, place: &mut Place, deed: &Deed) -> Done {
        match deed {
            Deed::Delete => Done::when(place.manifest.take().is_some() && self.delete(place).await),
            Deed::EditRemote(events) => self.edit_remote(place, |endpoint| {
                endpoint.enabled_events = events.iter().map(ToString::to_string).collect();
            }),
            Deed::Disable => self.edit_remote(place, |endpoint| {
                "inactive".clone_into(&mut endpoint.status);
            }),
            Deed::DeleteRemote => {
                let endpoint = self.endpoints_of(place).pop();
                Done::when(endpoint.is_some_and(|id| self.simulator.delete(&id)))
            }
            Deed::TouchSecret => self.touch_secret(place).await,
            Deed::StripOwner => self.strip_owner(place).await,
            Deed::DeleteSecret => match &place.manifest {
                Some(manifest) => Done::when(self.delete_secret(&manifest.secret).await),
                None => Done::No,
            },
            Deed::Rotate(request) => self.rotate(place, *request).await,
            Deed::FollowAdvice => Done::when(self.follow_advice(place).await),
            _ => {
                // What was deleted is declared again.
                let new = || Manifest::new(&place.name, place.url());
                let mut manifest = place.manifest.clone().unwrap_or_else(new);
                change(&mut manifest, deed, place);
                place.manifest = Some(manifest);
                Done::when(self.apply(place).await)
            }
        }
    }

    /// Tells Kubernetes what is declared; tells whether it took it. What has yet to go is waited for until the
    /// next time.
    pub async fn apply(&self, place: &mut Place) -> bool {
        let Some(manifest) = place.manifest.clone() else { return false };
        let spec = manifest.spec(&self.network);
        let taken = (!place.going && self.change(place, spec).await) || self.create(place, &manifest).await;
        if taken {
            place.going = false;
            place.applied = Some(manifest);
        }
        taken
    }

    /// Changes the resource, and tells whether there is one.
    async fn change(&self, place: &Place, spec: Value) -> bool {
        let replace = json!([{ "op": "replace", "path": "/spec", "value": spec }]);
        let replace = Patch::Json::<()>(serde_json::from_value(replace).expect("a patch"));
        let changed = self.resources.patch(&place.name, &PatchParams::default(), &replace).await;
        found(changed, &[404]).is_some()
    }

    async fn create(&self, place: &Place, manifest: &Manifest) -> bool {
        let object = self.object(&place.name, manifest);
        found(self.resources.create(&PostParams::default(), &object).await, &[409]).is_some()
    }

    /// Deletes the resource; tells whether there was one.
    async fn delete(&self, place: &mut Place) -> bool {
        if place.going {
            return false;
        }
        let deleted = self.resources.delete(&place.name, &DeleteParams::default()).await;
        place.going = true;
        let there = found(deleted, &[404]).is_some();
        let retains = place.applied.take().is_some_and(|applied| applied.deletion == "Retain");
        place.retained += usize::from(there && retains);
        there
    }

    fn edit_remote(&self, place: &Place, edit: impl FnOnce(&mut simulator::Endpoint)) -> Done {
        // A lost create's that was changed before it was found is nobody's: it can't be recognised.
        let stored = |id: &EndpointId| self.witness.seen().is_stored(id);
        let Some(id) = self.endpoints_of(place).into_iter().rfind(stored) else { return Done::No };
        self.edited().insert(id.clone());
        Done::when(self.simulator.edit(&id, edit).is_some())
    }

    /// Adds a label and an annotation, and changes those that were declared.
    async fn touch_secret(&self, place: &Place) -> Done {
        let Some(manifest) = &place.manifest else { return Done::No };
        let found = self.secrets.get_metadata_opt(&manifest.secret).await.expect("Secrets can be read");
        let Some(secret) = found else { return Done::No };
        let touched = |there: &BTreeMap<String, String>| {
            let there = KEYS.into_iter().filter(|key| there.contains_key(*key)).map(|key| (key, "meddled"));
            there.chain([("theirs", "x")]).collect::<Pairs>()
        };
        let (labels, annotations) = (touched(secret.labels()), touched(secret.annotations()));
        let version = secret.resource_version();
        let touched = json!({ "labels": labels, "annotations": annotations, "resourceVersion": version });
        self.patch_secret(place, json!({ "metadata": touched })).await
    }

    async fn patch_secret(&self, place: &Place, patch: Value) -> Done {
        let Some(manifest) = &place.manifest else { return Done::No };
        let patch = Patch::Merge(patch);
        let patched = self.secrets.patch_metadata(&manifest.secret, &PatchParams::default(), &patch).await;
        Done::when(found(patched, &[404, 409]).is_some())
    }

    async fn rotate(&self, place: &Place, request: u32) -> Done {
        let annotations = json!({ ROTATE_ANNOTATION: request.to_string() });
        let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
        let patched = self.resources.patch_metadata(&place.name, &PatchParams::default(), &patch).await;
        Done::when(found(patched, &[404]).is_some())
    }

    async fn strip_owner(&self, place: &Place) -> Done {
        let Some(manifest) = &place.manifest else { return Done::No };
        let Some(uid) = self.uid_of_secret(&manifest.secret).await else { return Done::No };
        self.witness.seen().stripped_by_user.insert(uid.clone());
        self.patch_secret(place, json!({ "metadata": { "uid": uid, "ownerReferences": null } })).await
    }

    /// Deletes a Secret; tells whether there was one.
    pub async fn delete_secret(&self, name: &str) -> bool {
        let Some(uid) = self.uid_of_secret(name).await else { return false };
        self.witness.seen().deleted_by_user.insert(uid.clone());
        let preconditions = Some(Preconditions { uid: Some(uid), resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        found(self.secrets.delete(name, &params).await, &[404, 409]).is_some()
    }

    async fn uid_of_secret(&self, name: &str) -> Option<String> {
        let secret = self.secrets.get_metadata_opt(name).await.expect("Secrets can be read")?;
        secret.metadata.uid
    }

    /// How many endpoints live.
    pub fn living(&self) -> usize {
        self.simulator.endpoints(NETWORK).len()
    }
}

fn change(manifest: &mut Manifest, deed: &Deed, place: &Place) {
    match deed.clone() {
        Deed::Events(events) => manifest.events = events,
        Deed::Status(status) => manifest.status = status,
        Deed::SecretName(SecretName::Own) => manifest.secret.clone_from(&place.name),
        Deed::SecretName(SecretName::Other(which)) => manifest.secret = format!("{}-{which}", place.name),
        Deed::SecretName(SecretName::Shared) => manifest.secret = format!("shared-{}", place.number / 4),
        Deed::Labels(labels) => manifest.labels = labels,
        Deed::Annotations(annotations) => manifest.annotations = annotations,
        Deed::Deletion(policy) => manifest.deletion = policy,
        Deed::Drift(policy) => manifest.drift = policy,
        Deed::Paused(paused) => manifest.paused = paused,
        Deed::Url(address, Spelling::Plain) => manifest.url = place.url_at(address),
        Deed::Url(address, Spelling::Odd) => manifest.url = oddly(&place.url_at(address)),
        Deed::Times(activate_after, retire_after) => {
            (manifest.activate_after, manifest.retire_after) = (activate_after, retire_after);
        }
        Deed::Overlap(overlap) => manifest.overlap = overlap,
        Deed::Delete
        | Deed::EditRemote(_)
        | Deed::Disable
        | Deed::DeleteRemote
        | Deed::TouchSecret
        | Deed::StripOwner
        | Deed::DeleteSecret
        | Deed::Rotate(_)
        | Deed::FollowAdvice => unreachable!("{deed:?} changes no manifest"),
    }
}

/// What Kubernetes answers; `None` for the codes that are as good as nothing.
fn found<T>(answer: kube::Result<T>, nothing: &[u16]) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(kube::Error::Api(status)) if nothing.contains(&status.code) => None,
        Err(error) => panic!("a user is refused: {error}"),
    }
}
