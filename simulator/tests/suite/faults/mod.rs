//! Each fault does what it says, to whom it says, and how often.

mod answers;
mod connection;

use std::time::Duration;

use serde_json::json;
use simulator::{Effect, Fault, FaultKind, Hold, NewEndpoint, Operation, Point, RetryAfter, Simulator};

use crate::support::{Answer, Client, NETWORK, start, token};

const URL: &str = "https://example.com/hook";

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
