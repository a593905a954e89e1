//! The Secret to be: pure.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::index::{Overruled, Resource, StoredMeta, TemplateKeys, previous_key};
use crate::planning::{Ownership, SecretShape};
use crate::provider::{EndpointId, EndpointUrl};
use crate::resources::{
    ENDPOINT_ID_ANNOTATION, OWNER_ANNOTATION, PREVIOUS_ENDPOINT_ID_ANNOTATION, SECRET_ATTEMPT_ANNOTATION,
    SECRET_TYPE, TEMPLATE_ANNOTATION, WebhookEndpoint,
};

/// The key of the signing secret.
pub(super) const SECRET_KEY: &str = "secret";
/// The key of the endpoint's id.
pub(super) const ENDPOINT_ID_KEY: &str = "endpointId";
/// The key of the URL that the endpoint delivers to.
pub(super) const URL_KEY: &str = "url";
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "webhook-operator");

/// The Secret of a resource, with this data.
pub(super) fn secret(owner: &Resource, shape: &SecretShape, content: &Content) -> Secret {
    Secret {
        metadata: metadata(owner, shape, content),
        type_: Some(SECRET_TYPE.to_owned()),
        data: Some(content.data.clone()),
        ..Secret::default()
    }
}

/// What a Secret is to hold, and the notes of that; nothing by default.
#[derive(Default)]
pub(super) struct Content {
    data: BTreeMap<String, ByteString>,
    annotations: BTreeMap<String, String>,
}

impl Content {
    /// What a dry run stands for.
    pub(super) fn dry_run() -> Self {
        let data = BTreeMap::from([(SECRET_KEY.to_owned(), ByteString(b"dry run".to_vec()))]);
        Self { data, annotations: BTreeMap::new() }
    }

    /// These values, of which the first is the secret of `id`, made by `attempt`, and the others are those of the
    /// endpoints before it.
    pub(super) fn new(
        id: &EndpointId,
        attempt: u64,
        url: Option<&str>,
        secret: ByteString,
        previous: Vec<(EndpointId, ByteString)>,
    ) -> Self {
        let text = |text: &str| ByteString(text.as_bytes().to_vec());
        let mut data = BTreeMap::from([
            (SECRET_KEY.to_owned(), secret),
            (ENDPOINT_ID_KEY.to_owned(), text(id.as_str())),
        ]);
        data.extend(url.map(|url| (URL_KEY.to_owned(), text(url))));
        let mut annotations = BTreeMap::from([
            (ENDPOINT_ID_ANNOTATION.to_owned(), id.to_string()),
            (SECRET_ATTEMPT_ANNOTATION.to_owned(), attempt.to_string()),
        ]);
        let ids = previous.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(",");
        if !ids.is_empty() {
            annotations.insert(PREVIOUS_ENDPOINT_ID_ANNOTATION.to_owned(), ids);
        }
        let previous = previous.into_iter().enumerate();
        data.extend(previous.map(|(place, (_, value))| (previous_key(place), value)));
        Self { data, annotations }
    }

    /// A merge patch that has a Secret hold this and no other secrets than these.
    pub(super) fn patch(&self, before: &StoredMeta) -> Value {
        let mut body = json!({ "data": self.data, "metadata": { "annotations": self.annotations } });
        self.remove_others(&mut body, before);
        body
    }

    fn remove_others(&self, body: &mut Value, before: &StoredMeta) {
        for key in (0..before.previous.len()).map(previous_key).filter(|key| !self.data.contains_key(key)) {
            body["data"][key] = Value::Null;
        }
        if !self.annotations.contains_key(PREVIOUS_ENDPOINT_ID_ANNOTATION) {
            body["metadata"]["annotations"][PREVIOUS_ENDPOINT_ID_ANNOTATION] = Value::Null;
        }
    }
}

/// The secrets in a Secret, by the endpoints whose they are, as its notes say.
pub(super) fn values(found: &Secret) -> BTreeMap<EndpointId, ByteString> {
    let stored = StoredMeta::of(&found.metadata);
    let previous = stored.previous.into_iter().enumerate().map(|(place, id)| (id, previous_key(place)));
    let latest = stored.endpoint.into_iter().map(|id| (id, SECRET_KEY.to_owned()));
    let held = previous.chain(latest);
    held.filter_map(|(id, key)| Some((id, found.data.as_ref()?.get(&key)?.clone()))).collect()
}

/// A value as what no log prints.
pub(super) fn text(value: &ByteString) -> SecretString {
    String::from_utf8_lossy(&value.0).into_owned().into()
}

/// The same as Kubernetes takes it.
pub(super) fn bytes(value: &SecretString) -> ByteString {
    ByteString(value.expose_secret().as_bytes().to_vec())
}

/// Writes a Secret over an earlier one.
pub(super) fn overwriting(secret: &Secret, content: &Content, before: &StoredMeta) -> Value {
    let mut body = serde_json::to_value(secret).unwrap_or_default();
    content.remove_others(&mut body, before);
    change(&mut body["metadata"], before);
    body
}

