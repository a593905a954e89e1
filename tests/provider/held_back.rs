//! What is not sent: a create whose time is up, and anything while this process may not act.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use webhook_operator::provider::{Client, ClientConfig, Error, ErrorClass, Fence, Limits, Priority};

use crate::server::{
    ANY_TIME, LIST, Server, answer, config, held, new_endpoint, oauth_client, oauth_config, token,
    token_body, work,
};

async fn until_past(client: &Client, time: Timestamp) {
    while client.now() <= time {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn assert_held_back(error: &Error, reason: &str) {
    assert_eq!((error.reason(), error.class()), (reason, ErrorClass::Retry), "{error}");
    assert!(error.is_held_back(), "{error}");
}

/// A token URL whose token number `slow` comes once `release` is told, and every other one at once.
async fn issuer(slow: u64, release: &Arc<Notify>) -> Server {
    let (release, issued) = (release.clone(), AtomicU64::new(0));
    Server::answering(move |_| {
        let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
        let name = format!("t{number}");
        if number == slow { held(&release, token_body(&name, 3600)) } else { token(&name, 3600) }
    })
    .await
}

/// An API that holds the answer to a list, but for its head with this date, and a client that has one request
/// in flight at most.
async fn busy(release: &Arc<Notify>, date: Option<&'static str>) -> (Server, ClientConfig) {
    let release = release.clone();
    let api = Server::answering(move |asked| match asked.method.as_str() {
        "GET" => {
            let mut response = held(&release, LIST.replace("true", "false"));
            if let Some(date) = date {
                response.headers_mut().insert("date", date.parse().unwrap());
            }
            response
        }
        _ => work(asked),
    })
    .await;
    let limits = Limits { in_flight: 1, ..config(api.url()).limits };
    let config = ClientConfig { limits, ..config(api.url()) };
    (api, config)
}

#[tokio::test]
async fn a_create_that_waits_for_a_token_too_long_is_not_sent() {
    let release = Arc::default();
    let (api, issuer) = (Server::working().await, issuer(1, &release).await);
    let client = oauth_client(&api, &issuer);
    let latest = client.now() + SignedDuration::from_millis(50);
    let create = tokio::spawn({
        let client = client.clone();
        async move { client.create(&new_endpoint(), latest).await }
    });
    issuer.asked_times(1).await;
    until_past(&client, latest).await;
    release.notify_one();

    assert_held_back(&create.await.unwrap().unwrap_err(), "TooLate");
    assert_eq!(api.lines(), [""; 0]);
    client.create(&new_endpoint(), ANY_TIME).await.expect("the token is there now");
}

#[tokio::test]
async fn a_create_that_waits_for_its_turn_too_long_is_not_sent() {
    let release = Arc::default();
    let (api, config) = busy(&release, None).await;
    let client = Client::new(config).unwrap();
    let list = tokio::spawn({
        let client = client.clone();
        async move { client.list_page(None, Priority::Resync).await }
    });
    api.asked_times(1).await;

    let latest = client.now() + SignedDuration::from_millis(500);
    let error = client.create(&new_endpoint(), latest).await.unwrap_err();

    assert_held_back(&error, "BudgetSpent");
    release.notify_one();
    list.await.unwrap().unwrap();
    assert_eq!(api.lines(), ["GET /v1/webhook-endpoints?limit=100"]);
    client.create(&new_endpoint(), ANY_TIME).await.expect("it is its turn now");
}

#[tokio::test]
async fn a_create_that_the_apis_clock_shows_to_be_late_is_not_sent() {
    let release = Arc::default();
    let (api, config) = busy(&release, Some("Fri, 01 Jan 2100 00:00:00 GMT")).await;
    let client = Client::new(config).unwrap();
    let mut list = Box::pin(client.list_page(None, Priority::Resync));
    assert!(list.as_mut().now_or_never().is_none());
    let (new, latest) = (new_endpoint(), client.now() + SignedDuration::from_secs(60));
    let mut create = Box::pin(client.create(&new, latest));
    assert!(create.as_mut().now_or_never().is_none(), "it waits for its turn");
    release.notify_one();

    let (list, create) = futures::future::join(list, create).await;

    list.unwrap();
    assert_held_back(&create.unwrap_err(), "TooLate");
    assert_eq!(api.lines(), ["GET /v1/webhook-endpoints?limit=100"]);
}

#[tokio::test]
async fn a_create_that_waits_for_another_token_too_long_is_not_sent_again() {
    let release = Arc::default();
    let issuer = issuer(2, &release).await;
    let api = Server::answering(|asked| match asked.authorization() {
        "Bearer t1" => answer(401, ""),
        _ => work(asked),
    })
    .await;
    let client = oauth_client(&api, &issuer);
    client.authenticate().await.unwrap();
    let latest = client.now() + SignedDuration::from_secs(2);
    let create = tokio::spawn({
        let client = client.clone();
        async move { client.create(&new_endpoint(), latest).await }
    });
    issuer.asked_times(2).await;
    until_past(&client, latest).await;
    release.notify_one();

    assert_held_back(&create.await.unwrap().unwrap_err(), "TooLate");
    assert_eq!(api.lines(), ["POST /v1/webhook-endpoints"]);
}

#[tokio::test]
async fn nothing_is_sent_once_the_fence_is_closed() {
    let (api, issuer) = (Server::working().await, Server::answering(|_| token("t", 3600)).await);
    for has_token in [false, true] {
        let fence = Fence::default();
        let client =
            Client::new(ClientConfig { fence: fence.clone(), ..oauth_config(&api, &issuer) }).unwrap();
        if has_token {
            client.authenticate().await.unwrap();
        }
        fence.close();

        for error in [
            client.create(&new_endpoint(), ANY_TIME).await.unwrap_err(),
            client.delete(&"wh_1".into()).await.unwrap_err(),
            client.list_page(None, Priority::Resync).await.unwrap_err(),
        ] {
            assert_held_back(&error, "NotLeading");
        }
    }
    assert_eq!(api.lines(), [""; 0]);
    assert_eq!(issuer.asked().len(), 1);
}

#[tokio::test]
async fn a_fence_that_closes_cuts_off_nothing_and_lets_nothing_follow() {
    let release = Arc::default();
    let (api, config) = busy(&release, None).await;
    let fence = config.fence.clone();
    let client = Client::new(config).unwrap();
    let list = client.list_page(None, Priority::Resync);
    let create = async {
        api.asked_times(1).await;
        let close = async {
            fence.close();
            release.notify_one();
        };
        futures::future::join(client.create(&new_endpoint(), ANY_TIME), close).await.0
    };

    let (list, create) = futures::future::join(list, create).await;

    assert_eq!(list.unwrap().endpoints.len(), 1, "it was in flight");
    assert_held_back(&create.unwrap_err(), "NotLeading");
    assert_eq!(api.lines(), ["GET /v1/webhook-endpoints?limit=100"]);
}
