use interposer::Collection;
use serde_json::Value;

use crate::{ALL_HOOKS, HOOKS, Scene};

fn hooks() -> Collection {
    Collection::of("g.dev", "webhookendpoints")
}

async fn first_item(scene: &Scene, path: &str) -> Value {
    scene.client().get(path).await.unwrap().json()["items"][0]["metadata"]["name"].clone()
}

#[tokio::test]
async fn an_old_list_is_served_until_it_is_released() {
    let scene = Scene::http().await;
    scene.interposer.serve_old_view(hooks(), "150");
    let any = format!("{ALL_HOOKS}?limit=5&resourceVersion=0&resourceVersionMatch=NotOlderThan");
    assert_eq!(first_item(&scene, &any).await, "as-of-150");
    assert_eq!(
        scene.server.lines().pop().unwrap(),
        format!("GET {ALL_HOOKS}?limit=5&resourceVersion=150&resourceVersionMatch=Exact")
    );
    let further = format!("{ALL_HOOKS}?limit=5&continue=abc");
    first_item(&scene, &further).await;
    assert_eq!(scene.server.lines().pop().unwrap(), format!("GET {further}"));
    assert_eq!(first_item(&scene, "/api/v1/secrets").await, "as-of-200");
    assert_eq!(first_item(&scene, &format!("{HOOKS}/x")).await, "as-of-200");

    scene.interposer.release_view(&hooks());
    assert_eq!(first_item(&scene, ALL_HOOKS).await, "as-of-200");
}

#[tokio::test]
async fn watches_of_an_old_view_deliver_nothing_until_it_is_released() {
    let scene = Scene::http().await;
    let client = scene.client();
    let mut open = client.watch(&format!("{ALL_HOOKS}?watch=1&resourceVersion=140")).await;
    scene.interposer.serve_old_view(hooks(), "150");
    let mut fresh = client.watch(&format!("{ALL_HOOKS}?watch=1&resourceVersion=150")).await;
    scene.server.send(0, "{\"type\":\"MODIFIED\"}\n");
    // By the time this answer is here, the event would be.
    let mut other = client.watch("/api/v1/secrets?watch=1").await;
    scene.server.send(1, "{\"type\":\"ADDED\"}\n");
    assert_eq!(other.event().await["type"], "ADDED");
    assert!(open.is_silent() && fresh.is_silent());

    scene.interposer.release_view(&hooks());
    assert_eq!(open.event().await["type"], "MODIFIED");
    scene.server.until_asked(3).await;
    assert_eq!(scene.server.lines().pop().unwrap(), format!("GET {ALL_HOOKS}?watch=1&resourceVersion=150"));
    scene.server.send(2, "{\"type\":\"DELETED\"}\n");
    assert_eq!(fresh.event().await["type"], "DELETED");
}