/// Its metadata.
pub(super) fn metadata(owner: &Resource, shape: &SecretShape, content: &Content) -> ObjectMeta {
    let mut labels = shape.labels.clone();
    // It says who looks after the Secret, and decides nothing: whoever declares it otherwise may.
    labels.entry(MANAGED_BY.0.to_owned()).or_insert_with(|| MANAGED_BY.1.to_owned());
    let mut annotations = shape.annotations.clone();
    annotations
        .insert(TEMPLATE_ANNOTATION.to_owned(), serde_json::to_string(&template(shape)).unwrap_or_default());
    annotations.extend(content.annotations.clone());
    let reference = match shape.ownership {
        Ownership::Reference => Some(OwnerReference {
            api_version: WebhookEndpoint::api_version(&()).into_owned(),
            kind: WebhookEndpoint::kind(&()).into_owned(),
            name: owner.key.name.to_string(),
            uid: owner.uid.clone(),
            controller: Some(true),
            block_owner_deletion: None,
        }),
        Ownership::Note => {
            annotations.insert(OWNER_ANNOTATION.to_owned(), format!("{}/{}", owner.key.name, owner.uid));
            None
        }
    };
    ObjectMeta {
        name: Some(shape.name.clone()),
        namespace: Some(owner.key.namespace.to_string()),
        labels: Some(labels),
        annotations: Some(annotations),
        owner_references: reference.map(|reference| vec![reference]),
        ..ObjectMeta::default()
    }
}

/// The keys of the declared labels and annotations.
pub(super) fn template(shape: &SecretShape) -> TemplateKeys {
    TemplateKeys {
        labels: shape.labels.keys().cloned().collect(),
        annotations: shape.annotations.keys().cloned().collect(),
        overruled: Overruled::default(),
    }
}

/// Has a merge patch lose against a Secret that changed since it was seen, and remove what was declared
/// before and is not now. Labels and annotations that others added to the Secret stay.
pub(super) fn change(metadata: &mut Value, before: &StoredMeta) {
    metadata["resourceVersion"] = before.resource_version.clone().into();
    // One of the two is there.
    if metadata.get("ownerReferences").is_none() {
        metadata["ownerReferences"] = Value::Null;
    } else if before.ownership == Ownership::Note {
        metadata["annotations"][OWNER_ANNOTATION] = Value::Null;
    }
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

/// A Secret that somebody else wrote, as a server-side apply that takes its values over; `None` when there is no
/// secret in it, or one of another endpoint than it should be of.
pub(super) fn taken_over(
    found: &Secret,
    endpoint: Option<&EndpointId>,
    url: Option<&EndpointUrl>,
) -> Option<Value> {
    let value = |key: &str| found.data.as_ref()?.get(key).filter(|value| !value.0.is_empty());
    let (secret, id) = (value(SECRET_KEY)?, value(ENDPOINT_ID_KEY)?);
    let is_its = |endpoint: &EndpointId| endpoint.as_str().as_bytes() == id.0;
    if endpoint.is_some_and(|endpoint| !is_its(endpoint)) {
        return None;
    }
    let text = std::str::from_utf8(&id.0).ok()?;
    let previous = StoredMeta::of(&found.metadata).previous.len();
    let previous = (0..previous).map(previous_key).filter_map(|key| Some((value(&key)?.clone(), key)));
    let mut data = previous.map(|(value, key)| (key, value)).collect::<BTreeMap<_, _>>();
    data.insert(SECRET_KEY.to_owned(), secret.clone());
    data.insert(ENDPOINT_ID_KEY.to_owned(), id.clone());
    data.extend(url.map(|url| (URL_KEY.to_owned(), ByteString(url.as_str().as_bytes().to_vec()))));
    let noted = found.metadata.annotations.as_ref();
    let mut annotations = BTreeMap::from([(ENDPOINT_ID_ANNOTATION, text)]);
    let others = noted.and_then(|noted| noted.get(PREVIOUS_ENDPOINT_ID_ANNOTATION));
    annotations.extend(others.map(|others| (PREVIOUS_ENDPOINT_ID_ANNOTATION, others.as_str())));
    let ObjectMeta { name, namespace, uid, resource_version, .. } = &found.metadata;
    Some(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name, "namespace": namespace, "uid": uid, "resourceVersion": resource_version,
            "annotations": annotations,
        },
        "data": data,
    }))
}

/// Which of the declared labels and annotations somebody overrules.
pub(super) fn overruled(shape: &SecretShape, shown: &StoredMeta) -> Overruled {
    let differing = |declared: &BTreeMap<String, String>, shown: &BTreeMap<String, String>| {
        let differing = declared.iter().filter(|(key, value)| shown.get(*key) != Some(value));
        differing.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    Overruled {
        labels: differing(&shape.labels, &shown.labels),
        annotations: differing(&shape.annotations, &shown.annotations),
    }
}
