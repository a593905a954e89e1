//! The Secret to be: pure.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource as _;
use serde_json::{Value, json};

use crate::index::{Overruled, Resource, StoredMeta, TemplateKeys};
use crate::planning::{InHand, Ownership, SecretShape};
use crate::provider::{EndpointId, EndpointUrl};
use crate::resources::{
    ENDPOINT_ID_ANNOTATION, OWNER_ANNOTATION, SECRET_ATTEMPT_ANNOTATION, SECRET_TYPE, TEMPLATE_ANNOTATION,
    WebhookEndpoint,
};

/// The key of the signing secret.
pub(super) const SECRET_KEY: &str = "secret";
/// The key of the endpoint's id.
pub(super) const ENDPOINT_ID_KEY: &str = "endpointId";
/// The key of the URL that the endpoint delivers to.
pub(super) const URL_KEY: &str = "url";
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "webhook-operator");

/// The Secret of a resource, with this data, and with the secret of `hand`, if any.
pub(super) fn secret<'d>(
    owner: &Resource,
    shape: &SecretShape,
    hand: Option<&InHand>,
    data: impl IntoIterator<Item = (&'d str, &'d str)>,
) -> Secret {
    let data = data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec())));
    Secret {
        metadata: metadata(owner, shape, hand),
        type_: Some(SECRET_TYPE.to_owned()),
        data: Some(data.collect()),
        ..Secret::default()
    }
}

/// Its metadata.
pub(super) fn metadata(owner: &Resource, shape: &SecretShape, hand: Option<&InHand>) -> ObjectMeta {
    let mut labels = shape.labels.clone();
    // It says who looks after the Secret, and decides nothing: whoever declares it otherwise may.
    labels.entry(MANAGED_BY.0.to_owned()).or_insert_with(|| MANAGED_BY.1.to_owned());
    let mut annotations = shape.annotations.clone();
    annotations
        .insert(TEMPLATE_ANNOTATION.to_owned(), serde_json::to_string(&template(shape)).unwrap_or_default());
    if let Some(hand) = hand {
        annotations.insert(ENDPOINT_ID_ANNOTATION.to_owned(), hand.id.to_string());
        annotations.insert(SECRET_ATTEMPT_ANNOTATION.to_owned(), hand.attempt.to_string());
    }
    let reference = match shape.ownership {
        Ownership::Reference => Some(OwnerReference {
            api_version: WebhookEndpoint::api_version(&()).into_owned(),
            kind: WebhookEndpoint::kind(&()).into_owned(),
            name: owner.key.name.clone(),
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
        namespace: Some(owner.key.namespace.clone()),
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
    let mut data = BTreeMap::from([(SECRET_KEY, secret.clone()), (ENDPOINT_ID_KEY, id.clone())]);
    data.extend(url.map(|url| (URL_KEY, ByteString(url.as_str().as_bytes().to_vec()))));
    let ObjectMeta { name, namespace, uid, resource_version, .. } = &found.metadata;
    Some(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name, "namespace": namespace, "uid": uid, "resourceVersion": resource_version,
            "annotations": { ENDPOINT_ID_ANNOTATION: text },
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
