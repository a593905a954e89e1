//! What the metadata of a Secret says. Its values are never kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::Value;

use crate::planning::{Mutability, Ownership, SecretData};
use crate::provider::EndpointId;
use crate::resources::{
    ENDPOINT_ID_ANNOTATION, FIELD_MANAGER, GROUP, OWNER_ANNOTATION, PREVIOUS_ENDPOINT_ID_ANNOTATION,
    SECRET_ATTEMPT_ANNOTATION, TEMPLATE_ANNOTATION,
};

/// What is known of one Secret of ours, from its metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredMeta {
    /// The name and uid of the `WebhookEndpoint` that owns it.
    pub owner: Option<(Arc<str>, Arc<str>)>,
    /// How it shows that.
    pub ownership: Ownership,
    /// Who wrote its values.
    pub data: SecretData,
    /// Whether its values can be changed.
    pub mutability: Mutability,
    /// Its resource version.
    pub resource_version: Option<String>,
    /// The endpoint whose secret it holds.
    pub endpoint: Option<EndpointId>,
    /// The endpoints whose secrets it holds beside, in the order of their keys.
    pub previous: Vec<EndpointId>,
    /// The attempt that made the endpoint.
    pub attempt: u64,
    /// The labels that were set because they were declared. One that somebody overrules is as it was declared.
    pub labels: BTreeMap<String, String>,
    /// The annotations that were set because they were declared, likewise.
    pub annotations: BTreeMap<String, String>,
}

/// The keys of labels and annotations that were set because they were declared; kept on the Secret.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct TemplateKeys {
    /// Keys of labels.
    #[serde(default)]
    pub labels: BTreeSet<String>,
    /// Keys of annotations.
    #[serde(default)]
    pub annotations: BTreeSet<String>,
    /// What was declared to no effect: an admission policy decides otherwise.
    #[serde(default, skip_serializing_if = "Overruled::is_empty")]
    pub overruled: Overruled,
}

/// Labels and annotations, as declared, that somebody overrules.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Overruled {
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Overruled {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }

    /// The keys of the labels and annotations.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.labels.keys().chain(self.annotations.keys()).map(String::as_str)
    }
}

impl StoredMeta {
    /// Reads a Secret's metadata.
    #[must_use]
    pub fn of(meta: &ObjectMeta) -> Self {
        let annotation = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key));
        let endpoint = |key: &str| annotation(key).map(|id| EndpointId::from(id.as_str()));
        let keys: TemplateKeys = annotation(TEMPLATE_ANNOTATION)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let reference = meta.owner_references.iter().flatten().find(|owner| {
            owner.kind == "WebhookEndpoint" && owner.api_version.split('/').next() == Some(GROUP)
        });
        let noted = annotation(OWNER_ANNOTATION).and_then(|text| text.split_once('/'));
        let noted = noted.map(|(name, uid)| (Arc::from(name), Arc::from(uid)));
        let ownership =
            if reference.is_none() && noted.is_some() { Ownership::Note } else { Ownership::Reference };
        let written = meta.managed_fields.as_deref().unwrap_or_default();
        let Overruled { labels: overruled_labels, annotations: overruled_annotations } = keys.overruled;
        Self {
            owner: reference.map(|owner| (owner.name.as_str().into(), owner.uid.as_str().into())).or(noted),
            ownership,
            data: data(written),
            mutability: mutability(written),
            resource_version: meta.resource_version.clone(),
            endpoint: endpoint(ENDPOINT_ID_ANNOTATION),
            previous: annotation(PREVIOUS_ENDPOINT_ID_ANNOTATION)
                .map_or_else(Vec::new, |ids| previous(ids, written)),
            attempt: annotation(SECRET_ATTEMPT_ANNOTATION)
                .and_then(|text| text.parse::<u32>().ok())
                .map_or(0, u64::from),
            labels: pick(meta.labels.as_ref(), &keys.labels, overruled_labels),
            annotations: pick(meta.annotations.as_ref(), &keys.annotations, overruled_annotations),
        }
    }

    /// Whether it belongs to the resource with this uid.
    #[must_use]
    pub fn is_of(&self, uid: &str) -> bool {
        self.owner.as_ref().is_some_and(|(_, owner)| **owner == *uid)
    }

    /// The endpoints whose secrets it holds.
    pub fn endpoints(&self) -> impl Iterator<Item = &EndpointId> {
        self.endpoint.iter().chain(&self.previous)
    }
}

