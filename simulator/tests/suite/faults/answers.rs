//! Faults of the answer: cut off, too large, of another status, with odd fields and pages.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::{Effect, EndpointId, Fault, FaultKind, NewEndpoint, Operation, RetryAfter};

use super::{URL, create_with, last_entry};
use crate::support::{Client, NETWORK, start};

/// Tells whether an endpoint is as odd as was asked for.
type IsOdd = fn(&Value) -> bool;

#[tokio::test]
async fn a_truncated_body_breaks_off_after_the_effect() {
    let simulator = start().await;
    simulator.inject(Fault::on(Operation::Create, FaultKind::Truncate));
    let client = Client::new(&simulator);
    let body = json!({ "url": URL, "enabledEvents": ["ocpp.message"] });
    let mut response = client.send(Method::POST, "/webhook-endpoints", Some(body)).await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let length = usize::try_from(response.content_length().unwrap()).unwrap();
    let mut received = 0;
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received += chunk.len(),
            Ok(None) => panic!("the body ended properly after {received} of {length} bytes"),
            Err(error) => break error,
        }
    };
    assert!(0 < received && received < length, "{received} of {length}: {error:?}");
    assert_eq!(simulator.endpoints(NETWORK).len(), 1);
}

#[tokio::test]
async fn truncating_an_answer_without_body_resets() {
    let simulator = start().await;
    let id = simulator.insert(NETWORK, NewEndpoint::new(URL));
    simulator.inject(Fault::on(Operation::Delete, FaultKind::Truncate));
    assert!(Client::new(&simulator).delete(id.as_str()).await.is_err());
    assert!(simulator.endpoint(&id).is_none());
}

#[tokio::test]
async fn invalid_json_comes_with_the_right_status() {
    let simulator = start().await;
    let (answer, created) = create_with(&simulator, FaultKind::InvalidJson).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status, created), (StatusCode::CREATED, 1));
    assert!(serde_json::from_str::<Value>(&answer.text).is_err());
}

#[tokio::test]
async fn an_oversized_body_is_as_large_as_asked() {
    let simulator = start().await;
    let bytes = 5_000_001;
    let (answer, _) = create_with(&simulator, FaultKind::Oversize { bytes }).await;
    let answer = answer.unwrap();
    assert_eq!(answer.text.len() as u64, bytes);
    assert_eq!(answer.id(), simulator.endpoints(NETWORK)[0].id);
}

#[tokio::test]
async fn a_terabyte_is_streamed_and_not_held() {
    let simulator = start().await;
    simulator.inject(Fault::on(Operation::List, FaultKind::Oversize { bytes: 1 << 40 }));
    let client = Client::new(&simulator);
    let mut response = client.send(Method::GET, "/webhook-endpoints", None).await.unwrap();
    let mut received = 0;
    while received < 50_000_000 {
        received += response.chunk().await.unwrap().unwrap().len();
    }
    drop(response);
    assert_eq!(client.list("").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn any_status_with_any_body_with_or_without_the_effect() {
    let simulator = start().await;
    for status in [400, 403, 404, 408, 409, 418, 500, 502, 503, 504, 599] {
        let (answer, created) = create_with(&simulator, FaultKind::status(status, "<p>no</p>")).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text.as_str(), created), (status, "<p>no</p>", 0));
        assert_eq!(last_entry(&simulator), (Some(status), Effect::None, Some("answer")));

        let (answer, created) = create_with(&simulator, FaultKind::status_after_effect(status, "")).await;
        assert_eq!((answer.unwrap().status.as_u16(), created), (status, 1));
        assert_eq!(last_entry(&simulator), (Some(status), Effect::Applied, Some("answer")));
    }
    let ledger = simulator.ledger();
    assert_eq!(ledger.created(URL).len(), 11, "creates behind an error are still found by their URL");
}

#[tokio::test]
async fn a_redirect_names_its_location() {
    let simulator = start().await;
    let (answer, created) =
        create_with(&simulator, FaultKind::redirect(307, "https://elsewhere.example/")).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status, created), (StatusCode::TEMPORARY_REDIRECT, 0));
    assert_eq!(answer.headers["location"], "https://elsewhere.example/");
}

