use http::{Method, StatusCode};
use interposer::{Kind, Outcome, RemoteOp, Serve, Side, Target, World};

use crate::client::Client;
use crate::server::Server;
use crate::{ALL_HOOKS, HOOKS, PATIENCE, Scene, interpose};

#[tokio::test]
async fn calls_arrive_as_they_were_sent() {
    for scene in [Scene::http().await, Scene::https().await] {
        let client = scene.client();
        let created = client.post(&format!("{HOOKS}?dryRun=All"), r#"{"spec":{"url":"u"}}"#).await.unwrap();
        assert_eq!(created.status, StatusCode::CREATED);
        assert_eq!(created.body, r#"{"spec":{"url":"u"}}"#);
        let deleted = client.call(Method::DELETE, &format!("{HOOKS}/x"), "").await.unwrap();
        assert_eq!(deleted.status, StatusCode::NO_CONTENT);

        let seen = scene.server.seen();
        assert_eq!(seen[0].line, format!("POST {HOOKS}?dryRun=All"));
        assert_eq!(seen[0].body, r#"{"spec":{"url":"u"}}"#);
        assert_eq!(seen[0].headers["authorization"], "Bearer s3cret");
        let authority = scene.server.url.rsplit('/').next().unwrap();
        assert_eq!(seen[0].headers["host"], authority);
        assert_eq!(seen[1].line, format!("DELETE {HOOKS}/x"));
    }
}

#[tokio::test]
async fn a_watch_is_relayed_event_by_event() {
    for scene in [Scene::http().await, Scene::https().await] {
        let mut watch = scene.client().watch(&format!("{ALL_HOOKS}?watch=true")).await;
        assert_eq!(watch.status, StatusCode::OK);
        for name in ["a", "b"] {
            let event =
                format!("{{\"type\":\"ADDED\",\"object\":{{\"metadata\":{{\"name\":\"{name}\"}}}}}}\n");
            scene.server.send(0, event);
            assert_eq!(watch.event().await["object"]["metadata"]["name"], name);
        }
        drop(watch);
        scene.server.until_left(0).await;
    }
}

#[tokio::test]
async fn the_journal_names_calls_alike_in_every_run() {
    let mut runs = Vec::new();
    for (namespace, id) in [("ns-1", "wh_1"), ("ns-2", "wh_2")] {
        let (world, server) = (World::new(), Server::http().await);
        world.alias(namespace, "{namespace}");
        let cluster = interpose(&server, Side::Kubernetes, Serve::Http, &world);
        let remote = interpose(&server, Side::Remote, Serve::Http, &world);
        let (cluster, remote) = (Client::of(&cluster), Client::of(&remote));
        let hook = format!("/apis/g.dev/v1/namespaces/{namespace}/webhookendpoints/x/status");
        let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/l");

        cluster.call(Method::PATCH, &hook, r#"{"status":{"a":1}}"#).await.unwrap();
        cluster.call(Method::PUT, &lease, "{}").await.unwrap();
        remote.post("/oauth/token", "{}").await.unwrap();
        remote.post("/v1/webhook-endpoints", "{}").await.unwrap();
        remote.call(Method::DELETE, &format!("/v1/webhook-endpoints/{id}"), "").await.unwrap();
        cluster.call(Method::PATCH, &hook, r#"{"status":{"a":1}}"#).await.unwrap();

        let journal = world.journal();
        let sequence: Vec<u64> = journal.iter().map(|call| call.sequence).collect();
        assert_eq!(sequence, [1, 2, 3, 4, 5, 6]);
        assert_eq!(journal[0].fields, ["status.a"]);
        assert_eq!(journal[0].outcome, Outcome::Answered(StatusCode::OK));
        assert_eq!((journal[2].kind, &journal[2].target), (Kind::Read, &Target::Remote(RemoteOp::Token)));
        runs.push(world.mutations().iter().map(|call| call.signature.to_string()).collect::<Vec<_>>());
    }
    let status = "kubernetes PATCH webhookendpoints.g.dev {namespace}/x/status";
    let expected = [
        format!("{status} #1"),
        "remote POST webhook-endpoints #1".to_owned(),
        "remote DELETE webhook-endpoints/{id} #1".to_owned(),
        format!("{status} #2"),
    ];
    assert_eq!(runs[0], expected);
    assert_eq!(runs[1], expected);
}

#[tokio::test]
async fn a_rewritten_kubeconfig_leads_through_the_interposer() {
    let scene = Scene::https().await;
    let source = format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
         clusters: [{{name: k, cluster: {{server: '{}'}}}}]\nusers: [{{name: u, user: {{token: t0ken}}}}]\n",
        scene.server.url
    );
    let text = scene.interposer.kubeconfig(&source).unwrap();
    let config: serde_json::Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!(config["clusters"][0]["cluster"]["server"], scene.interposer.url());
    assert_eq!(config["users"][0]["user"]["token"], "t0ken");
}

#[tokio::test]
async fn a_wait_that_runs_out_shows_the_journal() {
    let scene = Scene::http().await;
    scene.client().get("/version").await.unwrap();
    let brief = std::time::Duration::ZERO;
    let error = scene.world.saw(|call| call.kind == Kind::Mutation, brief).await.unwrap_err();
    assert!(error.to_string().contains("kubernetes GET /version #1 → 200"), "{error}");
    scene.world.saw(|call| call.path == "/version", PATIENCE).await.unwrap();
}