/// The key of a secret that is held beside the latest, by its place among them.
#[must_use]
pub fn previous_key(place: usize) -> String {
    match place {
        0 => "previousSecret".to_owned(),
        place => format!("previousSecret{}", place + 1),
    }
}

/// The endpoints whose secrets are held beside, as far as whoever wrote that note wrote their secrets, too, and the
/// latest one: the operator, or somebody who brought it all back from a backup.
fn previous(ids: &str, written: &[ManagedFieldsEntry]) -> Vec<EndpointId> {
    let managers = managers(written);
    let note = note(PREVIOUS_ENDPOINT_ID_ANNOTATION);
    let wrote = |manager: &&Vec<&Value>| has(manager, &VALUES[0]) && has(manager, &path(&note));
    let writer = managers.get(FIELD_MANAGER).filter(wrote).or_else(|| managers.values().find(wrote));
    let is_held = |place: usize| {
        let key = format!("f:{}", previous_key(place));
        managers.is_empty() || writer.is_some_and(|writer| has(writer, &["f:data", &key]))
    };
    let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).enumerate();
    ids.take_while(|(place, _)| is_held(*place)).map(|(_, id)| id.into()).collect()
}

fn pick(
    all: Option<&BTreeMap<String, String>>,
    keys: &BTreeSet<String>,
    overruled: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let declared = all.into_iter().flatten().filter(|(key, _)| keys.contains(*key));
    declared.map(|(key, value)| (key.clone(), value.clone())).chain(overruled).collect()
}

/// The keys of the values that can't be written again, as `managedFields` names them
/// (<https://kubernetes.io/docs/reference/using-api/server-side-apply/>).
const VALUES: [[&str; 2]; 2] = [["f:data", "f:secret"], ["f:data", "f:endpointId"]];
const URL: [&str; 2] = ["f:data", "f:url"];

/// Who wrote the values. Whoever changes one takes it away from who wrote it before, and one that is removed is
/// nobody's. Where it is not on record, there is nothing to go by.
fn data(written: &[ManagedFieldsEntry]) -> SecretData {
    let managers = managers(written);
    let whole = |manager: &[&Value]| VALUES.iter().all(|path| has(manager, path));
    let own = managers.get(FIELD_MANAGER).map_or(&[][..], Vec::as_slice);
    if managers.is_empty() || (whole(own) && has(own, &URL)) {
        return SecretData::AsWritten;
    }
    if whole(own) {
        return SecretData::Restored;
    }
    if VALUES.iter().any(|path| has(own, path)) {
        return SecretData::Altered;
    }
    let note = note(ENDPOINT_ID_ANNOTATION);
    let is_noted = managers.values().any(|manager| has(manager, &path(&note)));
    let restored = |manager: &Vec<&Value>| whole(manager) && (has(manager, &path(&note)) || !is_noted);
    if managers.values().any(restored) { SecretData::Restored } else { SecretData::Altered }
}

/// What each manager wrote.
fn managers(written: &[ManagedFieldsEntry]) -> BTreeMap<&str, Vec<&Value>> {
    let mut managers = BTreeMap::<&str, Vec<&Value>>::new();
    for entry in written {
        let manager = entry.manager.as_deref().unwrap_or_default();
        managers.entry(manager).or_default().extend(entry.fields_v1.iter().map(|fields| &fields.0));
    }
    managers
}

fn has(manager: &[&Value], path: &[&str]) -> bool {
    manager.iter().any(|fields| at(fields, path).is_some())
}

fn note(annotation: &str) -> String {
    format!("f:{annotation}")
}

fn path(note: &str) -> [&str; 3] {
    ["f:metadata", "f:annotations", note]
}

/// Whether its field `immutable`, which its metadata does not show, was set by anybody.
fn mutability(written: &[ManagedFieldsEntry]) -> Mutability {
    let mut fields = written.iter().filter_map(|entry| entry.fields_v1.as_ref());
    if fields.any(|fields| fields.0.get("f:immutable").is_some()) {
        Mutability::Immutable
    } else {
        Mutability::Mutable
    }
}

