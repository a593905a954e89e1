//! Secrets that are there already: kept beside another one, moved, taken over from a backup, or adopted.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use kube::Resource as _;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::EventType;

use super::Activation;
use super::failure::Failure;
use super::secret_object::{Content, SECRET_KEY, URL_KEY, bytes, secret, taken_over, text, values};
use super::secrets::{created, patched};
use crate::index::StoredMeta;
use crate::planning::{SecretShape, SecretSource};
use crate::provider::{EndpointId, EndpointUrl};
use crate::resources::{FIELD_MANAGER, SECRET_TYPE};

impl Activation<'_> {
    /// The secrets of these endpoints, read from the Secrets of this resource that hold them. Until they are written
    /// again, they are remembered.
    pub(super) async fn kept(&self, ids: &[EndpointId]) -> Result<Vec<(EndpointId, ByteString)>, Failure> {
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
}
