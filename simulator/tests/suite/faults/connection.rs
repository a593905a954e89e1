//! Faults of the connection: refused, reset, hanging, late and slow.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use simulator::{Effect, Fault, FaultKind, Hold, Operation, Point};

use super::{URL, create_with, last_entry};
use crate::support::{BOUND, Client, NETWORK, start};

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
