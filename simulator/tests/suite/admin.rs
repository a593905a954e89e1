//! Steering by HTTP does what the library does.

use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulator::{Config, Hold, NewEndpoint, Operation, Simulator};

use crate::support::{Answer, BOUND, Client, NETWORK, start, start_with};

/// Calls the admin interface.
struct Admin(Client);

impl Admin {
    fn new(simulator: &Simulator) -> Self {
        Self(Client { base: simulator.admin_url().unwrap(), ..Client::new(simulator) })
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        self.0.call(method, path, Some(body)).await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.0.call(Method::GET, path, None).await.unwrap().json()
    }
}

async fn started() -> (Simulator, Client, Admin) {
    let simulator = start_with(Config::default().admin()).await;
    let (client, admin) = (Client::new(&simulator), Admin::new(&simulator));
    (simulator, client, admin)
}

#[tokio::test]
async fn it_is_off_unless_asked_for() {
    let simulator = start().await;
    assert_eq!(simulator.admin_url(), None);
    let client = Client { base: simulator.base_url().replace("/webhooks/v1", ""), ..Client::new(&simulator) };
    let answer = client.call(Method::GET, "/_simulator/ledger", None).await.unwrap();
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn endpoints_are_made_edited_and_deleted_behind_everybodys_back() {
    let (simulator, client, admin) = started().await;
    let new = json!({ "network": NETWORK, "url": "https://example.com/hook" });
    let made = admin.call(Method::POST, "/endpoints", new).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let url = format!("/endpoints/{id}");

    let edit = json!({ "status": "inactive", "createdAt": null, "tier": 2 });
    assert_eq!(admin.call(Method::PATCH, &url, edit).await.status, StatusCode::OK);
    let shown = client.get(&id).await.unwrap().json()["data"].clone();
    assert_eq!((&shown["status"], &shown["tier"]), (&json!("inactive"), &json!(2)));
    assert_eq!(admin.get(&format!("/endpoints?network={NETWORK}")).await, json!([shown]));
    assert_eq!(admin.get("/endpoints?network=n_other").await, json!([]));

    let edit = json!({ "status": "active" });
    admin.call(Method::PATCH, &url, edit).await;
    admin.call(Method::POST, &format!("{url}/disable"), Value::Null).await;
    assert_eq!(client.get(&id).await.unwrap().json()["data"]["status"], "inactive");

    let secret = simulator.secret_of(&id.as_str().into()).unwrap();
    let digest = base16ct::lower::encode_string(&Sha256::digest(secret.expose_secret()));
    assert_eq!(admin.get(&format!("{url}/secret-digest")).await, json!({ "sha256": digest }));

    let deleted = admin.call(Method::DELETE, &url, Value::Null).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let again = admin.call(Method::DELETE, &url, Value::Null).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(simulator.ledger().writes(), 0);
}

#[tokio::test]
async fn the_ledger_is_read_in_parts() {
    let (_simulator, client, admin) = started().await;
    for _ in 0..3 {
        client.list("").await.unwrap();
    }
    let id = client.create("https://example.com/hook").await.unwrap().id();
    let entries = admin.get("/ledger?since=3").await;
    let entry = &entries[0];
    assert_eq!(entries.as_array().unwrap().len(), 1);
    assert_eq!(
        (&entry["sequence"], &entry["operation"], &entry["status"], &entry["effect"], &entry["id"]),
        (&json!(4), &json!("create"), &json!(201), &json!("applied"), &json!(id))
    );
    client.patch(id.as_str(), json!({ "status": "inactive" })).await.unwrap();
    assert_eq!(admin.get("/ledger?since=4").await[0]["fields"], json!(["status"]), "only what was sent");
    client.list(&format!("?startingAfter={id}")).await.unwrap();
    assert_eq!(admin.get("/ledger?since=5").await[0]["startingAfter"], json!(id));
    assert_eq!(admin.get("/ledger").await.as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn faults_are_injected_and_cleared() {
    let (simulator, client, admin) = started().await;
    let fault = json!({ "operation": "list", "kind": "answer", "status": 503, "point": "before-effect",
                        "times": "until-cleared" });
    let injected = admin.call(Method::POST, "/faults", fault).await;
    assert_eq!(injected.status, StatusCode::CREATED, "{}", injected.text);
    assert_eq!(client.list("").await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    let waiting = admin.get("/faults").await;
    assert_eq!((&waiting[0]["met"], &waiting[0]["fault"]["status"]), (&json!(1), &json!(503)));

    let path = format!("/faults/{}", injected.json()["id"]);
    assert_eq!(admin.call(Method::DELETE, &path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.call(Method::DELETE, &path, Value::Null).await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.list("").await.unwrap().status, StatusCode::OK);

    for (bad, complaint) in [
        (json!({ "kind": "explode" }), "unknown variant"),
        (json!({ "kind": "truncate", "opertion": "list" }), "no field opertion"),
        (json!([]), "expected a map"),
    ] {
        let refused = admin.call(Method::POST, "/faults", bad).await;
        assert_eq!(refused.status.as_u16() / 100, 4);
        assert!(refused.text.contains(complaint), "{}", refused.text);
    }
    assert_eq!(simulator.view(|view| view.faults().count()), 0);
}

#[tokio::test]
async fn lag_is_set_and_released() {
    let (simulator, client, admin) = started().await;
    let lag = json!({ "list": "until-released", "get": { "for": 60000 } });
    admin.call(Method::PUT, "/lag", lag).await;
    let id = simulator.insert(NETWORK, NewEndpoint::new("https://example.com/hook"));
    assert!(client.list("").await.unwrap().ids().is_empty());
    admin.call(Method::POST, "/release", Value::Null).await;
    assert_eq!(client.list("").await.unwrap().ids(), [id.as_str()]);
    assert_eq!(client.get(id.as_str()).await.unwrap().status, StatusCode::NOT_FOUND, "not held by release");
    let lag = serde_json::to_value(simulator::Lag { list: Some(Hold::UntilReleased), get: None }).unwrap();
    assert_eq!(lag, json!({ "list": "until-released", "get": null }));
}

#[tokio::test]
async fn habits_access_and_time_are_set() {
    let (simulator, client, admin) = started().await;
    let habits = admin.call(Method::PATCH, "/habits", json!({ "createStatus": "ok" })).await;
    assert_eq!(habits.json(), admin.get("/habits").await);
    assert_eq!(client.create("https://example.com/hook").await.unwrap().status, StatusCode::OK);
    let refused = admin.call(Method::PATCH, "/habits", json!({ "createStatus": "teapot" })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);

    let scopes = format!("/networks/{NETWORK}/scopes");
    admin.call(Method::PUT, &scopes, json!("read")).await;
    assert_eq!(client.create("https://example.com/hook").await.unwrap().status, StatusCode::FORBIDDEN);
    admin.call(Method::POST, &format!("/networks/{NETWORK}/revoke-tokens"), Value::Null).await;
    assert_eq!(client.list("").await.unwrap().status, StatusCode::UNAUTHORIZED);

    let before = simulator.now();
    admin.call(Method::POST, "/clock/advance", json!({ "seconds": 7200 })).await;
    admin.call(Method::PUT, "/clock/skew", json!({ "seconds": -3600 })).await;
    let passed = simulator.now().duration_since(before).as_secs();
    assert!((3600..3700).contains(&passed), "{passed} s");
}

#[tokio::test]
async fn deliveries_are_sent_and_shown() {
    let (simulator, _client, admin) = started().await;
    simulator.insert(NETWORK, NewEndpoint::new("http://127.0.0.1:1/"));
    let event = json!({ "network": NETWORK, "type": "ocpp.message", "data": { "n": 1 } });
    let sent = admin.call(Method::POST, "/deliveries", event).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED);
    simulator.wait_until(BOUND, |view| view.deliveries()[0].attempts.len() == 1).await.unwrap();
    let deliveries = admin.get("/deliveries").await;
    assert_eq!((&deliveries[0]["id"], &deliveries[0]["state"]), (&sent.json()[0], &json!("pending")));
}

#[tokio::test]
async fn the_api_is_suspended_while_the_admin_interface_stays() {
    let (simulator, client, admin) = started().await;
    simulator.inject(simulator::Fault::on_any(simulator::FaultKind::Refuse).until_cleared());
    assert!(client.list("").await.is_err());
    admin.call(Method::DELETE, "/faults", Value::Null).await;
    admin.call(Method::POST, "/suspend", Value::Null).await;
    // A connection that was kept is cut off first.
    assert!(client.list("").await.is_err());
    assert!(client.list("").await.unwrap_err().is_connect());
    admin.call(Method::POST, "/resume", Value::Null).await;
    assert_eq!(client.list("").await.unwrap().status, StatusCode::OK);
    assert_eq!(simulator.ledger().count(Operation::List), 1);
}
