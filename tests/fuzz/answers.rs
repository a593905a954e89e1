//! Every answer of the API and of an issuer of tokens.

use std::fmt::Debug;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use webhook_operator::provider::{
    AddressPolicy, Auth, Client, ClientConfig, ClientCredentials, EndpointId, EndpointPatch, EndpointStatus,
    Error, EventType, Fence, Limits, Meter, NewEndpoint, Priority,
};

use crate::json::garbled;
use crate::server::Server;

/// What the client sends, and an answer may quote.
const QUOTED: &str = "client-secret-5f2b";
/// The longest message that is for people, in characters.
const LONGEST_MESSAGE: usize = 1024;

const STATUSES: [u16; 20] =
    [200, 200, 200, 200, 201, 202, 204, 206, 299, 301, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503];
const HEADERS: [&str; 16] = [
    "Content-Type: application/json",
    "Content-Type: text/html; charset=utf-8",
    "Content-Encoding: gzip",
    "Transfer-Encoding: chunked",
    "Content-Length: 3",
    "Content-Length: 99999999999999999999",
    "Location: //",
    "Retry-After: 1",
    "Retry-After: -1",
    "Retry-After: 99999999999999999999",
    "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
    "Date: Fri, 31 Dec 9999 23:59:59 GMT",
    "Date: Thu, 01 Jan 1970 00:00:00 GMT",
    "Date: yesterday",
    "WWW-Authenticate: Bearer error=\"invalid_token\"",
    "X-RateLimit-Reset: -5",
];

/// An answer to a request for `wanted`.
fn answer(made_up: &mut Unstructured<'_>, wanted: &Value) -> Result<Vec<u8>> {
    if made_up.ratio(1, 20)? {
        return made_up.arbitrary();
    }
    let status = *made_up.choose(&STATUSES)?;
    let mut answer = format!("HTTP/1.1 {status} Said\r\n").into_bytes();
    for _ in 0..*made_up.choose(&[0, 0, 1, 2, 3])? {
        answer.extend_from_slice(made_up.choose(&HEADERS)?.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"Connection: close\r\n\r\n");
    let body = body(made_up, wanted)?;
    let end = if made_up.ratio(1, 10)? { made_up.int_in_range(0..=body.len())? } else { body.len() };
    answer.extend_from_slice(&body[..end]);
    Ok(answer)
}

fn body(made_up: &mut Unstructured<'_>, wanted: &Value) -> Result<Vec<u8>> {
    Ok(match made_up.int_in_range(0..=11)? {
        0 => Vec::new(),
        1 => format!("<html><title>502</title>{QUOTED}</html>").into_bytes(),
        2 => json!({ "message": format!("no {QUOTED}"), "error": { "message": QUOTED } })
            .to_string()
            .into_bytes(),
        3 => [b"\xef\xbb\xbf".as_slice(), wanted.to_string().as_bytes()].concat(),
        4 => [b"[".repeat(3000), b"]".repeat(3000)].concat(),
        5 => made_up.arbitrary()?,
        _ => garbled(made_up, wanted)?.to_string().into_bytes(),
    })
}

fn example(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/api/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn client(server: &Server, auth: Auth) -> Client {
    let api_url = format!("http://{}/v1", server.address).parse().unwrap();
    Client::new(ClientConfig {
        api_url,
        auth,
        timeout: Duration::from_millis(500),
        limits: Limits { requests_per_second: 10_000.0, burst: 1000, in_flight: 100 },
        ca_bundle: None,
        allow_http: true,
        address_policy: AddressPolicy::Any,
        fence: Fence::default(),
        meter: Meter::default(),
    })
    .unwrap()
}

fn new_endpoint() -> NewEndpoint {
    NewEndpoint {
        url: "https://example.com/webhook".into(),
        enabled_events: [EventType::OcppMessage].into(),
        status: EndpointStatus::Active,
    }
}

/// What went wrong is told shortly, and without a secret.
fn check_error(error: &Error) {
    let message = error.to_string();
    assert!(message.chars().count() <= LONGEST_MESSAGE, "{} characters", message.len());
    assert!(!message.chars().any(char::is_control), "{message:?}");
    let _ = (error.class(), error.reason(), error.retry_after());
    check_debug(error);
}

fn check_debug(shown: &dyn Debug) {
    let shown = format!("{shown:?}");
    for secret in [QUOTED, "whsec_"] {
        assert!(!shown.contains(secret), "it shows a secret: {shown}");
    }
}

fn check_id(id: &EndpointId) {
    assert!(!id.as_str().is_empty() && !id.as_str().contains(char::is_control), "{id:?}");
}

#[test]
fn fuzz_answers_to_every_call() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (server, id) = (Server::start(), EndpointId::from("wh_abc123"));
    let (list, created, endpoint) = (example("list"), example("created"), example("endpoint"));
    crate::fuzz(bolero::check!(), |made_up| {
        let call = made_up.int_in_range(0..=4).unwrap();
        let wanted = match call {
            0 => &list,
            1 => &created,
            _ => &endpoint,
        };
        let Ok(answer) = answer(made_up, wanted) else { return };
        server.answers(answer);
        runtime.block_on(async {
            let client = client(&server, Auth::BearerToken(QUOTED.into()));
            let result = match call {
                0 => client.list_page(None, Priority::Change).await.map(|page| {
                    page.endpoints.iter().for_each(|endpoint| check_id(&endpoint.id));
                    page.next.iter().chain(&page.unreadable).for_each(check_id);
                }),
                1 => client.create(&new_endpoint(), Timestamp::MAX).await.map(|made| {
                    check_id(&made.endpoint.id);
                    assert!(!made.secret.expose_secret().is_empty());
                    check_debug(&made);
                }),
                2 => client.get(&id, Priority::Resync).await.map(|seen| assert_eq!(seen.id, id)),
                3 => {
                    let patch =
                        EndpointPatch { status: Some(EndpointStatus::Inactive), enabled_events: None };
                    client.patch(&id, &patch).await.map(|seen| assert!(seen.is_none_or(|seen| seen.id == id)))
                }
                _ => client.delete(&id).await,
            };
            if let Err(error) = result {
                check_error(&error);
            }
        });
    });
}

#[test]
fn fuzz_answers_of_an_issuer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = Server::start();
    let granted =
        json!({ "access_token": "issued", "token_type": "Bearer", "expires_in": 86_400, "scope": "a b" });
    crate::fuzz(bolero::check!(), |made_up| {
        let Ok(answer) = answer(made_up, &granted) else { return };
        server.answers(answer);
        let token_url = format!("http://{}/token", server.address).parse().unwrap();
        let credentials = ClientCredentials::new(token_url, "client".into(), QUOTED.into());
        let auth = Auth::OAuth2ClientCredentials(credentials);
        let client = client(&server, auth);
        if let Err(error) = runtime.block_on(client.authenticate()) {
            check_error(&error);
        }
    });
}