#[tokio::test]
async fn a_rate_limit_may_say_how_long() {
    let simulator = start().await;
    let mut retry_after = Vec::new();
    for value in [None, Some(RetryAfter::Seconds(7)), Some(RetryAfter::Date(90))] {
        let (answer, created) = create_with(&simulator, FaultKind::RateLimit { retry_after: value }).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, created), (StatusCode::TOO_MANY_REQUESTS, 0));
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        retry_after.push((header("retry-after"), header("date").unwrap()));
    }
    assert_eq!(retry_after[0].0, None);
    assert_eq!(retry_after[1].0.as_deref(), Some("7"));
    let time = |text: &str| jiff::fmt::rfc2822::parse(text).unwrap().timestamp().as_second();
    let (date, now) = (retry_after[2].0.as_ref().unwrap(), &retry_after[2].1);
    assert_eq!(time(date) - time(now), 90);
}

#[tokio::test]
async fn answers_may_have_odd_fields() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let (answer, _) = create_with(&simulator, FaultKind::without_secret()).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.json()["data"].get("secret")), (StatusCode::CREATED, None));
    assert!(simulator.secret_of(&answer.id()).is_some());
    simulator.insert(NETWORK, NewEndpoint::new(URL));

    let table: [(FaultKind, IsOdd); 4] = [
        (FaultKind::extra_fields(), |item| item["metadata"]["team"] == "charging"),
        (FaultKind::unknown_enum_values(), |item| {
            item["status"] == "suspended" && item["enabledEvents"] == json!(["asset.firmware"])
        }),
        (FaultKind::without_created_at(), |item| item.get("createdAt").is_none()),
        (FaultKind::AlterEndpoint { patch: json!({ "id": 7 }) }, |item| item["id"] == 7),
    ];
    for (kind, odd) in table {
        simulator.inject(Fault::on(Operation::List, kind.clone()));
        let page = client.list("").await.unwrap().json();
        let items = page["data"]["items"].as_array().unwrap();
        assert!(items.len() == 2 && items.iter().all(odd), "{kind:?}: {page}");
    }
    simulator.inject(Fault::on(Operation::List, FaultKind::AlterBody { patch: json!({ "data": null }) }));
    assert_eq!(client.list("").await.unwrap().json(), json!({}));
    assert!(simulator.endpoints(NETWORK).iter().all(|endpoint| endpoint.created_at.is_some()));
}

#[tokio::test]
async fn edits_last_and_may_be_odd() {
    let simulator = start().await;
    let id = simulator.insert(NETWORK, NewEndpoint::new(URL));
    simulator.edit(&id, |endpoint| {
        "degraded".clone_into(&mut endpoint.status);
        endpoint.created_at = None;
        endpoint.extra.insert("tier".into(), 3.into());
        endpoint.id = EndpointId::from("ignored");
    });
    let data = Client::new(&simulator).get(id.as_str()).await.unwrap().json()["data"].clone();
    assert_eq!(
        (&data["status"], &data["tier"], data.get("createdAt")),
        (&json!("degraded"), &json!(3), None)
    );
    assert_eq!(data["id"], id.as_str());
}

#[tokio::test]
async fn pages_overlap_or_leave_gaps() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let insert = |n| simulator.insert(NETWORK, NewEndpoint::new(format!("https://example.com/{n}")));
    let ids: Vec<_> = (0..6).map(insert).map(|id| id.to_string()).collect();

    simulator.inject(Fault::on(Operation::List, FaultKind::RepeatItems { count: 1 }));
    let (listed, pages) = client.list_all(3).await;
    assert_eq!(pages, 3, "the first page has no cursor and thus nothing to repeat");
    assert_eq!(listed, [&ids[..3], &ids[2..5], &ids[5..]].concat());

    simulator.inject(Fault::on(Operation::List, FaultKind::SkipItems { count: 1 }).after(1));
    let (listed, _) = client.list_all(3).await;
    assert_eq!(listed, [&ids[..3], &ids[4..]].concat());
}
