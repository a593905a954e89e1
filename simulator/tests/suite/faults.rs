//! Each fault does what it says, to whom it says, and how often.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::{
    Effect, EndpointId, Fault, FaultKind, Hold, NewEndpoint, Operation, Point, RetryAfter, Simulator,
};

use crate::support::{Answer, BOUND, Client, NETWORK, start, token};

const URL: &str = "https://example.com/hook";

/// Tells whether an endpoint is as odd as was asked for.
type IsOdd = fn(&Value) -> bool;

/// Injects a fault for the next create, creates, and tells what the client and the network got.
async fn create_with(simulator: &Simulator, kind: FaultKind) -> (reqwest::Result<Answer>, usize) {
    simulator.inject(Fault::on(Operation::Create, kind));
    let before = simulator.endpoints(NETWORK).len();
    let answer = Client::new(simulator).create(URL).await;
    (answer, simulator.endpoints(NETWORK).len() - before)
}

fn last_entry(simulator: &Simulator) -> (Option<u16>, Effect, Option<&'static str>) {
    let ledger = simulator.ledger();
    let entry = ledger.entries().last().unwrap();
    assert_eq!((entry.operation, entry.url.as_deref()), (Operation::Create, Some(URL)));
    assert_eq!(entry.network, Some(NETWORK.into()));
    (entry.status, entry.effect, entry.fault)
}

#[tokio::test]
async fn a_reset_leaves_no_answer_before_or_after_the_effect() {
    let simulator = start().await;
    for (kind, made, effect, name) in [
        (FaultKind::Refuse, 0, Effect::None, "refuse"),
        (FaultKind::Reset { point: Point::BeforeEffect }, 0, Effect::None, "reset-before-effect"),
        (FaultKind::Reset { point: Point::AfterEffect }, 1, Effect::Applied, "reset-after-effect"),
    ] {
        let (answer, created) = create_with(&simulator, kind).await;
        let error = answer.unwrap_err();
        assert!(caused_by(&error, std::io::ErrorKind::ConnectionReset), "{error:?}");
        assert_eq!(created, made, "{name}");
        assert_eq!(last_entry(&simulator), (None, effect, Some(name)));
    }
    assert!(Client::new(&simulator).create(URL).await.is_ok(), "each fault was for one call");
}

fn caused_by(error: &reqwest::Error, kind: std::io::ErrorKind) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == kind) {
            return true;
        }
        source = error.source();
    }
    false
}

#[tokio::test]
async fn a_refused_connection_never_becomes_a_call() {
    let simulator = start().await;
    simulator.inject(Fault::on_any(FaultKind::Refuse).after(1).times(2));
    let client = Client::new(&simulator);
    client.create(URL).await.unwrap();
    for _ in 0..2 {
        assert!(client.create(URL).await.is_err());
    }
    assert_eq!(simulator.view(|view| view.refused_connections()), 2);
    assert_eq!(client.create(URL).await.unwrap().status, StatusCode::CREATED);
    assert_eq!(simulator.ledger().entries().len(), 2);
}

#[tokio::test]
async fn a_connection_in_use_is_refused_at_its_next_call() {
    let simulator = start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = Client { http, ..Client::new(&simulator) };
    client.create(URL).await.unwrap();
    simulator.inject(Fault::on_any(FaultKind::Refuse));
    assert!(client.create(URL).await.is_err());
    assert_eq!(simulator.view(|view| view.refused_connections()), 0);
    assert_eq!(last_entry(&simulator), (None, Effect::None, Some("refuse")));
    assert_eq!(simulator.endpoints(NETWORK).len(), 1);
}

#[tokio::test]
async fn a_suspended_api_is_refused_by_the_machine() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    simulator.suspend().await.unwrap();
    let error = client.create(URL).await.unwrap_err();
    assert!(caused_by(&error, std::io::ErrorKind::ConnectionRefused), "{error:?}");
    simulator.resume().await.unwrap();
    assert_eq!(client.create(URL).await.unwrap().status, StatusCode::CREATED);
    assert_eq!(simulator.ledger().count(Operation::Create), 1);
}

