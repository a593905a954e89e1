//! The budget and the circuit, as the API sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use webhook_operator::index::{Index, NetworkKey};
use webhook_operator::network::Network;
use webhook_operator::provider::{Client, ClientConfig, Error, ErrorClass, Limits, Listing, Priority};

use crate::server::{ANY_TIME, Server, answer, answer_with, client, config, new_endpoint, work};

#[tokio::test]
async fn a_429_pauses_the_whole_network() {
    let api = Server::answering(|_| answer_with(429, ("retry-after", "120"), "")).await;
    let client = client(&api);

    let first = client.create(&new_endpoint(), ANY_TIME).await.unwrap_err();
    assert_eq!(first.retry_after(), Some(Duration::from_mins(2)));
    for error in [
        client.list_page(None, Priority::Resync).await.unwrap_err(),
        client.delete(&"wh_1".into()).await.unwrap_err(),
    ] {
        assert_eq!((error.class(), error.reason()), (ErrorClass::Retry, "RateLimited"));
        assert!(error.retry_after().unwrap() > Duration::from_secs(100));
        assert_eq!(error.to_string().split(": ").nth(1), first.to_string().split(": ").nth(1));
    }

    assert_eq!(api.asked().len(), 1);
}

#[tokio::test]
async fn another_network_is_not_slowed_down() {
    let limited = Server::answering(|_| answer_with(429, ("retry-after", "120"), "")).await;
    let working = Server::working().await;
    client(&limited).create(&new_endpoint(), ANY_TIME).await.unwrap_err();

    client(&working).create(&new_endpoint(), ANY_TIME).await.unwrap();
}

#[tokio::test]
async fn never_more_requests_are_in_flight_than_allowed() {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (in_flight.clone(), most.clone());
    // The body's end is held back until another task has had its turn many times.
    let api = Server::answering(move |_| {
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let now = now.clone();
        let body = futures::stream::once(async move {
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, std::convert::Infallible>(crate::server::LIST)
        });
        answer(200, axum::body::Body::from_stream(body))
    })
    .await;
    let limits = Limits { requests_per_second: 10_000.0, burst: 1000, in_flight: 3 };
    let client = Client::new(ClientConfig { limits, ..config(api.url()) }).unwrap();

    for result in join_all((0..60).map(|_| client.list_page(None, Priority::Change))).await {
        result.unwrap();
    }

    assert_eq!(most.load(Ordering::SeqCst), 3);
}

/// Creates until the circuit is open.
async fn until_open(client: &Client) -> Error {
    for _ in 0..10 {
        let error = client.create(&new_endpoint(), ANY_TIME).await.unwrap_err();
        if error.reason() == "CircuitOpen" {
            return error;
        }
        assert_eq!(error.class(), ErrorClass::Ambiguous);
    }
    panic!("the circuit stays closed");
}

/// An API that is down while `is_down` is set.
async fn failing(is_down: &Arc<AtomicBool>) -> Server {
    let is_down = is_down.clone();
    Server::answering(move |asked| if is_down.load(Ordering::SeqCst) { answer(503, "") } else { work(asked) })
        .await
}

#[tokio::test]
async fn an_api_that_is_down_is_probed_with_a_list_before_a_change_goes_out() {
    let is_down = Arc::new(AtomicBool::new(true));
    let api = failing(&is_down).await;
    let client = client(&api);

    let open = until_open(&client).await;
    assert_eq!(open.class(), ErrorClass::Retry, "nothing was sent");
    assert_eq!(api.lines(), ["POST /v1/webhook-endpoints"; 5]);

    // Still down when it is time for a probe: no create goes out.
    tokio::time::sleep(client.outage_pause().unwrap()).await;
    let waits = client.create(&new_endpoint(), ANY_TIME).await.unwrap_err();
    assert_eq!((waits.reason(), waits.class()), ("CircuitOpen", ErrorClass::Retry));
    assert!(waits.retry_after().is_some());
    let still = client.list_page(None, Priority::Resync).await.unwrap_err();
    assert_eq!(still.reason(), "ServerError");
    assert_eq!(api.lines()[5..], ["GET /v1/webhook-endpoints?limit=100"]);

    // Back: the list comes first, then the create.
    is_down.store(false, Ordering::SeqCst);
    tokio::time::sleep(client.outage_pause().unwrap()).await;
    client.list_page(None, Priority::Resync).await.unwrap();
    assert_eq!(client.outage_pause(), None);
    client.create(&new_endpoint(), ANY_TIME).await.unwrap();
    assert_eq!(api.lines()[6..], ["GET /v1/webhook-endpoints?limit=100", "POST /v1/webhook-endpoints"]);
}

/// Otherwise nobody would notice before the next regular list that it is back.
#[tokio::test]
async fn the_lister_probes_in_an_outage_that_only_changes_have_met() {
    let is_down = Arc::new(AtomicBool::new(false));
    let api = failing(&is_down).await;
    let client = client(&api);
    let network_key = NetworkKey::cluster("net");
    let network = Arc::new(Network::new(
        network_key.clone(),
        client.clone(),
        Duration::from_secs(5),
        Duration::from_hours(1),
    ));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let begin = move |now| {
        let mut index = Index::<()>::default();
        index.expect_network(network_key.clone());
        let incarnation = index.incarnation(&network_key)?;
        index.begin_list(&network_key, incarnation, now)
    };
    let lister = tokio::spawn(network.keep_listing(
        begin,
        || {},
        Listing::unshared,
        move |_, list, _| tell.send(list.is_ok()).unwrap(),
    ));
    let mut next = async || tokio::time::timeout(Duration::from_secs(10), told.recv()).await.unwrap();
    assert_eq!(next().await, Some(true));

    is_down.store(true, Ordering::SeqCst);
    until_open(&client).await;
    assert_eq!(next().await, Some(false), "the first probe");
    is_down.store(false, Ordering::SeqCst);
    assert_eq!(next().await, Some(true), "the second");

    client.create(&new_endpoint(), ANY_TIME).await.unwrap();
    let (list, create) = ("GET /v1/webhook-endpoints?limit=100", "POST /v1/webhook-endpoints");
    assert_eq!(api.lines(), [list, create, create, create, create, create, list, list, create]);
    lister.abort();
}
