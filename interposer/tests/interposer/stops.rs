use std::io::{Read, Write};

use http::{Method, StatusCode};
use interposer::{CallMatcher, Outcome, Plan, PlanError, Serve, Side, Signature, When, World};

use crate::client::Client;
use crate::server::Server;
use crate::{ALL_HOOKS, HOOKS, PATIENCE, Scene, interpose, soon};

/// The n-th mutation of its shape.
fn at(nth: u32, when: When) -> [Plan; 1] {
    [Plan { at: CallMatcher::matching(move |call| call.counted && call.signature.ordinal == nth), when }]
}

#[tokio::test]
async fn a_call_held_before_it_is_sent_is_never_sent() {
    for scene in [Scene::http().await, Scene::https().await] {
        scene.world.plan(at(2, When::BeforeSent));
        let client = scene.client();
        client.post(HOOKS, "{}").await.unwrap();
        let held = client.start(Method::POST, HOOKS, "{}");
        let stop = scene.world.reached(PATIENCE).await.unwrap();
        assert_eq!(stop.call.signature.to_string(), "kubernetes POST webhookendpoints.g.dev a #2");
        assert!(scene.world.is_frozen());

        // The client is alive and waits on: only the end of its life can drop the call.
        scene.world.abandon();
        assert!(soon(held).await.unwrap().is_err());
        scene.client().get(ALL_HOOKS).await.unwrap();
        assert_eq!(scene.server.lines(), [format!("POST {HOOKS}"), format!("GET {ALL_HOOKS}")]);
        assert_eq!(scene.world.journal()[1].outcome, Outcome::NotSent);
    }
}

