use http::StatusCode;
use interposer::{Collection, Expiry};
use serde_json::json;

use crate::{ALL_HOOKS, Scene, soon};

const SECRETS: &str = "/api/v1/secrets?watch=1&resourceVersion=5";

fn event(kind: &str, name: &str) -> String {
    format!("{}\n", json!({"type": kind, "object": {"metadata": {"name": name}}}))
}

#[tokio::test]
async fn chosen_events_are_lost_however_they_are_cut() {
    let scene = Scene::http().await;
    let dropped = scene.interposer.drop_watch_events(|event| {
        event.watched.resource == "webhookendpoints" && event.kind == "DELETED" && event.name() == "x"
    });
    let client = scene.client();
    let mut hooks = client.watch(&format!("{ALL_HOOKS}?watch=1")).await;
    let mut secrets = client.watch(SECRETS).await;
    let stream = [event("ADDED", "x"), event("DELETED", "x"), event("DELETED", "y")].concat();
    let (one, two) = stream.split_at(70);
    scene.server.send(0, one.to_owned());
    scene.server.send(0, two.to_owned());
    scene.server.send(1, event("DELETED", "x"));
    for expected in [event("ADDED", "x"), event("DELETED", "y")] {
        assert_eq!(hooks.next().await.unwrap().unwrap(), expected);
    }
    assert_eq!(secrets.next().await.unwrap().unwrap(), event("DELETED", "x"));
    soon(dropped.until(1)).await;

    dropped.stop();
    scene.server.send(0, event("DELETED", "x"));
    assert_eq!(hooks.next().await.unwrap().unwrap(), event("DELETED", "x"));
    assert_eq!(dropped.count(), 1);
}

#[tokio::test]
async fn watches_expire_in_both_forms() {
    let scene = Scene::http().await;
    let client = scene.client();
    let hooks = format!("{ALL_HOOKS}?watch=1&resourceVersion=5");
    for expiry in [Expiry::Response, Expiry::Event] {
        let (mut open, mut secrets) = (client.watch(&hooks).await, client.watch(SECRETS).await);
        assert_eq!(scene.interposer.expire_watches(Collection::all(), expiry), 2);
        assert!(open.next().await.is_none());
        assert!(secrets.next().await.is_none());

        // These start with the present state, so they cannot be too late.
        for start in ["watch=1", "watch=1&resourceVersion=0"] {
            let asked = scene.server.lines().len();
            client.watch(&format!("{ALL_HOOKS}?{start}")).await;
            assert_eq!(scene.server.lines().len(), asked + 1, "{start}");
        }
        for path in [hooks.as_str(), SECRETS] {
            let mut expired = client.watch(path).await;
            let status = match expiry {
                Expiry::Response => {
                    assert_eq!(expired.status, StatusCode::GONE);
                    expired.event().await
                }
                Expiry::Event => {
                    assert_eq!(expired.status, StatusCode::OK);
                    let event = expired.event().await;
                    assert_eq!(event["type"], "ERROR");
                    event["object"].clone()
                }
            };
            assert_eq!((&status["code"], &status["reason"]), (&json!(410), &json!("Expired")));
            assert!(expired.next().await.is_none());
        }
        let asked = scene.server.lines().len();
        client.watch(&hooks).await;
        assert_eq!(scene.server.lines().len(), asked + 1);
    }
    let of_secrets = Collection::of("", "secrets").in_namespace("a");
    assert_eq!(scene.interposer.expire_watches(of_secrets, Expiry::Response), 0);
    assert_eq!(client.watch(SECRETS).await.status, StatusCode::OK);
    let in_namespace = client.watch("/api/v1/namespaces/a/secrets?watch=1&resourceVersion=5").await;
    assert_eq!(in_namespace.status, StatusCode::GONE);
}
