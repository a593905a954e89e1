use std::time::Duration;

use http::{Method, StatusCode};
use interposer::{Fault, Kind, Outcome, Times};

use crate::{ALL_HOOKS, HOOKS, PATIENCE, Scene, soon};

#[tokio::test]
async fn a_status_answers_the_next_matching_calls() {
    let scene = Scene::http().await;
    let client = scene.client();
    let fault =
        Fault::Status { code: StatusCode::TOO_MANY_REQUESTS, retry_after: Some(Duration::from_secs(3)) };
    let handle = scene.interposer.inject(fault, Times::Next(2), |call| call.kind == Kind::Mutation);
    assert_eq!(client.get(ALL_HOOKS).await.unwrap().status, StatusCode::OK);
    for struck in 1..=2 {
        let answer = client.post(HOOKS, "{}").await.unwrap();
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers["retry-after"], "3");
        assert_eq!(answer.json()["reason"], "TooManyRequests");
        assert_eq!(handle.struck(), struck);
    }
    assert_eq!(client.post(HOOKS, "{}").await.unwrap().status, StatusCode::CREATED);
    assert_eq!(scene.server.lines(), [format!("GET {ALL_HOOKS}"), format!("POST {HOOKS}")]);
    assert_eq!(scene.world.mutations()[0].outcome, Outcome::Injected(StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn a_fault_lasts_until_it_is_stopped() {
    let scene = Scene::http().await;
    let client = scene.client();
    let fault = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
    let handle = scene.interposer.inject(fault, Times::Always, |_| true);
    for _ in 0..3 {
        assert_eq!(client.get("/version").await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    }
    soon(handle.until_struck(3)).await;
    handle.stop();
    assert_eq!(client.get("/version").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn resets_come_before_or_after_the_effect() {
    for scene in [Scene::http().await, Scene::https().await] {
        for (fault, effects) in [(Fault::ResetBefore, 0), (Fault::ResetAfter, 1)] {
            let done = scene.server.lines().len();
            scene.interposer.inject(fault, Times::Next(1), |_| true);
            let error = scene.client().post(HOOKS, "{}").await.unwrap_err();
            let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
            let text: Vec<String> = causes.map(ToString::to_string).collect();
            assert!(text.join(": ").contains("reset by peer"), "{text:?}");
            assert_eq!(scene.server.lines().len(), done + effects);
        }
    }
}

#[tokio::test]
async fn latency_delays_a_call() {
    let scene = Scene::http().await;
    let delay = Duration::from_millis(100);
    let client = scene.client();
    scene.interposer.inject(Fault::Latency(delay), Times::Next(1), |_| true);
    let before = std::time::Instant::now();
    client.get("/version").await.unwrap();
    assert!(before.elapsed() >= delay);
}

#[tokio::test]
async fn connections_are_refused_and_accepted_again_on_the_same_port() {
    let scene = Scene::http().await;
    let client = scene.client();
    let mut watch = client.watch(&format!("{ALL_HOOKS}?watch=1")).await;
    scene.interposer.refuse().await.unwrap();
    assert!(watch.next().await.unwrap().is_err());
    let error = client.get("/version").await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    scene.interposer.accept().await.unwrap();
    assert_eq!(client.get("/version").await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_call_without_an_answer_is_journalled_as_such() {
    let mut scene = Scene::http().await;
    // Nobody listens where this port was.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    scene.server.url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let scene = Scene::of(scene.server, interposer::Serve::Http);
    assert!(scene.client().call(Method::POST, HOOKS, "{}").await.is_err());
    let unanswered = |call: &interposer::Call| matches!(call.outcome, Outcome::Unanswered(_));
    let call = scene.world.saw(unanswered, PATIENCE).await.unwrap();
    assert!(call.to_string().contains("Connection refused"), "{call}");
}
