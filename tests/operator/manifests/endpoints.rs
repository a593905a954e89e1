//! Bad `WebhookEndpoint`s.

use serde_json::{Map, Value, json};
use testkit::World;
use webhook_operator::resources::WebhookEndpoint;

use super::{ABSURD, apply, check_refused};

const ABSOLUTE: &str = "url must be an absolute http or https URL, e.g. https://hooks.example.com/charging";
const NAME: &str = "must consist of lower-case letters, digits, '-' and '.', and begin and end with a letter or a \
                    digit, e.g. charge-events";
const DURATION: &str = "a duration is written in h, m, s and ms, largest first, e.g. 2160h, 1h30m or 90s, and is at \
                        most 87600h, which is ten years";

#[tokio::test(flavor = "multi_thread")]
async fn bad_endpoints_are_refused() {
    let world = World::without_network("bad-endpoints").await;
    let bad = |spec: Value| world.manifest("bad", spec);
    let labels = |count: usize| -> Map<String, Value> {
        (0..count).map(|number| (format!("label-{number}"), json!("x"))).collect()
    };
    check_refused(
        &world,
        [
            (bad(json!({ "url": "ftp://hooks.example.com/x" })), ABSOLUTE),
            (bad(json!({ "url": "/charging" })), ABSOLUTE),
            (bad(json!({ "url": "hooks.example.com/charging" })), ABSOLUTE),
            (bad(json!({ "url": "https:///charging" })), ABSOLUTE),
            (
                bad(json!({ "url": "https://user:password@hooks.example.com/" })),
                "url must not contain a user or password (user:password@): receivers verify the signature instead",
            ),
            (
                bad(json!({ "url": "https://user@hooks.example.com/" })),
                "url must not contain a user or password (user:password@): receivers verify the signature instead",
            ),
            (
                bad(json!({ "url": "https://hooks.example.com/#charging" })),
                "url must not contain a fragment (#...): it would never be sent; remove it",
            ),
            (
                bad(json!({ "url": "https://hooks.example.com/a b" })),
                "url must not contain white space: write %20 instead",
            ),
            (bad(json!({ "url": "https://hooks.example.com/x\n" })), "url must not contain white space"),
            (
                bad(json!({ "url": format!("https://hooks.example.com/{}", "x".repeat(2048)) })),
                "spec.url: Too long: may not be more than 2048 bytes",
            ),
            (
                bad(json!({ "url": "" })),
                "spec.url: Invalid value: \"\": spec.url in body should be at least 1 chars long",
            ),
            (without(bad(json!({})), "url"), "spec.url: Required value"),
            (without(bad(json!({})), "enabledEvents"), "spec.enabledEvents: Required value"),
            (bad(json!({ "enabledEvents": [] })), "spec.enabledEvents in body should have at least 1 items"),
            (bad(json!({ "enabledEvents": ["ocpp.message", "ocpp.message"] })), "duplicate entries for key"),
            (
                bad(json!({ "enabledEvents": ["ocpp.boot"] })),
                r#"spec.enabledEvents[0]: Unsupported value: "ocpp.boot": supported values: "ocpp.message", "asset.connectivity""#,
            ),
            (
                bad(json!({ "status": "paused" })),
                r#"spec.status: Unsupported value: "paused": supported values: "active", "inactive""#,
            ),
            (
                bad(json!({ "deletionPolicy": "Orphan" })),
                r#"spec.deletionPolicy: Unsupported value: "Orphan": supported values: "Delete", "Retain""#,
            ),
            (
                bad(json!({ "driftPolicy": "Ignore" })),
                r#"spec.driftPolicy: Unsupported value: "Ignore": supported values: "Correct", "Report""#,
            ),
            (
                bad(json!({ "adopt": { "endpointId": "" } })),
                "spec.adopt.endpointId in body should be at least 1 chars long",
            ),
            (bad(json!({ "paused": "yes" })), "expected boolean, got"),
            (bad(json!({ "colour": "red" })), ".spec.colour: field not declared in schema"),
            (bad(json!({ "secret": { "names": "x" } })), ".spec.secret.names: field not declared in schema"),
            (
                bad(json!({ "networkRef": { "kind": "Network" } })),
                r#"spec.networkRef.kind: Unsupported value: "Network": supported values: "ClusterWebhookNetwork", "WebhookNetwork""#,
            ),
            (bad(json!({ "networkRef": { "name": "My Network" } })), NAME),
            (bad(json!({ "secret": { "name": "Charge_Events" } })), NAME),
            (bad(json!({ "secret": { "name": "-charge-events" } })), NAME),
            (
                bad(json!({ "secret": { "labels": { "webhookoperator.dev/team": "x" } } })),
                "labels under webhookoperator.dev/ are the operator's own: choose another prefix",
            ),
            (
                bad(json!({ "secret": { "annotations": { "webhookoperator.dev/endpoint-id": "x" } } })),
                "annotations under webhookoperator.dev/ are the operator's own: choose another prefix",
            ),
            (
                bad(json!({ "secret": { "labels": { "my team": "x" } } })),
                "a label's key must be a qualified name, e.g. team or example.com/team",
            ),
            (
                bad(json!({ "secret": { "labels": { "team": "not a value" } } })),
                "a label's value has at most 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or \
                 a digit; longer or other texts fit in annotations",
            ),
            (
                bad(json!({ "secret": { "annotations": { "a/b/c": "x" } } })),
                "an annotation's key must be a qualified name, e.g. team or example.com/team",
            ),
            (bad(json!({ "secret": { "labels": labels(33) } })), "must have at most 32 items"),
            (bad(json!({ "rotation": { "interval": "90 days" } })), DURATION),
            (bad(json!({ "rotation": { "retireAfter": "4d" } })), DURATION),
            (bad(json!({ "rotation": { "activateAfter": "30" } })), DURATION),
            (bad(json!({ "rotation": { "interval": "1.5h" } })), DURATION),
            (bad(json!({ "rotation": { "interval": "0s" } })), "interval must be at least 10s, e.g. 2160h"),
        ],
    );
    assert_eq!(world.all::<WebhookEndpoint>().await.len(), 0, "nothing of it was stored");
}

