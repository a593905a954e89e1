//! One token for all calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use webhook_operator::provider::{ErrorClass, Priority};

use crate::server::{ANY_TIME, Server, answer, answer_with, client, new_endpoint, oauth_client, token, work};

/// A token URL that numbers its tokens.
async fn numbering_issuer(expires_in: u64) -> Server {
    let issued = AtomicU64::new(0);
    Server::answering(move |_| token(&format!("t{}", issued.fetch_add(1, Ordering::SeqCst) + 1), expires_in))
        .await
}

#[tokio::test]
async fn is_asked_for_as_the_vendor_documents() {
    let (api, issuer) = (Server::working().await, numbering_issuer(3600).await);
    let client = oauth_client(&api, &issuer);

    client.authenticate().await.unwrap();
    assert!(api.asked().is_empty(), "authenticating does not call the API");
    client.create(&new_endpoint(), ANY_TIME).await.unwrap();

    assert_eq!(issuer.lines(), ["POST /v1"]);
    assert_eq!(
        issuer.asked()[0].body,
        json!({"client_id": "the-id", "client_secret": "the-secret",
            "audience": "https://api.example.com", "grant_type": "client_credentials"})
    );
    assert_eq!(issuer.asked()[0].authorization(), "");
    assert_eq!(api.asked()[0].authorization(), "Bearer t1");
}

#[tokio::test]
async fn is_fetched_once_however_many_calls_wait() {
    let (api, issuer) = (Server::working().await, numbering_issuer(3600).await);
    let client = oauth_client(&api, &issuer);

    let calls = (0..50).map(|_| client.list_page(None, Priority::Resync));
    for result in join_all(calls).await {
        result.unwrap();
    }

    assert_eq!(issuer.asked().len(), 1);
    assert_eq!(api.asked().len(), 50);
}

#[tokio::test]
async fn is_renewed_once_when_refused_and_the_request_repeated() {
    let issuer = numbering_issuer(3600).await;
    let revoked = Arc::new(AtomicU64::new(0));
    let limit = revoked.clone();
    let api = Server::answering(move |asked| {
        let number: u64 = asked.authorization().trim_start_matches("Bearer t").parse().unwrap();
        if number <= limit.load(Ordering::SeqCst) { answer(401, "") } else { work(asked) }
    })
    .await;
    let client = oauth_client(&api, &issuer);
    client.create(&new_endpoint(), ANY_TIME).await.unwrap();

    revoked.store(1, Ordering::SeqCst);
    client.create(&new_endpoint(), ANY_TIME).await.unwrap();
    assert_eq!((issuer.asked().len(), api.asked().len()), (2, 3));

    // Many calls find it revoked together: one of them renews it.
    revoked.store(2, Ordering::SeqCst);
    for result in join_all((0..20).map(|_| client.list_page(None, Priority::Resync))).await {
        result.unwrap();
    }
    assert_eq!(issuer.asked().len(), 3);
}

#[tokio::test]
async fn is_not_fetched_for_ever_when_the_api_accepts_none() {
    let (api, issuer) = (Server::always(401, "").await, numbering_issuer(3600).await);
    let client = oauth_client(&api, &issuer);

    for _ in 0..10 {
        let error = client.create(&new_endpoint(), ANY_TIME).await.unwrap_err();
        assert_eq!((error.class(), error.reason()), (ErrorClass::Unauthorized, "Unauthorized"));
    }

    assert!(issuer.asked().len() <= 3, "{} tokens were fetched", issuer.asked().len());
}

#[tokio::test]
async fn a_static_one_is_not_renewed() {
    let api = Server::always(401, r#"{"message": "expired"}"#).await;

    let error = client(&api).create(&new_endpoint(), ANY_TIME).await.unwrap_err();

    assert_eq!((error.class(), api.asked().len()), (ErrorClass::Unauthorized, 1));
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test]
async fn refused_credentials_and_an_unavailable_issuer_are_told_apart() {
    let api = Server::working().await;
    for (status, body, class, reason) in [
        (400, r#"{"error": "invalid_client"}"#, ErrorClass::Unauthorized, "InvalidClient"),
        (401, r#"{"error": "access_denied"}"#, ErrorClass::Unauthorized, "InvalidClient"),
        (403, "", ErrorClass::Unauthorized, "InvalidClient"),
        (302, "", ErrorClass::Retry, "TokenUnavailable"),
        (404, "", ErrorClass::Retry, "TokenUnavailable"),
        (429, "", ErrorClass::Retry, "TokenUnavailable"),
        (500, "", ErrorClass::Retry, "TokenUnavailable"),
        (200, "", ErrorClass::Retry, "TokenUnavailable"),
        (200, "{}", ErrorClass::Retry, "TokenUnavailable"),
        (200, r#"{"access_token": ""}"#, ErrorClass::Retry, "TokenUnavailable"),
        (200, r#"{"access_token": "a\nb"}"#, ErrorClass::Retry, "TokenUnavailable"),
        (200, r#"{"access_token": "t", "token_type": "mac"}"#, ErrorClass::Retry, "TokenUnavailable"),
        (200, r#"{"access_token": "t", "expires_in": 0}"#, ErrorClass::Retry, "TokenUnavailable"),
        (200, r#"{"access_token": "t", "expires_in": -5}"#, ErrorClass::Retry, "TokenUnavailable"),
        (200, r#"{"access_token": "t", "expires_in": "soon"}"#, ErrorClass::Retry, "TokenUnavailable"),
    ] {
        let issuer = Server::always(status, body).await;
        let error = oauth_client(&api, &issuer).create(&new_endpoint(), ANY_TIME).await.unwrap_err();
        assert_eq!((error.class(), error.reason()), (class, reason), "{status} {body}: {error}");
    }
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn lifetimes_are_read_with_tolerance() {
    let api = Server::working().await;
    for expires_in in ["", r#", "expires_in": null"#, r#", "expires_in": "60""#, r#", "expires_in": 1e300"#] {
        let body = format!(r#"{{"access_token": "t", "token_type": "bearer"{expires_in}}}"#);
        let issuer = Server::answering(move |_| answer(200, body.clone())).await;
        let client = oauth_client(&api, &issuer);
        client.authenticate().await.unwrap();
        client.authenticate().await.unwrap();
        assert_eq!(issuer.asked().len(), 1, "{expires_in}");
    }
}

#[tokio::test]
async fn a_failing_issuer_is_not_stampeded() {
    let api = Server::working().await;
    let issuer = Server::answering(|_| answer_with(503, ("retry-after", "30"), "")).await;
    let client = oauth_client(&api, &issuer);

    let new = new_endpoint();
    for result in join_all((0..50).map(|_| client.create(&new, ANY_TIME))).await {
        let error = result.unwrap_err();
        assert_eq!(error.reason(), "TokenUnavailable");
        let wait = error.retry_after().unwrap();
        assert!((Duration::from_secs(20)..=Duration::from_secs(30)).contains(&wait), "{wait:?}");
    }

    assert_eq!(issuer.asked().len(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_unavailable() {
    let (api, issuer) = (Server::working().await, Server::working().await);
    let client = oauth_client(&api, &issuer);
    drop(issuer);

    let error = client.authenticate().await.unwrap_err();

    assert_eq!((error.class(), error.reason()), (ErrorClass::Retry, "TokenUnavailable"));
}