#[tokio::test]
async fn a_call_held_before_it_is_sent_goes_on_after_resume() {
    let scene = Scene::http().await;
    scene.world.plan(at(1, When::BeforeSent));
    let held = scene.client().start(Method::POST, HOOKS, "{}");
    scene.world.reached(PATIENCE).await.unwrap();
    assert!(scene.server.lines().is_empty());
    scene.world.resume();
    assert_eq!(soon(held).await.unwrap().unwrap().status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_held_call_whose_client_is_killed_is_not_sent_even_after_resume() {
    for scene in [Scene::http().await, Scene::https().await] {
        scene.world.plan(at(1, When::BeforeSent));
        let client = scene.client();
        let held = client.start(Method::POST, HOOKS, "{}");
        scene.world.reached(PATIENCE).await.unwrap();
        held.abort();
        assert!(soon(held).await.unwrap_err().is_cancelled());
        drop(client);
        let gone = |call: &interposer::Call| call.outcome == Outcome::NotSent;
        scene.world.saw(gone, PATIENCE).await.unwrap();
        scene.world.resume();
        scene.client().get(ALL_HOOKS).await.unwrap();
        assert_eq!(scene.server.lines(), [format!("GET {ALL_HOOKS}")]);
    }
}

#[tokio::test]
async fn a_withheld_answer_is_discarded_though_the_call_was_done() {
    for scene in [Scene::http().await, Scene::https().await] {
        scene.world.plan(at(1, When::DoneAnswerWithheld));
        let held = scene.client().start(Method::POST, HOOKS, "{}");
        let stop = scene.world.reached(PATIENCE).await.unwrap();
        assert_eq!(stop.call.outcome, Outcome::Answered(StatusCode::CREATED));
        assert_eq!(scene.server.lines(), [format!("POST {HOOKS}")]);
        assert!(!held.is_finished());
        scene.world.abandon();
        assert!(soon(held).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn a_withheld_answer_is_given_after_resume() {
    let scene = Scene::http().await;
    scene.world.plan(at(1, When::DoneAnswerWithheld));
    let held = scene.client().start(Method::POST, HOOKS, "{\"a\":1}");
    scene.world.reached(PATIENCE).await.unwrap();
    scene.world.resume();
    assert_eq!(soon(held).await.unwrap().unwrap().body, "{\"a\":1}");
}

#[tokio::test]
async fn a_delivered_answer_is_the_last_thing_the_client_gets() {
    for scene in [Scene::http().await, Scene::https().await] {
        for (method, status) in
            [(Method::POST, StatusCode::CREATED), (Method::DELETE, StatusCode::NO_CONTENT)]
        {
            let asked = scene.server.lines().len();
            scene.world.plan(at(1, When::AnswerDelivered));
            let client = scene.client();
            let delivered = client.start(method, HOOKS, "{}");
            scene.world.reached(PATIENCE).await.unwrap();
            // The kernel holds it for the client by now: no further byte has to be sent.
            assert_eq!(soon(delivered).await.unwrap().unwrap().status, status);

            let next = client.start(Method::GET, ALL_HOOKS, "");
            scene.world.blocked(1, PATIENCE).await.unwrap();
            assert_eq!(scene.server.lines().len(), asked + 1);
            scene.world.abandon();
            assert!(soon(next).await.unwrap().is_err());
            assert_eq!(scene.server.lines().len(), asked + 1);
        }
    }
}

#[tokio::test]
async fn both_sides_freeze_together_watches_included() {
    let (world, server) = (World::new(), Server::http().await);
    let cluster = interpose(&server, Side::Kubernetes, Serve::Http, &world);
    let remote = interpose(&server, Side::Remote, Serve::Http, &world);
    let (cluster, remote) = (Client::of(&cluster), Client::of(&remote));
    let mut watch = cluster.watch(&format!("{ALL_HOOKS}?watch=1")).await;
    let mut log = cluster.watch("/api/v1/namespaces/a/pods/x/log?follow=1").await;

    world.plan([Plan {
        at: CallMatcher::matching(|call| call.side == Side::Remote),
        when: When::DoneAnswerWithheld,
    }]);
    let create = remote.start(Method::POST, "/webhook-endpoints", "{}");
    world.reached(PATIENCE).await.unwrap();
    let list = cluster.start(Method::GET, ALL_HOOKS, "");
    let token = remote.start(Method::POST, "/oauth/token", "{}");
    server.send(0, "{\"type\":\"ADDED\"}\n");
    server.send(1, "a line");
    world.blocked(2, PATIENCE).await.unwrap();
    assert_eq!(server.lines().len(), 3, "{:?}", server.lines());
    assert!(watch.is_silent() && log.is_silent());

    world.resume();
    assert_eq!(watch.event().await["type"], "ADDED");
    assert_eq!(log.next().await.unwrap().unwrap(), "a line");
    for call in [create, list, token] {
        soon(call).await.unwrap().unwrap();
    }
    assert_eq!(server.lines().len(), 5);
}

#[tokio::test]
async fn a_learnt_sequence_is_matched_in_the_next_run() {
    async fn run(client: &Client) {
        for path in [HOOKS, HOOKS, "/api/v1/namespaces/a/secrets"] {
            client.post(path, "{}").await.unwrap();
        }
    }
    let scene = Scene::http().await;
    run(&scene.client()).await;
    let learnt: Vec<Signature> = scene.world.mutations().into_iter().map(|call| call.signature).collect();
    assert_eq!(learnt.len(), 3);

    for signature in learnt {
        let scene = Scene::http().await;
        let at = CallMatcher::Signature(signature.clone());
        scene.world.plan([Plan { at, when: When::BeforeSent }]);
        let client = scene.client();
        let running = tokio::spawn(async move { run(&client).await });
        assert_eq!(scene.world.reached(PATIENCE).await.unwrap().call.signature, signature);
        scene.world.resume();
        soon(running).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_passes_a_stop_however_many_call() {
    for when in When::ALL {
        let scene = Scene::http().await;
        scene.world.plan(at(10, when));
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let client = scene.client();
                tokio::spawn(async move { while client.call(Method::POST, HOOKS, "{}").await.is_ok() {} })
            })
            .collect();
        scene.world.reached(PATIENCE).await.unwrap();
        scene.world.settled(PATIENCE).await.unwrap();
        let sent = scene.world.journal().len() - usize::from(when == When::BeforeSent);
        assert_eq!(scene.server.lines().len(), sent, "{when}");
        scene.world.blocked(1, PATIENCE).await.unwrap();
        scene.world.abandon();
        for client in clients {
            // Its connections were closed; new ones belong to the new life, so it has to stop.
            client.abort();
            let _ = soon(client).await;
        }
        let of_first_life = scene.world.mutations_in(0).len();
        assert_eq!(of_first_life, sent + usize::from(when == When::BeforeSent), "{when}");
    }
}

#[tokio::test]
async fn pairs_stop_in_one_life_after_the_other() {
    let scene = Scene::http().await;
    scene.world.plan([at(1, When::DoneAnswerWithheld), at(1, When::BeforeSent)].concat());
    for life in 0..2 {
        assert_eq!(scene.world.life(), life);
        let client = scene.client();
        let call = client.start(Method::POST, HOOKS, "{}");
        let stop = scene.world.reached(PATIENCE).await.unwrap();
        assert_eq!((stop.call.life, stop.call.signature.ordinal), (life, 1));
        scene.world.abandon();
        assert!(soon(call).await.unwrap().is_err());
    }
    scene.client().post(HOOKS, "{}").await.unwrap();
    assert_eq!(scene.server.lines().len(), 2);
    assert_eq!([0, 1, 2].map(|life| scene.world.mutations_in(life).len()), [1, 1, 1]);
}

#[tokio::test]
async fn a_plan_that_no_call_reaches_is_reported() {
    let scene = Scene::http().await;
    scene.world.plan(at(2, When::BeforeSent));
    scene.client().post(HOOKS, "{}").await.unwrap();
    let error = scene.world.reached(std::time::Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, PlanError::NotReached { .. }), "{error}");
    assert!(error.to_string().contains("kubernetes POST webhookendpoints.g.dev a #1 → 201"), "{error}");
    let error = World::new().reached(PATIENCE).await.unwrap_err();
    assert!(matches!(error, PlanError::NoPlan), "{error}");
}

#[tokio::test]
async fn a_client_that_leaves_early_makes_the_plan_missed_and_the_world_goes_on() {
    let scene = Scene::http().await;
    scene.server.keep_silent();
    scene.world.plan(at(1, When::AnswerDelivered));
    let client = scene.client();
    let call = client.start(Method::POST, HOOKS, "{}");
    scene.server.until_asked(1).await;
    call.abort();
    drop(client);
    let error = scene.world.reached(PATIENCE).await.unwrap_err();
    assert!(matches!(error, PlanError::Missed { .. }), "{error}");
    scene.server.answer();
    scene.world.settled(PATIENCE).await.unwrap();
    assert_eq!(scene.client().post(HOOKS, "{}").await.unwrap().status, StatusCode::CREATED);
}

#[tokio::test]
async fn what_was_sent_is_finished_after_the_client_died() {
    let scene = Scene::http().await;
    scene.server.keep_silent();
    let client = scene.client();
    let call = client.start(Method::POST, HOOKS, "{}");
    scene.server.until_asked(1).await;
    scene.world.abandon();
    assert!(soon(call).await.unwrap().is_err());
    scene.world.settled(std::time::Duration::ZERO).await.unwrap_err();
    scene.server.answer();
    scene.world.settled(PATIENCE).await.unwrap();
    assert_eq!(scene.world.journal()[0].outcome, Outcome::Answered(StatusCode::CREATED));
}

/// A connection without any machinery that would read, or close, by itself.
fn connect(scene: &Scene) -> std::net::TcpStream {
    std::net::TcpStream::connect(scene.interposer.address()).unwrap()
}

fn raw_post() -> String {
    format!("POST {HOOKS} HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{{}}")
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_that_the_client_has_not_read_is_not_delivered() {
    let scene = Scene::http().await;
    scene.world.plan(at(1, When::AnswerDelivered));
    let mut client = connect(&scene);
    client.write_all(raw_post().as_bytes()).unwrap();
    let peeked = client.try_clone().unwrap();
    // The answer has left: it is in the client's receive queue.
    soon(tokio::task::spawn_blocking(move || peeked.peek(&mut [0; 1]).unwrap())).await.unwrap();
    let error = scene.world.reached(std::time::Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, PlanError::NotReached { .. }), "{error}");
    assert!(scene.world.is_frozen());

    let read = tokio::task::spawn_blocking(move || client.read(&mut [0; 1024]).map(|_| client));
    scene.world.reached(PATIENCE).await.unwrap();
    drop(soon(read).await.unwrap().unwrap());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_request_that_lay_in_the_accept_queue_when_its_client_died_is_not_sent() {
    let scene = Scene::http().await;
    // Nothing awaits here, so the interposer accepts all this only afterwards, in the new life.
    let mut client = connect(&scene);
    client.write_all(raw_post().as_bytes()).unwrap();
    drop(client);
    scene.world.abandon();

    scene.client().get(ALL_HOOKS).await.unwrap();
    assert_eq!(scene.server.lines(), [format!("GET {ALL_HOOKS}")]);
    assert_eq!(scene.world.journal().len(), 1);
}
