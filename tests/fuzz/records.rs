//! What is on record of a resource, as it may come back from a backup or another hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use webhook_operator::index::{Access, Api, Claim, Clocks, Entry, Index, NetworkKey, Resource, Waits};
use webhook_operator::planning::{Attempt, Step, plan, report};
use webhook_operator::provider::{Endpoint, EndpointStatus, EventType};
use webhook_operator::resources::{
    ATTEMPT_ANNOTATION, ENDPOINT_ID_ANNOTATION, FINALIZER, PREVIOUS_ENDPOINT_ID_ANNOTATION,
    ROTATE_ANNOTATION, SECRET_ATTEMPT_ANNOTATION, WebhookEndpoint, WebhookEndpointStatus,
};

use crate::json::garbled;

const NOW: i64 = 1_780_000_000;

/// A resource as the operator leaves it, but for its spec.
fn recorded() -> Value {
    let condition = |kind, status| {
        json!({
            "type": kind, "status": status, "reason": "Available", "message": "", "observedGeneration": 2,
            "lastTransitionTime": "2026-05-28T20:00:00Z",
        })
    };
    json!({
        "metadata": {
            "namespace": "billing", "name": "hook", "uid": "uid", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-05-28T20:00:00Z", "finalizers": [FINALIZER],
        },
        "status": {
            "observedGeneration": 2, "appliedGeneration": 1, "resolvedAttempt": 3,
            "conditions": [condition("Ready", "True"), condition("Synced", "False")],
            "endpoint": {
                "id": "wh_1", "networkId": "n_1", "url": "https://hooks.example.com/a", "status": "active",
                "enabledEvents": ["ocpp.message"], "createdAt": "2026-05-28T20:00:00Z",
            },
            "secret": { "name": "hook", "endpointId": "wh_1", "storedAt": "2026-05-28T20:00:00Z" },
            "replacement": {
                "id": "wh_2", "url": "https://hooks.example.com/b", "requestedUrl": "https://hooks.example.com/B",
                "since": "2026-05-28T20:20:00Z", "takesOverAt": "2026-05-28T20:22:00Z",
            },
            "retiring": [
                { "id": "wh_3", "since": "2026-05-28T20:00:00Z", "until": "2026-06-01T20:00:00Z" },
            ],
            "handledRotation": "first",
        },
    })
}

fn attempt() -> Value {
    json!({
        "uid": "uid", "number": 4, "since": "2026-05-28T20:20:00Z", "startedAt": "2026-05-28T20:26:00Z",
        "posts": 2, "url": "https://hooks.example.com/a", "enabledEvents": ["ocpp.message"], "status": "active",
        "known": ["wh_9"], "purpose": "requested", "request": "second",
    })
}

fn resource(made_up: &mut Unstructured<'_>) -> Result<Option<Resource>> {
    let mut object = garbled(made_up, &recorded())?;
    if !object.is_object() {
        return Ok(None);
    }
    object["apiVersion"] = json!("webhookoperator.dev/v1alpha1");
    object["kind"] = json!("WebhookEndpoint");
    let adopt = json!({ "endpointId": "wh_4", "secretRef": { "name": "by-hand", "key": "secret" } });
    object["spec"] = json!({
        "url": made_up.choose(&["https://hooks.example.com/a", "https://hooks.example.com/b"])?,
        "enabledEvents": ["ocpp.message"],
        "rotation": garbled(made_up, &json!({
            "interval": "2160h", "activateAfter": "2m", "retireAfter": "96h", "overlap": "None",
        }))?,
        "adopt": if made_up.ratio(1, 4)? { adopt } else { Value::Null },
        "paused": made_up.ratio(1, 8)?,
        "driftPolicy": made_up.choose(&["Correct", "Report"])?,
        "deletionPolicy": made_up.choose(&["Delete", "Retain"])?,
    });
    if object["metadata"].is_object() {
        object["metadata"]["name"] = json!("hook");
        object["metadata"]["namespace"] = json!("billing");
        object["metadata"]["annotations"] = json!({
            ATTEMPT_ANNOTATION: garbled(made_up, &attempt())?.to_string(),
            ROTATE_ANNOTATION: made_up.choose(&["first", "second"])?,
        });
        if made_up.ratio(1, 4)? {
            object["metadata"]["deletionTimestamp"] = json!("2026-05-28T20:26:00Z");
        }
    }
    Ok(serde_json::from_value::<WebhookEndpoint>(object).ok().as_ref().map(Resource::of))
}

