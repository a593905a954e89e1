//! What is told in passing.

use k8s_openapi::api::events::v1::Event;
use serde_json::json;
use testkit::{World, endpoint_id, eventually};
use webhook_operator::resources::WebhookEndpoint;

/// The notes of a resource's Events of this reason, once there are so many.
async fn notes(world: &World, name: &str, reason: &str, count: usize) -> Vec<String> {
    eventually(&format!("{count} Events {reason} of {name}"), async || {
        let events = world.all::<Event>().await.into_iter().filter(|event| {
            let regarding = event.regarding.as_ref().and_then(|object| object.name.as_deref());
            event.reason.as_deref() == Some(reason) && regarding == Some(name)
        });
        let notes = events.filter_map(|event| event.note).collect::<Vec<_>>();
        (notes.len() >= count).then_some(notes)
    })
    .await
}

/// The type of the first Event of a resource of this reason, once there is one.
pub(crate) async fn told(world: &World, name: &str, reason: &str) -> String {
    eventually(&format!("an Event {reason} of {name}"), async || {
        let mut events = world.all::<Event>().await.into_iter().filter(|event| {
            let regarding = event.regarding.as_ref().and_then(|object| object.name.as_deref());
            event.reason.as_deref() == Some(reason) && regarding == Some(name)
        });
        events.next().and_then(|event| event.type_)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn case_16_two_events_of_one_reason_show_an_id_each() {
    let world = World::new("two-events").await;
    let first = endpoint_id(&world.ready_endpoint("hook", json!({})).await);
    let another = async |than: &str| {
        let other = |resource: Option<&WebhookEndpoint>| {
            let endpoint = resource.and_then(|resource| resource.status.as_ref()?.endpoint.as_ref());
            endpoint.is_some_and(|endpoint| endpoint.id != than)
        };
        endpoint_id(&world.until("hook", "given another endpoint", other).await.expect("it exists"))
    };
    world.simulator.delete(&first);
    let second = another(first.as_str()).await;
    world.simulator.delete(&second);
    another(second.as_str()).await;
    let notes = notes(&world, "hook", "DeletedRemotely", 2).await;
    for id in [&first, &second] {
        assert!(notes.iter().any(|note| note.contains(id.as_str())), "{id} in {notes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_16_a_resource_with_the_longest_name_has_events() {
    let world = World::new("long-name").await;
    let name = format!("{0}.{0}.{0}.{1}", "n".repeat(63), "n".repeat(61));
    assert_eq!(name.len(), 253);
    world.ready_endpoint(&name, json!({ "url": "https://hooks.example.com/n" })).await;
    assert_eq!(notes(&world, &name, "Created", 1).await.len(), 1);
}
