//! Lists and gets that show the past.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use simulator::{Hold, Lag, NewEndpoint};

use crate::support::{Client, NETWORK, start};

const LISTS: Lag = Lag { list: Some(Hold::UntilReleased), get: None };
const GETS: Lag = Lag { list: None, get: Some(Hold::UntilReleased) };

#[tokio::test]
async fn a_list_lags_for_creates_changes_and_deletes_alike() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let changed = simulator.insert(NETWORK, NewEndpoint::new("https://example.com/changed"));
    let deleted = simulator.insert(NETWORK, NewEndpoint::new("https://example.com/deleted"));
    simulator.set_lag(LISTS);

    let created = client.create("https://example.com/created").await.unwrap().id();
    client.patch(changed.as_str(), json!({ "status": "inactive" })).await.unwrap();
    client.delete(deleted.as_str()).await.unwrap();

    let page = client.list("").await.unwrap();
    assert_eq!(page.ids(), [changed.as_str(), deleted.as_str()]);
    assert_eq!(page.json()["data"]["items"][0]["status"], "active");
    assert_eq!(client.get(created.as_str()).await.unwrap().status, StatusCode::OK);
    assert_eq!(client.get(deleted.as_str()).await.unwrap().status, StatusCode::NOT_FOUND);
    assert_eq!(client.get(changed.as_str()).await.unwrap().json()["data"]["status"], "inactive");

    simulator.release();
    let page = client.list("").await.unwrap();
    assert_eq!(page.ids(), [changed.as_str(), created.as_str()]);
    assert_eq!(page.json()["data"]["items"][0]["status"], "inactive");
}

#[tokio::test]
async fn a_get_lags_apart_from_lists() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    simulator.set_lag(GETS);
    let created = client.create("https://example.com/created").await.unwrap().id();
    assert_eq!(client.get(created.as_str()).await.unwrap().status, StatusCode::NOT_FOUND);
    assert_eq!(client.list("").await.unwrap().ids(), [created.as_str()]);
    let patched = client.patch(created.as_str(), json!({ "status": "inactive" })).await.unwrap();
    assert_eq!(patched.json()["data"]["status"], "inactive");

    simulator.release();
    assert_eq!(client.get(created.as_str()).await.unwrap().json()["data"]["status"], "inactive");
    assert_eq!(client.delete(created.as_str()).await.unwrap().status, StatusCode::NO_CONTENT);
    assert_eq!(client.get(created.as_str()).await.unwrap().json()["data"]["status"], "inactive");
    assert_eq!(client.delete(created.as_str()).await.unwrap().status, StatusCode::NOT_FOUND);
    assert!(simulator.endpoint(&created).is_none());
    assert!(simulator.secret_of(&created).is_some());
}

#[tokio::test]
async fn lag_ends_by_itself_after_its_time() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let lag = Duration::from_millis(500);
    simulator.set_lag(Lag { list: Some(Hold::For(lag)), get: None });
    let started = Instant::now();
    client.create("https://example.com/created").await.unwrap();
    let mut lists = 0;
    while client.list("").await.unwrap().ids().is_empty() {
        lists += 1;
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    assert!(lists > 0 && started.elapsed() >= lag, "{lists} empty lists in {:?}", started.elapsed());
}

#[tokio::test]
async fn hidden_endpoints_do_not_count_in_pages() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let seen = simulator.insert(NETWORK, NewEndpoint::new("https://example.com/seen"));
    simulator.set_lag(LISTS);
    for n in 0..5 {
        simulator.insert(NETWORK, NewEndpoint::new(format!("https://example.com/{n}")));
    }
    let page = client.list("?limit=1").await.unwrap();
    assert_eq!(page.ids(), [seen.as_str()]);
    assert_eq!(page.json()["data"]["hasMore"], false);
}