#[tokio::test]
async fn suspending_cuts_calls_in_flight() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    simulator.inject(Fault::on(Operation::List, FaultKind::Hang { point: Point::BeforeEffect }));
    let call = tokio::spawn(async move { client.list("").await });
    simulator.wait_until(BOUND, |view| view.in_flight(Operation::List) == 1).await.unwrap();
    simulator.suspend().await.unwrap();
    assert!(call.await.unwrap().is_err());
    simulator.wait_until(BOUND, |view| view.in_flight(Operation::List) == 0).await.unwrap();
}

#[tokio::test]
async fn a_hanging_call_lasts_until_the_caller_leaves() {
    let simulator = start().await;
    for (point, made) in [(Point::BeforeEffect, 0), (Point::AfterEffect, 1)] {
        simulator.inject(Fault::on(Operation::Create, FaultKind::Hang { point }));
        let client = Client::new(&simulator);
        let call = tokio::spawn(async move { client.create(URL).await });
        simulator.wait_until(BOUND, |view| view.in_flight(Operation::Create) == 1).await.unwrap();
        let calls = 1 + made;
        simulator.wait_until(BOUND, |view| view.ledger().count(Operation::Create) == calls).await.unwrap();
        assert_eq!(simulator.endpoints(NETWORK).len(), made);
        assert!(!call.is_finished());
        call.abort();
        simulator.wait_until(BOUND, |view| view.in_flight(Operation::Create) == 0).await.unwrap();
    }
}

#[tokio::test]
async fn latency_delays_effect_and_answer() {
    let simulator = start().await;
    let started = Instant::now();
    let hold = Hold::For(Duration::from_millis(80));
    let (answer, created) = create_with(&simulator, FaultKind::Latency { hold }).await;
    assert!(started.elapsed() >= Duration::from_millis(80));
    assert_eq!((answer.unwrap().status, created), (StatusCode::CREATED, 1));
    assert_eq!(last_entry(&simulator), (Some(201), Effect::Applied, Some("latency")));
}

#[tokio::test]
async fn a_late_effect_comes_although_the_caller_left() {
    let simulator = start().await;
    simulator.inject(Fault::on(Operation::Create, FaultKind::Latency { hold: Hold::UntilReleased }));
    let client = Client::new(&simulator);
    let call = tokio::spawn(async move { client.create(URL).await });
    simulator.wait_until(BOUND, |view| view.in_flight(Operation::Create) == 1).await.unwrap();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert!(simulator.endpoints(NETWORK).is_empty());

    simulator.release();
    simulator.wait_until(BOUND, |view| view.ledger().effects(Operation::Create) == 1).await.unwrap();
    assert_eq!(simulator.endpoints(NETWORK).len(), 1);
}

#[tokio::test]
async fn a_deferred_effect_comes_after_the_connection_is_gone() {
    let simulator = start().await;
    let hold = Hold::UntilReleased;
    let (answer, created) = create_with(&simulator, FaultKind::Deferred { hold }).await;
    assert!(answer.is_err());
    assert_eq!(created, 0);
    assert_eq!(last_entry(&simulator), (None, Effect::Deferred, Some("deferred")));

    simulator.release();
    simulator.wait_until(BOUND, |view| view.all_endpoints().count() == 1).await.unwrap();
    let ledger = simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.effects(Operation::Create)), (1, 1));
    let [call, completion] = ledger.entries() else { panic!("{ledger:?}") };
    assert_eq!(completion.completes, Some(call.sequence));
    assert_eq!(ledger.created(URL), [simulator.endpoints(NETWORK)[0].id.clone()]);
}

#[tokio::test]
async fn a_slow_body_arrives_whole() {
    let simulator = start().await;
    let interval = Duration::from_millis(1);
    let started = Instant::now();
    let (answer, _) = create_with(&simulator, FaultKind::Drip { bytes: 4, interval }).await;
    let answer = answer.unwrap();
    assert_eq!(answer.id(), simulator.endpoints(NETWORK)[0].id);
    assert!(started.elapsed() >= interval * u32::try_from(answer.text.len() / 4).unwrap());
}

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

