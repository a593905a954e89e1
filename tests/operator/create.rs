//! A manifest becomes a remote endpoint and a Secret.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;
use simulator::Operation;
use testkit::audit::Mark;
use testkit::{World, condition, endpoint_id, texts};

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_becomes_an_endpoint_and_a_secret() {
    let world = World::new("create").await;
    let spec = json!({
        "enabledEvents": ["asset.connectivity", "ocpp.message"],
        "status": "inactive",
        "secret": { "labels": { "team": "billing" }, "annotations": { "example.com/note": "for the receiver" } },
    });
    let resource = world.ready_endpoint("charge-events", spec).await;

    let remote = world.check_secret(&resource, "charge-events").await;
    assert_eq!(remote.url, "https://hooks.example.com/charge-events");
    assert_eq!(remote.status, "inactive");
    let mut events = remote.enabled_events.clone();
    events.sort_unstable();
    assert_eq!(events, ["asset.connectivity", "ocpp.message"]);
    assert_eq!(world.simulator.ledger().count(Operation::Create), 1);

    let status = resource.status.as_ref().expect("a status");
    assert_eq!(status.observed_generation, resource.metadata.generation);
    let seen = status.endpoint.as_ref().expect("the endpoint as last seen");
    assert_eq!(seen.network_id.as_deref(), Some("n_1"));
    assert_eq!((seen.url.as_str(), seen.status.as_str()), (remote.url.as_str(), "inactive"));
    assert_eq!(status.secret.as_ref().map(|stored| stored.name.as_str()), Some("charge-events"));

    let secret = world.api::<Secret>().get("charge-events").await.expect("the Secret");
    assert_eq!(secret.type_.as_deref(), Some("webhookoperator.dev/signing-secret"));
    assert_eq!(secret.labels()["team"], "billing");
    assert_eq!(secret.labels()["app.kubernetes.io/managed-by"], "webhook-operator");
    assert_eq!(secret.annotations()["example.com/note"], "for the receiver");
    let owner = &secret.owner_references()[0];
    assert_eq!(Some(&owner.uid), resource.metadata.uid.as_ref());
    assert_eq!(owner.controller, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_understands_the_conditions() {
    let world = World::new("conditions").await;
    world.endpoint("charge-events", json!({})).await;
    world.kubectl_says(&["wait", "--for=condition=Ready", "--timeout=60s", "whe/charge-events"]);

    // Abnormal conditions are absent while all is well, and the generation is the latest.
    let resource = world.ready("charge-events").await;
    for kind in ["Reconciling", "Stalled"] {
        assert_eq!(condition(&resource, kind), None, "{kind}");
    }
    let synced = condition(&resource, "Synced").expect("a condition Synced");
    assert_eq!((synced.status.as_str(), synced.observed_generation), ("True", resource.metadata.generation));

    let spec = json!({ "url": "https://hooks.example.com/b", "rotation": { "activateAfter": "1h" } });
    let changed = world.change("charge-events", json!({ "spec": spec })).await;
    let replaced = world.condition("charge-events", "Reconciling", "True", "Replacing").await;
    assert_eq!(
        replaced.status.as_ref().and_then(|status| status.observed_generation),
        changed.metadata.generation
    );
    let ready = condition(&replaced, "Ready").expect("a condition Ready");
    assert_eq!((ready.status.as_str(), ready.observed_generation), ("False", changed.metadata.generation));
    assert_eq!(condition(&replaced, "Stalled"), None);

    let table = world.kubectl_says(&["get", "whe", "-o", "wide"]);
    let columns: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(
        columns,
        ["NAME", "URL", "READY", "REASON", "ENDPOINT", "EVENTS", "NETWORK", "MESSAGE", "AGE"],
        "{table}"
    );
    let id = endpoint_id(&replaced);
    for word in ["https://hooks.example.com/b", "False", "Replacing", id.as_str()] {
        assert!(table.contains(word), "{word} in {table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_is_told_in_one_event_that_helps() {
    let world = World::new("events").await;
    let mark = Mark::now();
    let resource = world.ready_endpoint("charge-events", json!({})).await;
    world.lists(2).await;

    let id = endpoint_id(&resource);
    let told = world.kubectl_says(&["get", "events", "--no-headers"]);
    let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert_eq!(lines[0][1..4], ["Normal", "Created", "webhookendpoint/charge-events"], "{told}");
    assert_eq!(
        lines[0][4..].join(" "),
        format!(r#"created endpoint {id} and stored its secret in Secret "charge-events""#)
    );
    let mut requests = world.requests_since(mark);
    requests.retain(|request| request.resource == "events");
    assert_eq!(texts(&requests), ["create events"], "and it was written once");
}
