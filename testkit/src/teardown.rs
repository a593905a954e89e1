//! What a world leaves goes when it ends.

use std::fmt::Debug;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};
use tokio::sync::OnceCell;
use tokio::task::block_in_place;
use webhook_operator::resources::{WebhookEndpoint, WebhookNetwork};

use crate::Object;
use crate::plane::administrator;

/// How long it may take; what is left then stays.
const LIMIT: Duration = Duration::from_secs(30);

/// Objects outside a world's namespace, the oldest first.
#[derive(Default)]
pub(crate) struct Leftovers(Mutex<Vec<Leftover>>);

pub(crate) struct Leftover {
    kind: ApiResource,
    namespace: Option<String>,
    name: String,
}

impl Leftovers {
    /// Remembers an object that is about to be created.
    pub(crate) fn add<K: Resource<DynamicType = ()>>(&self, namespace: Option<&str>, object: &Value) {
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let leftover =
            Leftover { kind: ApiResource::erase::<K>(&()), namespace: namespace.map(str::to_owned), name };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(leftover);
    }

    pub(crate) fn take(&self) -> Vec<Leftover> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Removes the resources of a namespace, past their operator, and then what else there is, the newest first.
/// What is gone already is as good.
pub(crate) fn tear_down(namespace: &str, leftovers: &[Leftover]) {
    /// A runtime of its own, since that of a test that panicked may be gone.
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
    static CLIENT: OnceCell<Client> = OnceCell::const_new();
    let done = async {
        let client = CLIENT.get_or_init(administrator).await;
        free::<WebhookEndpoint>(Api::namespaced(client.clone(), namespace)).await;
        free::<WebhookNetwork>(Api::namespaced(client.clone(), namespace)).await;
        for leftover in leftovers.iter().rev() {
            remove(client, leftover).await;
        }
    };
    let bounded = || RUNTIME.block_on(async { tokio::time::timeout(LIMIT, done).await });
    // On a thread of its own it can neither meet the test's runtime nor end a test that panics already.
    let apart = || std::thread::scope(|scope| scope.spawn(bounded).join());
    let in_runtime =
        Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    // What runs beside the test, its simulator too, must go on meanwhile.
    let outcome = if in_runtime { block_in_place(apart) } else { apart() };
    if !matches!(outcome, Ok(Ok(()))) {
        eprintln!("what belongs to {namespace} was not all removed");
    }
}

/// Deletes all objects of a kind, and has them go although nobody looks after them.
async fn free<K: Object>(api: Api<K>) {
    let _ = api.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
    let Ok(left) = api.list_metadata(&ListParams::default()).await else { return };
    let held = left.items.into_iter().filter(|object| !object.finalizers().is_empty());
    let names = held.map(|object| object.name_any()).collect::<Vec<_>>();
    futures::future::join_all(names.iter().map(|name| let_go(&api, name))).await;
}

async fn remove(client: &Client, leftover: &Leftover) {
    let Leftover { kind, namespace, name } = leftover;
    let api = match namespace {
        Some(namespace) => Api::<DynamicObject>::namespaced_with(client.clone(), namespace, kind),
        None => Api::all_with(client.clone(), kind),
    };
    let _ = api.delete(name, &DeleteParams::default()).await;
    if api.get_metadata(name).await.is_ok_and(|object| !object.finalizers().is_empty()) {
        let_go(&api, name).await;
    }
}

/// Takes an object's finalizers away.
async fn let_go<K: Clone + Debug + DeserializeOwned>(api: &Api<K>, name: &str) {
    let free = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    let _ = api.patch(name, &PatchParams::default(), &free).await;
}