fn secret(made_up: &mut Unstructured<'_>) -> Result<Option<ObjectMeta>> {
    let owner = json!({
        "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "name": "hook", "uid": "uid",
        "controller": true,
    });
    let meta = json!({
        "namespace": "billing", "resourceVersion": "9", "uid": "secret", "ownerReferences": [owner],
        "annotations": {
            ENDPOINT_ID_ANNOTATION: made_up.choose(&["wh_1", "wh_2"])?, SECRET_ATTEMPT_ANNOTATION: "3",
            PREVIOUS_ENDPOINT_ID_ANNOTATION: made_up.choose(&["wh_1", "wh_3", "wh_1,wh_3"])?,
        },
    });
    let mut meta = garbled(made_up, &meta)?;
    if meta.is_object() {
        meta["name"] = json!(made_up.choose(&["hook", "former"])?);
    }
    Ok(serde_json::from_value(meta).ok())
}

fn listed(made_up: &mut Unstructured<'_>) -> Result<Vec<Endpoint>> {
    let mut endpoints = Vec::new();
    for _ in 0..made_up.int_in_range(0..=3)? {
        let created = made_up.choose(&[None, Some(0), Some(-60), Some(-500), Some(60)])?;
        endpoints.push(Endpoint {
            id: (*made_up.choose(&["wh_1", "wh_2", "wh_3", "wh_4"])?).into(),
            network_id: made_up.choose(&[None, Some("n_1".into()), Some("n_2".into())])?.clone(),
            url: (*made_up.choose(&["https://hooks.example.com/a", "https://hooks.example.com/b"])?).into(),
            enabled_events: [EventType::OcppMessage].into(),
            status: made_up.choose(&[EndpointStatus::Active, EndpointStatus::Inactive])?.clone(),
            created_at: created.map(|seconds| Timestamp::from_second(NOW + seconds).unwrap()),
        });
    }
    Ok(endpoints)
}

fn network() -> Entry<()> {
    Entry {
        access: Access::default(),
        api: Api::At(Arc::from("https://api.example.com")),
        fingerprint: "a".to_owned(),
        timeout: Duration::from_secs(10),
        claim: Claim::default(),
        handle: Ok(()),
    }
}

/// Takes it all in, and plans and reports once.
fn reconcile(made_up: &mut Unstructured<'_>) -> Result<()> {
    let Some(resource) = resource(made_up)? else { return Ok(()) };
    let mut index = Index::<()>::default();
    let (key, networked) = (resource.key.clone(), NetworkKey::cluster("default"));
    let _ = index.see(resource);
    index.put_network(&networked, network());
    for _ in 0..2 {
        if let Some(secret) = secret(made_up)? {
            index.see_secret(&secret);
        }
    }
    let now = Timestamp::from_second(NOW).unwrap();
    if made_up.ratio(3, 4)?
        && let Some(incarnation) = index.incarnation(&networked)
        && let Some(token) = index.begin_list(&networked, incarnation, now)
    {
        index.end_list(&networked, token, listed(made_up)?);
    }
    let clocks = Clocks { api: now, cluster: now, monotonic: Instant::now() };
    let waits = Waits { settle: Duration::from_mins(1), recovery: Duration::from_mins(1) };
    let Some((resource, observed)) = index.observe(&key, clocks, waits) else {
        return Ok(());
    };
    match plan(&resource.intent, &observed, now) {
        Step::End(outcome) => {
            let _ = report(&resource.intent, &outcome, &observed, clocks.api);
        }
        Step::Act(_) => {}
    }
    Ok(())
}

#[test]
fn fuzz_what_is_on_record() {
    let status = recorded()["status"].clone();
    let read = serde_json::from_value::<WebhookEndpointStatus>(status.clone()).expect("the example is one");
    assert_eq!(serde_json::to_value(read).unwrap(), status, "all of it is read");
    serde_json::from_value::<Attempt>(attempt()).expect("the example is one");
    crate::fuzz(bolero::check!(), |made_up| {
        // What was made up may not suffice.
        let _ = reconcile(made_up);
    });
}
