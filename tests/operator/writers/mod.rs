//! What else writes in Kubernetes: people, backup tools, the garbage collector, admission policies.

mod admission;
mod owners;
mod replaced;
mod retain;
mod values;

use k8s_openapi::api::core::v1::{Event, Secret};
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::Value;
use testkit::audit::{Mark, Request};
use testkit::{Object, World, texts};
use webhook_operator::resources::WebhookEndpoint;

/// An object as a backup has it, without what the API server adds to it.
fn saved<K: Object>(object: &K) -> Value {
    let mut saved = serde_json::to_value(object).expect("it is JSON");
    for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
        saved["metadata"].as_object_mut().expect("an object").remove(field);
    }
    saved
}

fn without_owner(mut saved: Value) -> Value {
    saved["metadata"].as_object_mut().expect("an object").remove("ownerReferences");
    saved
}

fn owner(secret: &Secret) -> Option<&str> {
    secret.owner_references().first().map(|owner| owner.uid.as_str())
}

/// Waits until a resource owns its Secret.
async fn owned(world: &World, name: &str) {
    let uid = world.api::<WebhookEndpoint>().get(name).await.expect("it is there").uid();
    let is_owned = |found: Option<&Secret>| found.is_some_and(|secret| owner(secret) == uid.as_deref());
    world.until::<Secret>(name, "owned", is_owned).await;
}

/// Nothing is read or written any more, also after a restart.
async fn costs_nothing(world: &mut World) {
    world.lists(2).await;
    assert!(world.operator().stop(), "it stops with success");
    let mark = Mark::now();
    world.start_operator();
    world.lists(3).await;
    let of_secrets =
        |request: &Request| request.is_write() || (request.resource == "secrets" && request.verb == "get");
    let requests = world.requests_since(mark).into_iter().filter(of_secrets).collect::<Vec<_>>();
    assert_eq!(texts(&requests), Vec::<String>::new());
}

async fn warnings(world: &World, reason: &str) -> Vec<String> {
    let params = ListParams::default().fields(&format!("type=Warning,reason={reason}"));
    let events = world.api::<Event>().list(&params).await.expect("the events can be listed");
    events.items.into_iter().filter_map(|event| event.message).collect()
}

async fn lost(world: &World, name: &str) -> WebhookEndpoint {
    world.condition(name, "Ready", "False", "SecretLost").await
}
