//! One token for all calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use webhook_operator::provider::{
    Auth, Client, ClientAuthentication, ClientConfig, ClientCredentials, EndpointPatch, EndpointStatus,
    ErrorClass, Listing, Priority, RequestFormat,
};

use crate::server::{
    ANY_TIME, Server, answer, answer_with, client, config, credentials, new_endpoint, oauth_client,
    oauth_config, token, work,
};

/// A token URL that numbers its tokens.
async fn numbering_issuer(expires_in: u64) -> Server {
    let issued = AtomicU64::new(0);
    Server::answering(move |_| token(&format!("t{}", issued.fetch_add(1, Ordering::SeqCst) + 1), expires_in))
        .await
}

/// The fields of a form.
fn form(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn is_asked_for_as_issuers_want_it() {
    let api = Server::working().await;
    for format in [RequestFormat::Form, RequestFormat::Json] {
        for authentication in [ClientAuthentication::Body, ClientAuthentication::Basic] {
            let issuer = numbering_issuer(3600).await;
            let auth = Auth::OAuth2ClientCredentials(ClientCredentials {
                scope: Some("read write".into()),
                client_secret: "a b+&%:c".into(),
                request_format: format,
                client_authentication: authentication,
                ..credentials(&issuer)
            });
            let client = Client::new(ClientConfig { auth, ..config(api.url()) }).unwrap();
            client.authenticate().await.unwrap();

            let asked = &issuer.asked()[0];
            assert_eq!(asked.line(), "POST /v1");
            assert_eq!(asked.headers["accept"], "application/json");
            assert_eq!(asked.headers["accept-encoding"], "identity");
            let (kind, fields) = match format {
                RequestFormat::Form => ("application/x-www-form-urlencoded", form(&asked.text)),
                RequestFormat::Json => {
                    ("application/json", serde_json::from_value(asked.body.clone()).unwrap())
                }
            };
            assert_eq!(asked.headers["content-type"], kind);
            let mut expected = vec![
                ("audience", "https://api.example.com"),
                ("grant_type", "client_credentials"),
                ("scope", "read write"),
            ];
            let header = match authentication {
                ClientAuthentication::Body => {
                    expected.extend([("client_id", "the-id"), ("client_secret", "a b+&%:c")]);
                    ""
                }
                // the-id:a+b%2B%26%25%3Ac
                ClientAuthentication::Basic => "Basic dGhlLWlkOmErYiUyQiUyNiUyNSUzQWM=",
            };
            let expected = expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(fields, expected.collect(), "{format:?} {authentication:?}");
            assert_eq!(asked.authorization(), header);
        }
    }
    assert!(api.asked().is_empty(), "authenticating does not call the API");
}

#[tokio::test]
async fn neither_audience_nor_scope_is_asked_for_unless_it_is_set() {
    let (api, issuer) = (Server::working().await, numbering_issuer(3600).await);
    let client = ClientCredentials::new(issuer.url(), "the-id".into(), "the-secret".into());
    let auth = Auth::OAuth2ClientCredentials(client);
    let client = Client::new(ClientConfig { auth, ..config(api.url()) }).unwrap();

    client.create(&new_endpoint(), ANY_TIME).await.unwrap();

    let asked = &issuer.asked()[0];
    assert_eq!(asked.text, "grant_type=client_credentials&client_id=the-id&client_secret=the-secret");
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
    revoked.store(0, Ordering::SeqCst);
    let client = oauth_client(&api, &issuer);
    client.authenticate().await.unwrap();
    revoked.store(3, Ordering::SeqCst);
    for result in join_all((0..20).map(|_| client.list_page(None, Priority::Resync))).await {
        result.unwrap();
    }
    assert_eq!(issuer.asked().len(), 4);
}

#[tokio::test]
async fn is_not_fetched_for_ever_when_the_api_never_accepts_it_for_one_operation() {
    let issuer = numbering_issuer(3600).await;
    let api =
        Server::answering(|asked| if asked.method == "PATCH" { answer(401, "") } else { work(asked) }).await;
    let client = oauth_client(&api, &issuer);
    let patch = EndpointPatch { status: Some(EndpointStatus::Inactive), enabled_events: None };

    for _ in 0..20 {
        client.list_page(None, Priority::Resync).await.unwrap();
        let error = client.patch(&"wh_abc123".into(), &patch).await.unwrap_err();
        assert_eq!(error.reason(), "Unauthorized");
    }

    assert!(issuer.asked().len() <= 3, "{} tokens were fetched", issuer.asked().len());
}

#[tokio::test]
async fn case_18_new_credentials_keep_the_pause_that_the_api_asked_for() {
    let issuer = numbering_issuer(3600).await;
    let api = Server::answering(|_| answer_with(429, ("retry-after", "60"), "")).await;
    let before = oauth_client(&api, &issuer);
    before.list(Priority::Resync, || {}, Listing::unshared).await.unwrap_err();

    let client = ClientCredentials { client_secret: "another".into(), ..credentials(&issuer) };
    let auth = Auth::OAuth2ClientCredentials(client);
    let config = ClientConfig { auth, ..config(api.url()) };
    let after = Client::succeeding(config, Some(&before)).unwrap();
    let error = after.list(Priority::Resync, || {}, Listing::unshared).await.unwrap_err();

    assert_eq!(error.reason(), "RateLimited");
    assert!(error.retry_after() > Some(Duration::from_secs(50)), "{error:?}");
    assert_eq!(api.asked().len(), 1, "the API was left in peace");
    assert!(issuer.asked()[1].text.contains("another"), "the new credentials have a token of their own");

    // The same credentials with other settings go on with their token, too.
    let config = ClientConfig { timeout: Duration::from_secs(1), ..oauth_config(&api, &issuer) };
    let again = Client::succeeding(config, Some(&before)).unwrap();
    again.list(Priority::Resync, || {}, Listing::unshared).await.unwrap_err();
    assert_eq!((api.asked().len(), issuer.asked().len()), (1, 2));

    // Another API knows nothing of it.
    let elsewhere = Server::working().await;
    let config = oauth_config(&elsewhere, &issuer);
    Client::succeeding(config, Some(&after))
        .unwrap()
        .list(Priority::Resync, || {}, Listing::unshared)
        .await
        .unwrap();
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
        (400, r#"{"error": "temporarily_unavailable"}"#, ErrorClass::Retry, "TokenUnavailable"),
        (403, r#"{"error": "too_many_requests"}"#, ErrorClass::Retry, "TokenUnavailable"),
        (403, "<html><body>Forbidden</body></html>", ErrorClass::Retry, "TokenUnavailable"),
        (200, "<html><body>Sign in</body></html>", ErrorClass::Retry, "TokenUnavailable"),
        (302, "", ErrorClass::Retry, "TokenUnavailable"),
        (404, "", ErrorClass::Retry, "TokenUnavailable"),
        (429, "", ErrorClass::Retry, "TokenUnavailable"),
        (500, "", ErrorClass::Retry, "TokenUnavailable"),
        (200, "", ErrorClass::Retry, "TokenUnavailable"),
        (200, "{}", ErrorClass::Retry, "TokenUnavailable"),
        (200, r#"{"access_token": ""}"#, ErrorClass::Retry, "TokenUnavailable"),
        (200, r#"{"access_token": "a\nb"}"#, ErrorClass::Retry, "TokenUnavailable"),
        (200, r#"{"access_token": "t", "token_type": "mac"}"#, ErrorClass::Retry, "TokenUnavailable"),
    ] {
        let issuer = Server::always(status, body).await;
        let error = oauth_client(&api, &issuer).create(&new_endpoint(), ANY_TIME).await.unwrap_err();
        assert_eq!((error.class(), error.reason()), (class, reason), "{status} {body}: {error}");
    }
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn what_an_issuer_refuses_is_told_by_its_own_word_and_with_advice() {
    let api = Server::working().await;
    for (error, advice) in [
        ("invalid_client", "check clientId, clientSecret and audience"),
        ("unauthorized_client", "check clientId, clientSecret and audience"),
        ("invalid_scope", "check scope"),
        ("invalid_request", "check requestFormat, clientAuthentication, audience and scope"),
        ("unsupported_grant_type", "check requestFormat, clientAuthentication, audience and scope"),
    ] {
        let body = json!({ "error": error, "error_description": "no such thing" }).to_string();
        let issuer = Server::answering(move |_| answer(400, body.clone())).await;
        let told = oauth_client(&api, &issuer).authenticate().await.unwrap_err().to_string();
        let expected = format!(
            "cannot obtain a token: the token URL refused the client credentials with 400 Bad Request: no such thing ({error}); {advice}"
        );
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn lifetimes_are_read_with_tolerance() {
    let api = Server::working().await;
    for expires_in in [
        "",
        r#", "expires_in": null"#,
        r#", "expires_in": "60""#,
        r#", "expires_in": 1e300"#,
        r#", "expires_in": 0"#,
        r#", "expires_in": -1"#,
        r#", "expires_in": "never""#,
    ] {
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
