//! Objects that this version can't read: a newer one may have left a field or a value that it does not know.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::core::object::HasStatus;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{RemoteEndpoint, RetiringEndpoint, WebhookEndpointStatus, WebhookNetworkStatus};

/// An object as the API server shows it, whether or not this version can read it.
#[derive(Clone, Debug)]
pub enum Lenient<K: HasStatus> {
    /// One that it can read. Of a status that it can't, only what it can is there.
    Readable(K),
    /// One that it can't.
    Unreadable(Box<Unreadable<K::Status>>),
}

/// An object that this version can't read.
#[derive(Clone, Debug)]
pub struct Unreadable<S> {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Its spec, as it is.
    pub spec: Value,
    /// What can be read of its status.
    pub status: Option<S>,
    /// Why it can't be read.
    pub why: String,
}

/// A status of which a part can be read.
pub trait Salvage: DeserializeOwned + Default {
    /// What can be read.
    fn salvage(raw: &Value) -> Self;
}

/// The fields that can be read, each by itself.
fn readable_fields<S: DeserializeOwned + Default>(raw: &Value) -> S {
    let fields = raw.as_object().into_iter().flatten();
    let readable = fields.filter(|(name, value)| S::deserialize(json!({ *name: value })).is_ok());
    let readable = readable.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>();
    S::deserialize(Value::Object(readable)).unwrap_or_default()
}

impl Salvage for WebhookNetworkStatus {
    fn salvage(raw: &Value) -> Self {
        readable_fields(raw)
    }
}

impl Salvage for WebhookEndpointStatus {
    /// Whatever looks like the id of an endpoint counts as one that the resource holds.
    fn salvage(raw: &Value) -> Self {
        let mut status: Self = readable_fields(raw);
        if status.endpoint.is_none()
            && let Some(id) = raw.pointer("/endpoint/id").and_then(Value::as_str)
        {
            status.endpoint = Some(RemoteEndpoint {
                id: id.to_owned(),
                network_id: None,
                url: String::new(),
                requested_url: None,
                enabled_events: Vec::new(),
                status: String::new(),
                created_at: None,
            });
        }
        let mut ids = BTreeSet::new();
        collect_ids(raw, &mut ids);
        let current = status.endpoint.iter().map(|endpoint| &endpoint.id);
        let next = status.replacement.iter().map(|next| &next.id);
        let retiring = status.retiring.iter().map(|old| &old.id);
        for known in current.chain(next).chain(retiring) {
            ids.remove(known);
        }
        let others =
            ids.into_iter().map(|id| RetiringEndpoint { id, since: Time(Timestamp::MAX), until: None });
        status.retiring.extend(others);
        status
    }
}

fn collect_ids(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(id) if name == "id" || name == "endpointId" => {
                        ids.insert(id.clone());
                    }
                    _ => collect_ids(value, ids),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_ids(item, ids)),
        _ => {}
    }
}

impl<'de, K> Deserialize<'de> for Lenient<K>
where
    K: DeserializeOwned + HasStatus,
    K::Status: Salvage + serde::Serialize,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut raw = Value::deserialize(deserializer)?;
        if let Ok(object) = K::deserialize(&raw) {
            return Ok(Self::Readable(object));
        }
        let status = raw.get("status").map(K::Status::salvage);
        raw["status"] = serde_json::to_value(&status).map_err(D::Error::custom)?;
        let why = match K::deserialize(&raw) {
            Ok(object) => return Ok(Self::Readable(object)),
            Err(error) => error.to_string(),
        };
        let metadata = serde_json::from_value(raw["metadata"].take()).map_err(D::Error::custom)?;
        Ok(Self::Unreadable(Box::new(Unreadable { metadata, spec: raw["spec"].take(), status, why })))
    }
}

impl<K: HasStatus + Resource> Resource for Lenient<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Readable(object) => object.meta(),
            Self::Unreadable(unreadable) => &unreadable.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Readable(object) => object.meta_mut(),
            Self::Unreadable(unreadable) => &mut unreadable.metadata,
        }
    }
}

impl<K: HasStatus> HasStatus for Lenient<K> {
    type Status = K::Status;

    fn status(&self) -> Option<&K::Status> {
        match self {
            Self::Readable(object) => object.status(),
            Self::Unreadable(unreadable) => unreadable.status.as_ref(),
        }
    }

    fn status_mut(&mut self) -> &mut Option<K::Status> {
        match self {
            Self::Readable(object) => object.status_mut(),
            Self::Unreadable(unreadable) => &mut unreadable.status,
        }
    }
}

impl<S> Unreadable<S> {
    /// What to tell of it.
    #[must_use]
    pub fn message(&self) -> String {
        format!(
            "this version of the operator can't read it, so it is left as it is: {}; use what this version knows, or \
             update the operator",
            self.why
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::WebhookEndpoint;

    fn shown(spec: &Value, status: &Value) -> Lenient<WebhookEndpoint> {
        serde_json::from_value(json!({
            "apiVersion": "webhookoperator.dev/v1alpha1",
            "kind": "WebhookEndpoint",
            "metadata": { "name": "hook", "namespace": "billing", "generation": 2 },
            "spec": spec,
            "status": status,
        }))
        .unwrap()
    }

    fn ids(status: &WebhookEndpointStatus) -> Vec<&str> {
        let current = status.endpoint.iter().map(|endpoint| endpoint.id.as_str());
        current.chain(status.retiring.iter().map(|old| old.id.as_str())).collect()
    }

    #[test]
    fn case_20_of_a_value_of_tomorrow_the_rest_is_read() {
        let status = json!({
            "observedGeneration": 1,
            "resolvedAttempt": 3,
            "endpoint": { "id": "wh_1", "shape": "new" },
            "spares": [{ "id": "wh_2" }],
            "secret": { "name": "hook", "endpointId": "wh_3" },
        });
        let known = json!({ "url": "https://example.com", "enabledEvents": ["ocpp.message"] });
        let unknown = json!({ "url": "https://example.com", "enabledEvents": ["ocpp.boot"] });

        let Lenient::Readable(object) = shown(&known, &status) else { panic!("its spec can be read") };
        assert_eq!(ids(&object.status.unwrap()), ["wh_1", "wh_2", "wh_3"]);

        let Lenient::Unreadable(object) = shown(&unknown, &status) else { panic!("its spec can't be read") };
        assert!(object.message().contains("ocpp.boot"), "{}", object.message());
        assert_eq!((object.metadata.generation, &object.spec), (Some(2), &unknown));
        let status = object.status.unwrap();
        assert_eq!(ids(&status), ["wh_1", "wh_2", "wh_3"]);
        assert_eq!((status.observed_generation, status.resolved_attempt), (Some(1), Some(3)));
    }
}
