//! References to one key of a Kubernetes Secret.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text;

/// One key of a Secret in a named namespace; what a cluster-scoped resource uses.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct SecretKey {
    /// The Secret's namespace.
    #[schemars(schema_with = "text::object_name")]
    pub namespace: String,
    /// The Secret's name.
    #[schemars(schema_with = "text::object_name")]
    pub name: String,
    /// The key in the Secret's `data`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// One key of a Secret in the resource's own namespace; what a namespaced resource uses.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct LocalSecretKey {
    /// The Secret's name.
    #[schemars(schema_with = "text::object_name")]
    pub name: String,
    /// The key in the Secret's `data`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// The signing secret of an endpoint that is adopted, in the resource's own namespace.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct AdoptedSecretKey {
    /// The Secret's name.
    #[schemars(schema_with = "text::object_name")]
    pub name: String,
    /// The key in the Secret's `data`.
    #[serde(default = "secret")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

fn secret() -> String {
    "secret".to_owned()
}

impl LocalSecretKey {
    /// The same key, with the namespace it is read from.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> SecretKey {
        SecretKey { namespace: namespace.to_owned(), name: self.name.clone(), key: self.key.clone() }
    }
}

/// A confidential value; always a reference, never the value itself.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretSource<K> {
    /// The Secret and key that hold the value.
    pub secret_key_ref: K,
}
