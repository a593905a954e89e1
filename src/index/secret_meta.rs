//! What the metadata of a Secret says. Its values are never kept.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::provider::EndpointId;
use crate::resources::{
    ENDPOINT_ID_ANNOTATION, GROUP, PREVIOUS_ENDPOINT_ID_ANNOTATION, SECRET_ATTEMPT_ANNOTATION,
    TEMPLATE_ANNOTATION,
};

/// What is known of one Secret of ours, from its metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredMeta {
    /// The name and uid of the `WebhookEndpoint` that owns it.
    pub owner: Option<(String, String)>,
    /// Its resource version.
    pub resource_version: Option<String>,
    /// The endpoint whose secret it holds.
    pub endpoint: Option<EndpointId>,
    /// The endpoint whose secret it holds beside, while two are valid.
    pub previous: Option<EndpointId>,
    /// The attempt that made the endpoint.
    pub attempt: u64,
    /// The labels that were set because they were declared.
    pub labels: BTreeMap<String, String>,
    /// The annotations that were set because they were declared.
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
        let owner = meta.owner_references.iter().flatten().find(|owner| {
            owner.kind == "WebhookEndpoint" && owner.api_version.split('/').next() == Some(GROUP)
        });
        Self {
            owner: owner.map(|owner| (owner.name.clone(), owner.uid.clone())),
            resource_version: meta.resource_version.clone(),
            endpoint: endpoint(ENDPOINT_ID_ANNOTATION),
            previous: endpoint(PREVIOUS_ENDPOINT_ID_ANNOTATION),
            attempt: annotation(SECRET_ATTEMPT_ANNOTATION)
                .and_then(|text| text.parse::<u32>().ok())
                .map_or(0, u64::from),
            labels: pick(meta.labels.as_ref(), &keys.labels),
            annotations: pick(meta.annotations.as_ref(), &keys.annotations),
        }
    }

    /// The endpoints whose secrets it holds.
    pub fn endpoints(&self) -> impl Iterator<Item = &EndpointId> {
        self.endpoint.iter().chain(&self.previous)
    }
}

fn pick(all: Option<&BTreeMap<String, String>>, keys: &BTreeSet<String>) -> BTreeMap<String, String> {
    all.into_iter()
        .flatten()
        .filter(|(key, _)| keys.contains(*key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
