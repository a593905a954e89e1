//! What the client makes of the API's answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;
use webhook_operator::provider::{
    Client, ClientConfig, EndpointId, EndpointPatch, EndpointStatus, Error, ErrorClass, Listing, Page,
    Priority,
};

use crate::server::{self, ANY_TIME, Server, answer, answer_with, client, new_endpoint};

pub(crate) fn id() -> EndpointId {
    "wh_abc123".into()
}

fn deactivate() -> EndpointPatch {
    EndpointPatch { status: Some(EndpointStatus::Inactive), enabled_events: None }
}

/// The errors of create, get, patch, delete and list, in this order.
async fn errors(client: &Client) -> [Error; 5] {
    [
        client.create(&new_endpoint(), ANY_TIME).await.unwrap_err(),
        client.get(&id(), Priority::Change).await.unwrap_err(),
        client.patch(&id(), &deactivate()).await.unwrap_err(),
        client.delete(&id()).await.unwrap_err(),
        client.list_page(None, Priority::Resync).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn speaks_as_the_page_says() {
    let api = Server::working().await;
    let client = client(&api);

    let created = client.create(&new_endpoint(), ANY_TIME).await.unwrap();
    assert_eq!(created.endpoint.id, id());
    assert_eq!(created.secret.expose_secret(), "whsec_abc123def456...");
    assert_eq!(client.get(&id(), Priority::Change).await.unwrap(), created.endpoint);
    assert_eq!(client.patch(&id(), &deactivate()).await.unwrap().as_ref(), Some(&created.endpoint));
    client.delete(&id()).await.unwrap();
    let after = Some("wh_/&?".into());
    let page = client.list_page(after.as_ref(), Priority::Resync).await.unwrap();
    assert_eq!(page, Page { endpoints: vec![created.endpoint], ..Page::default() });

    assert_eq!(
        api.lines(),
        [
            "POST /v1/webhook-endpoints",
            "GET /v1/webhook-endpoints/wh_abc123",
            "PATCH /v1/webhook-endpoints/wh_abc123",
            "DELETE /v1/webhook-endpoints/wh_abc123",
            "GET /v1/webhook-endpoints?limit=100&startingAfter=wh_%2F%26%3F",
        ]
    );
    let asked = api.asked();
    for asked in &asked {
        assert_eq!(asked.authorization(), "Bearer a-token");
        assert_eq!(asked.headers["accept"], "application/json");
        assert_eq!(asked.headers["accept-encoding"], "identity");
    }
    let request: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/api/create-request.json")).unwrap();
    assert_eq!(asked[0].body, request);
    assert_eq!(asked[2].body, json!({"status": "inactive"}));
}

#[tokio::test]
async fn classes_every_status_once() {
    use ErrorClass::{Ambiguous, Forbidden, NotFound, Permanent, Retry, Unauthorized};

    for (status, reason, classes) in [
        (400, "Rejected", [Permanent, Permanent, Permanent, Permanent, Permanent]),
        (401, "Unauthorized", [Unauthorized; 5]),
        (402, "Rejected", [Permanent; 5]),
        (403, "MissingScope", [Forbidden; 5]),
        (404, "NotFound", [Permanent, NotFound, NotFound, NotFound, Permanent]),
        (410, "NotFound", [Permanent, NotFound, NotFound, NotFound, Permanent]),
        (409, "Conflict", [Permanent; 5]),
        (413, "Rejected", [Permanent; 5]),
        (422, "Rejected", [Permanent; 5]),
        (408, "ServerError", [Ambiguous, Retry, Ambiguous, Ambiguous, Retry]),
        (500, "ServerError", [Ambiguous, Retry, Ambiguous, Ambiguous, Retry]),
        (501, "ServerError", [Ambiguous, Retry, Ambiguous, Ambiguous, Retry]),
        (301, "Redirected", [Ambiguous, Retry, Ambiguous, Ambiguous, Retry]),
        (307, "Redirected", [Ambiguous, Retry, Ambiguous, Ambiguous, Retry]),
    ] {
        let api = Server::always(status, r#"{"message": "no"}"#).await;
        let errors = errors(&client(&api)).await;
        assert_eq!(errors.clone().map(|error| error.class()), classes, "{status}");
        for error in errors {
            assert_eq!(error.reason(), reason, "{status}");
        }
        assert_eq!(api.asked().len(), 5, "{status} must not be repeated by the client itself");
    }
    // Each of these opens the circuit or pauses the network, so each call gets a client of its own.
    for (status, reason, class) in [
        (429, "RateLimited", Retry),
        (502, "ServerError", Ambiguous),
        (503, "ServerError", Ambiguous),
        (504, "ServerError", Ambiguous),
    ] {
        let api = Server::always(status, "").await;
        let error = client(&api).create(&new_endpoint(), ANY_TIME).await.unwrap_err();
        assert_eq!((error.reason(), error.class()), (reason, class), "{status}");
    }
}

/// The API answers in JSON: a page for people is a gateway's, which knows nothing of the endpoint.
#[tokio::test]
async fn case_03_a_page_that_says_404_tells_nothing_of_an_endpoint() {
    use ErrorClass::{NotFound, Permanent, Retry};

    let api = Server::always(404, "<html><body>404 Not Found</body></html>").await;
    let errors = errors(&client(&api)).await;
    assert_eq!(errors.clone().map(|error| error.class()), [Permanent, Retry, NotFound, NotFound, Retry]);
    assert!(errors.iter().all(|error| error.reason() == "NotFound"));
}

#[tokio::test]
async fn a_message_says_what_failed_and_what_to_do() {
    let api = Server::always(422, r#"{"message": "url must be https"}"#).await;

    let error = client(&api).create(&new_endpoint(), ANY_TIME).await.unwrap_err();

    assert_eq!(
        error.to_string(),
        "cannot create the endpoint: the API refused the request with 422 Unprocessable Entity: url must be https; correct the resource"
    );
}

#[tokio::test]
async fn an_unreadable_success_leaves_open_what_only_its_body_would_tell() {
    for body in ["", "<html>", r#"{"data": {}}"#, r#"{"data": {"id": "wh_abc1"#, "[]"] {
        let api = Server::always(200, body).await;
        let client = client(&api);
        for (error, class) in [
            (client.create(&new_endpoint(), ANY_TIME).await.unwrap_err(), ErrorClass::Ambiguous),
            (client.get(&id(), Priority::Change).await.unwrap_err(), ErrorClass::Retry),
            (client.list_page(None, Priority::Resync).await.unwrap_err(), ErrorClass::Retry),
        ] {
            assert_eq!((error.class(), error.reason()), (class, "InvalidResponse"), "{body}");
        }
        let patched = client.patch(&id(), &deactivate()).await;
        let deleted = client.delete(&id()).await;
        if body == "<html>" {
            assert!(patched.is_err() && deleted.is_err(), "a page is not the API's");
            continue;
        }
        assert_eq!(patched.unwrap(), None, "it was accepted, and a GET tells the rest: {body}");
        deleted.unwrap();
    }
}

#[tokio::test]
async fn an_oversized_answer_is_not_read() {
    let announced = "x".repeat(5 * 1024 * 1024);
    let api = Server::answering(move |asked| {
        if asked.method == "POST" {
            return answer(201, announced.clone());
        }
        // Without a length, and without an end.
        let chunk = axum::body::Bytes::from(vec![b'x'; 64 * 1024]);
        let endless = futures::stream::repeat_with(move || Ok::<_, std::convert::Infallible>(chunk.clone()));
        answer(200, axum::body::Body::from_stream(endless))
    })
    .await;
    let client = client(&api);

    for error in [
        client.create(&new_endpoint(), ANY_TIME).await.unwrap_err(),
        client.get(&id(), Priority::Change).await.unwrap_err(),
        client.list_page(None, Priority::Resync).await.unwrap_err(),
    ] {
        assert_eq!(error.reason(), "InvalidResponse");
        assert!(error.to_string().contains("longer than"), "{error}");
    }
    // A delete has taken effect, whatever its body is like; it is not waited for.
    client.delete(&id()).await.unwrap();
}

#[tokio::test]
async fn a_create_without_a_secret_tells_the_id() {
    let api = Server::always(201, r#"{"data": {"id": "wh_1", "url": "u"}}"#).await;

    let error = client(&api).create(&new_endpoint(), ANY_TIME).await.unwrap_err();

    assert_eq!(error.created_without_secret(), Some(&"wh_1".into()));
    assert_eq!((error.class(), error.reason()), (ErrorClass::Ambiguous, "CreatedWithoutSecret"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Server::working().await;
    let location: &'static str = format!("http://{}/v1/webhook-endpoints", other.address).leak();
    let api = Server::answering(move |_| answer_with(307, ("location", location), "")).await;

    client(&api).create(&new_endpoint(), ANY_TIME).await.unwrap_err();

    assert_eq!(other.lines(), [""; 0]);
}

#[tokio::test]
async fn an_id_that_cannot_be_a_segment_is_not_sent() {
    let api = Server::working().await;
    let client = client(&api);

    for id in ["", ".", ".."] {
        let error = client.delete(&id.into()).await.unwrap_err();
        assert_eq!((error.reason(), error.class()), ("InvalidId", ErrorClass::Permanent));
    }
    client.delete(&"../../admin".into()).await.unwrap();

    assert_eq!(api.lines(), ["DELETE /v1/webhook-endpoints/..%2F..%2Fadmin"]);
}

/// A page of `count` endpoints numbered from `first`.
fn page(first: usize, count: usize, has_more: bool) -> String {
    let items: Vec<_> = (first..first + count)
        .map(|number| {
            json!({"id": format!("wh_{number}"), "url": "https://example.com", "status": "active",
                "enabledEvents": ["ocpp.message"]})
        })
        .collect();
    json!({"data": {"items": items, "hasMore": has_more}}).to_string()
}

#[tokio::test]
async fn lists_page_by_page_to_the_end() {
    let api = Server::answering(|asked| {
        answer(
            200,
            match asked.target.split_once("startingAfter=").map(|(_, cursor)| cursor) {
                None => page(0, 100, true),
                Some("wh_99") => page(100, 100, true),
                Some("wh_199") => page(200, 3, false),
                Some(_) => String::new(),
            },
        )
    })
    .await;

    let listing = client(&api).list(Priority::Resync, || {}, Listing::unshared).await.unwrap();

    let ids: Vec<_> = listing.endpoints.iter().map(|item| item.id.to_string()).collect();
    assert_eq!(ids, (0..203).map(|number| format!("wh_{number}")).collect::<Vec<_>>());
    assert_eq!(api.asked().len(), 3);
}

#[tokio::test]
async fn a_list_that_makes_no_progress_or_loses_its_place_ends_with_an_error() {
    // The same page for ever.
    let api = Server::answering(|_| answer(200, page(0, 2, true))).await;
    let error = client(&api).list(Priority::Resync, || {}, Listing::unshared).await.unwrap_err();
    assert_eq!((error.reason(), api.asked().len()), ("InvalidResponse", 2), "{error}");

    // A cursor whose endpoint is gone means to begin again, not that the request is wrong.
    for status in [400, 404, 422] {
        let api = Server::answering(move |asked| {
            if asked.target.contains("startingAfter") {
                answer(status, "")
            } else {
                answer(200, page(0, 2, true))
            }
        })
        .await;
        let error = client(&api).list(Priority::Resync, || {}, Listing::unshared).await.unwrap_err();
        assert_eq!((error.reason(), error.class()), ("CursorRefused", ErrorClass::Retry), "{status}");
        assert_eq!(api.asked().len(), 2, "{status}");
    }
}

#[tokio::test]
async fn case_17_a_page_that_fails_is_asked_for_again_where_the_list_stands() {
    for (why, failure) in [
        ("500", (|| answer(500, "")) as fn() -> axum::response::Response),
        ("503", || answer(503, "<html>")),
        ("429", || answer(429, "")),
        ("429 with a time", || answer_with(429, ("retry-after", "1"), "")),
        ("half a body", || {
            let half = Ok("{\"data\": {\"items\": [");
            let body = futures::stream::iter([half, Err(std::io::Error::other("broken"))]);
            answer(200, axum::body::Body::from_stream(body))
        }),
        ("half an answer", || answer(200, "{\"data\": {\"items\": [")),
        ("a page for people", || answer(200, "<!doctype html><html>")),
        ("no answer in time", || {
            let never = futures::stream::pending::<Result<&'static str, std::io::Error>>();
            answer(200, axum::body::Body::from_stream(never))
        }),
    ] {
        let failures = AtomicUsize::new(0);
        let api = Server::answering(move |asked| {
            match asked.target.split_once("startingAfter=").map(|(_, cursor)| cursor) {
                None => answer(200, page(0, 2, true)),
                Some("wh_1") if failures.fetch_add(1, Ordering::SeqCst) < 1 => failure(),
                Some("wh_1") => answer(200, page(2, 2, true)),
                Some(_) => answer(200, page(4, 1, false)),
            }
        })
        .await;
        let config = ClientConfig { timeout: Duration::from_millis(500), ..server::config(api.url()) };
        let listing =
            Client::new(config).unwrap().list(Priority::Resync, || {}, Listing::unshared).await.unwrap();

        assert_eq!(listing.endpoints.len(), 5, "{why}");
        let cursors =
            api.asked().into_iter().map(|asked| asked.target.replace("/v1/webhook-endpoints?limit=100", ""));
        let after = ["", "&startingAfter=wh_1", "&startingAfter=wh_1", "&startingAfter=wh_3"];
        assert_eq!(cursors.collect::<Vec<_>>(), after, "{why}");
    }
}

#[tokio::test]
async fn takes_the_time_over_from_the_api() {
    let api =
        Server::answering(|_| answer_with(200, ("date", "Wed, 07 Jun 2023 17:32:28 GMT"), server::ENDPOINT))
            .await;
    let client = client(&api);
    let before = client.now();
    assert!(before.as_second() > 1_700_000_000, "the local time");

    client.get(&id(), Priority::Change).await.unwrap();

    let ahead =
        client.now().as_second() - "2023-06-07T17:32:28Z".parse::<jiff::Timestamp>().unwrap().as_second();
    assert!((0..30).contains(&ahead), "{ahead}");
}
