//! Errors are named as what they are, and nothing but the API's own answers is taken for one.

use std::time::Duration;

use webhook_operator::provider::{ErrorClass, Priority};

use crate::answers::id;
use crate::server::{ANY_TIME, Server, answer_with, client, new_endpoint};

#[tokio::test]
async fn errors_are_named_as_what_they_are() {
    const LIMIT: &str = r#"{"message": "You have exceeded a secondary rate limit"}"#;
    const HTML: &str = "<html><head><title>502</title></head></html>";
    let wait = Some(Duration::from_mins(1));
    for (status, header, body, reason, retry_after) in [
        (401, ("x-a", "b"), LIMIT, "RateLimited", None),
        (401, ("x-a", "b"), "", "Unauthorized", None),
        (401, ("retry-after", "60"), "", "Unauthorized", wait),
        (403, ("x-a", "b"), LIMIT, "RateLimited", None),
        (403, ("x-a", "b"), r#"{"error": {"code": "too_many_requests"}}"#, "RateLimited", None),
        (403, ("retry-after", "60"), "", "RateLimited", wait),
        (403, ("x-ratelimit-reset", "99999999999999999999"), "", "MissingScope", None),
        (403, ("ratelimit-reset", "soon"), "", "MissingScope", None),
        (403, ("x-ratelimit-remaining", "0"), HTML, "MissingScope", None),
        (409, ("retry-after", "60"), "", "Conflict", wait),
        (422, ("retry-after", "60"), "", "Rejected", wait),
        (500, ("retry-after", "60"), "", "ServerError", wait),
        (503, ("retry-after", "60"), HTML, "ServerError", wait),
        (429, ("x-ratelimit-reset", "-1"), HTML, "RateLimited", None),
    ] {
        let api = Server::answering(move |_| answer_with(status, header, body)).await;
        let error = client(&api).create(&new_endpoint(), ANY_TIME).await.unwrap_err();
        assert_eq!(
            (error.reason(), error.retry_after()),
            (reason, retry_after),
            "{status} {header:?} {body}"
        );
        assert!(!error.to_string().contains(['<', '{']), "{error}");
    }
}

#[tokio::test]
async fn messages_show_what_the_api_says_and_never_json_or_html() {
    for (status, body, told) in [
        (
            422,
            r#"{"error": {"code": "invalid_url", "message": "no such host"}}"#,
            ": no such host (invalid_url);",
        ),
        (404, r#"{"title": "Not Found", "detail": "no network n_1"}"#, ": no network n_1;"),
        (500, r#"{"errors": [{"message": "one"}, {"detail": "two"}]}"#, ": one; two;"),
        (502, "<html><body>Bad Gateway</body></html>", "502 Bad Gateway: an HTML page;"),
        (500, r#"{"trace": ["at x.js:1"]}"#, "500 Internal Server Error;"),
        (200, "<html><body>Sign in</body></html>", ": an HTML page;"),
    ] {
        let api = Server::always(status, body).await;
        let error = client(&api).create(&new_endpoint(), ANY_TIME).await.unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains(['<', '{']), "{error}");
    }
}

#[tokio::test]
async fn an_answer_in_an_encoding_that_was_not_asked_for_is_named() {
    let api = Server::answering(|_| answer_with(200, ("content-encoding", "br"), "\u{1f}")).await;

    let error = client(&api).get(&id(), Priority::Change).await.unwrap_err().to_string();

    assert!(error.contains("encoded as br, which was not asked for"), "{error}");
}

#[tokio::test]
async fn a_page_for_people_deletes_nothing() {
    let api = Server::always(200, "<!DOCTYPE html>\n<html>").await;

    let error = client(&api).delete(&id()).await.unwrap_err();

    assert_eq!((error.class(), error.reason()), (ErrorClass::Ambiguous, "InvalidResponse"));
}

#[tokio::test]
async fn only_the_apis_own_answers_tell_its_time() {
    const LONG_AGO: (&str, &str) = ("date", "Wed, 07 Jun 2023 17:32:28 GMT");
    for (status, body) in [
        (200, "<html>"),
        (200, "{}"),
        (200, r#"{"data": {"id": "wh_2"}}"#),
        (404, r#"{"message": "no"}"#),
        (401, ""),
        (502, "<html>"),
        (204, ""),
    ] {
        let api = Server::answering(move |_| answer_with(status, LONG_AGO, body)).await;
        let client = client(&api);

        let _ = client.get(&id(), Priority::Change).await;
        let _ = client.delete(&id()).await;
        let _ = client.list_page(None, Priority::Change).await;

        assert!(client.now().as_second() > 1_700_000_000, "{status} {body}");
    }
}