#[tokio::test]
async fn faults_strike_only_whom_they_name() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let other = simulator.insert(NETWORK, NewEndpoint::new("https://example.com/other"));
    let named = simulator.insert(NETWORK, NewEndpoint::new(URL));
    let status = |answer: reqwest::Result<Answer>| answer.unwrap().status.as_u16();
    let fault = || Fault::on_any(FaultKind::status(503, "")).until_cleared();

    simulator.inject(fault().url(URL));
    assert_eq!(status(client.get(other.as_str()).await), 200);
    assert_eq!(status(client.get(named.as_str()).await), 503);
    assert_eq!(status(client.create(URL).await), 503);
    assert_eq!(status(client.create("https://example.com/third").await), 201);
    assert_eq!(status(client.list("").await), 200);

    simulator.clear_faults();
    let id = simulator.inject(fault().id(&other));
    assert_eq!(status(client.get(other.as_str()).await), 503);
    assert_eq!(status(client.delete(named.as_str()).await), 204);
    assert!(simulator.clear_fault(id));
    assert_eq!(status(client.get(other.as_str()).await), 200);

    simulator.set_network(simulator::NetworkConfig::new("n_2").client("client-2", "s2").bearer_token("t2"));
    simulator.inject(fault().network("n_2"));
    assert_eq!(status(client.list("").await), 200);
    assert_eq!(status(Client::with_token(&simulator, "t2").list("").await), 503);
    assert_eq!(token(&simulator, "client-2", "s2").await.status.as_u16(), 503);
    assert_eq!(token(&simulator, "client-1", "client-1-secret").await.status.as_u16(), 200);
}

#[tokio::test]
async fn faults_strike_as_often_as_they_say() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let statuses = async |calls: usize| {
        let mut statuses = Vec::new();
        for _ in 0..calls {
            statuses.push(client.list("").await.unwrap().status.as_u16());
        }
        statuses
    };
    simulator.inject(Fault::on(Operation::List, FaultKind::status(500, "")).after(1).times(2));
    simulator.inject(Fault::on(Operation::List, FaultKind::status(503, "")).after(3));
    assert_eq!(statuses(5).await, [200, 500, 500, 503, 200]);

    simulator.inject(Fault::on(Operation::Create, FaultKind::status(500, "")));
    let waiting = simulator.inject(Fault::on(Operation::List, FaultKind::status(502, "")).until_cleared());
    assert_eq!(statuses(3).await, [502, 502, 502]);
    let met = simulator.view(|view| view.faults().map(|(id, _, met)| (id, met)).collect::<Vec<_>>());
    assert_eq!(met[1], (waiting, 3));
    assert_eq!(met[0].1, 0);
    simulator.clear_faults();
    assert_eq!(statuses(1).await, [200]);
}

#[tokio::test]
async fn the_token_endpoint_fails_too() {
    let simulator = start().await;
    simulator.inject(Fault::on(Operation::Token, FaultKind::status(500, "oops")));
    assert_eq!(token(&simulator, "client-1", "client-1-secret").await.status.as_u16(), 500);
    let patch = json!({ "expires_in": "soon" });
    simulator.inject(Fault::on(Operation::Token, FaultKind::AlterBody { patch }));
    let answer = token(&simulator, "client-1", "client-1-secret").await;
    assert_eq!(answer.json()["expires_in"], "soon");
}

#[test]
fn faults_are_written_as_json() {
    let table = [
        (
            json!({ "operation": "create", "kind": "reset", "point": "after-effect" }),
            Fault::on(Operation::Create, FaultKind::Reset { point: Point::AfterEffect }),
        ),
        (
            json!({ "kind": "latency", "hold": { "for": 250 }, "times": "until-cleared", "after": 2 }),
            Fault::on_any(FaultKind::Latency { hold: Hold::For(Duration::from_millis(250)) })
                .until_cleared()
                .after(2),
        ),
        (
            json!({ "operation": "patch", "kind": "rate-limit", "retry_after": { "seconds": 3 },
                    "times": { "next": 4 }, "id": "wh_1", "network": "n_1", "url": "https://a.example/" }),
            Fault::on(Operation::Patch, FaultKind::RateLimit { retry_after: Some(RetryAfter::Seconds(3)) })
                .times(4)
                .id("wh_1")
                .network("n_1")
                .url("https://a.example/"),
        ),
    ];
    for (json, fault) in table {
        assert_eq!(serde_json::from_value::<Fault>(json).unwrap(), fault);
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault, "{text}");
    }
}
