//! Objects of Kubernetes.

use std::fmt::Debug;

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An object of a kind that is known when it is compiled.
pub trait Object:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static
{
}

impl<K> Object for K where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + 'static
{
}

/// Creates an object.
pub async fn create<K: Object>(api: &Api<K>, object: Value) -> K {
    let object = serde_json::from_value(object).expect("an object");
    api.create(&PostParams::default(), &object).await.expect("the object is created")
}

/// Changes an object by a merge patch.
pub async fn patch<K: Clone + Debug + DeserializeOwned>(api: &Api<K>, name: &str, patch: Value) -> K {
    let patched = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
    patched.unwrap_or_else(|error| panic!("{name} is not changed: {error}"))
}

/// Deletes an object, which stays as long as it has finalizers.
pub async fn delete<K: Clone + Debug + DeserializeOwned>(api: &Api<K>, name: &str) {
    let deleted = api.delete(name, &DeleteParams::default()).await;
    deleted.unwrap_or_else(|error| panic!("{name} is not deleted: {error}"));
}