/// It was admitted, and ended the operator as soon as that read it.
#[tokio::test(flavor = "multi_thread")]
async fn case_01_an_absurd_duration_of_an_endpoint_is_refused() {
    let world = World::without_network("absurd-durations").await;
    let rows = ["interval", "activateAfter", "retireAfter"].iter().flat_map(|field| {
        ABSURD.map(|text| (world.manifest("bad", json!({ "rotation": { *field: text } })), DURATION))
    });
    check_refused(&world, rows);
    assert_eq!(world.all::<WebhookEndpoint>().await.len(), 0, "nothing of it was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_of_an_endpoint_stays() {
    let world = World::without_network("bad-updates").await;
    assert_eq!(apply(&world, &world.manifest("moving", json!({}))), Ok(()));
    let message = "networkRef can't be changed: create a second WebhookEndpoint with the other network, then delete this one";
    check_refused(
        &world,
        [
            (world.manifest("moving", json!({ "networkRef": { "name": "another" } })), message),
            (world.manifest("moving", json!({ "networkRef": { "kind": "WebhookNetwork" } })), message),
            (without(world.manifest("moving", json!({})), "networkRef"), message),
        ],
    );
}

/// Otherwise the tables above would not show that it is the one thing wrong that is refused.
#[tokio::test(flavor = "multi_thread")]
async fn unusual_endpoints_are_accepted() {
    let world = World::without_network("good-endpoints").await;
    let long = format!("https://hooks.example.com/{}", "x".repeat(2048 - 26));
    for (number, spec) in [
        json!({ "url": long }),
        json!({ "url": "http://hooks.example.com" }),
        json!({ "url": "https://hooks.example.com:8443/a?b=c&d=@e" }),
        json!({ "url": "https://[2001:db8::1]/x" }),
        json!({ "url": "https://xn--bcher-kva.example/x" }),
        json!({ "secret": { "name": null, "labels": { "example.com/team": "" } } }),
        json!({ "secret": { "name": "a.b-c.d" } }),
        json!({ "rotation": { "interval": "2160h", "activateAfter": "1m30s", "retireAfter": "500ms" } }),
        json!({ "rotation": { "interval": null, "activateAfter": "0s", "retireAfter": "0ms" } }),
        json!({ "rotation": { "interval": "87600h", "activateAfter": "5256000m", "retireAfter": "315360000s" } }),
        json!({ "rotation": { "interval": "87599h59m59s1000ms", "retireAfter": "315360000000ms" } }),
        json!({ "adopt": { "endpointId": "wh_1" }, "paused": true, "deletionPolicy": "Retain", "driftPolicy": "Report" }),
    ]
    .into_iter()
    .enumerate()
    {
        let manifest = world.manifest(&format!("good-{number}"), spec);
        assert_eq!(apply(&world, &manifest), Ok(()), "{}", manifest["spec"]);
    }
    assert_eq!(world.all::<WebhookEndpoint>().await.len(), 12, "each can be read");
}

fn without(mut manifest: Value, field: &str) -> Value {
    let spec = manifest["spec"].as_object_mut().expect("a spec");
    spec.remove(field);
    manifest
}