fn at<'v>(fields: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(fields, |fields, key| fields.get(key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Who wrote the values of a Secret with these `managedFields`: of each manager, what it wrote.
    fn data_of(managers: &[(&str, &[&str])]) -> SecretData {
        let entries = managers.iter().map(|(manager, fields)| {
            let mut written = json!({ "f:data": { ".": {} }, "f:metadata": { "f:annotations": { ".": {} } } });
            for field in *fields {
                match *field {
                    "note" => {
                        let note = format!("f:{ENDPOINT_ID_ANNOTATION}");
                        written["f:metadata"]["f:annotations"][note] = json!({});
                    }
                    key => written["f:data"][format!("f:{key}")] = json!({}),
                }
            }
            json!({ "manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": written })
        });
        let meta = json!({ "managedFields": entries.collect::<Vec<_>>() });
        StoredMeta::of(&serde_json::from_value(meta).unwrap()).data
    }

    #[test]
    fn case_05_metadata_tell_who_wrote_the_values() {
        const ALL: &[&str] = &["secret", "endpointId", "url", "note"];
        const REST: &[&str] = &["endpointId", "url", "note"];
        const OURS: &str = FIELD_MANAGER;
        for (why, managers, expected) in [
            ("nothing is on record", &[][..], SecretData::AsWritten),
            ("the operator", &[(OURS, ALL)], SecretData::AsWritten),
            ("the operator, and somebody the same", &[("a", ALL), (OURS, ALL)], SecretData::AsWritten),
            ("the operator, and somebody its note", &[("a", &["note"]), (OURS, ALL)], SecretData::AsWritten),
            (
                "the URL was changed",
                &[("kubectl", &["url"]), (OURS, &["secret", "endpointId"])],
                SecretData::Restored,
            ),
            ("the URL was removed", &[(OURS, &["secret", "endpointId"])], SecretData::Restored),
            ("the secret was removed", &[(OURS, REST)], SecretData::Altered),
            ("the secret was changed", &[("kubectl", &["secret"]), (OURS, REST)], SecretData::Altered),
            (
                "the id was changed",
                &[("kubectl", &["endpointId"]), (OURS, &["secret", "note"])],
                SecretData::Altered,
            ),
            (
                "both were changed, and the note was not",
                &[("kubectl", &["endpointId", "secret"]), (OURS, &["note"])],
                SecretData::Altered,
            ),
            ("a backup", &[("velero", ALL)], SecretData::Restored),
            ("a backup without annotations", &[("velero", &["endpointId", "secret"])], SecretData::Restored),
            ("a backup without the secret", &[("velero", REST)], SecretData::Altered),
            (
                "a backup that was altered since",
                &[("velero", REST), ("kubectl", &["secret"])],
                SecretData::Altered,
            ),
            (
                "a backup that was taken over since, and altered by who brought it",
                &[("velero", ALL), (OURS, &["endpointId", "note"])],
                SecretData::Altered,
            ),
            ("a backup that was taken over since", &[("velero", ALL), (OURS, ALL)], SecretData::AsWritten),
        ] {
            assert_eq!(data_of(managers), expected, "{why}");
        }
    }

    #[test]
    fn case_08_metadata_tell_that_a_secret_may_be_immutable() {
        let of = |fields: Value| {
            let entry = json!({ "manager": "a", "fieldsType": "FieldsV1", "fieldsV1": fields });
            let meta = json!({ "managedFields": [entry] });
            StoredMeta::of(&serde_json::from_value(meta).unwrap()).mutability
        };
        assert_eq!(of(json!({ "f:immutable": {} })), Mutability::Immutable);
        assert_eq!(of(json!({ "f:data": { "f:immutable": {} } })), Mutability::Mutable);
    }

    #[test]
    fn case_07_an_owner_is_noted_where_no_reference_may_be() {
        let of = |meta: Value| {
            let meta = StoredMeta::of(&serde_json::from_value(meta).unwrap());
            (meta.owner, meta.ownership)
        };
        let reference = json!({
            "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "name": "e", "uid": "1",
        });
        let owner = |uid: &str| Some((Arc::from("e"), Arc::from(uid)));
        let note = json!({ OWNER_ANNOTATION: "e/2" });
        assert_eq!(of(json!({ "annotations": note })), (owner("2"), Ownership::Note));
        let both = json!({ "annotations": note, "ownerReferences": [reference] });
        assert_eq!(of(both), (owner("1"), Ownership::Reference));
        assert_eq!(of(json!({})).0, None);
        assert_eq!(of(json!({ "annotations": { OWNER_ANNOTATION: "garbled" } })).0, None);
    }
}
