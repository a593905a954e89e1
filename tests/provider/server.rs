//! A server that answers as told, and clients for it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use url::Url;
use webhook_operator::provider::{
    AddressPolicy, Auth, Client, ClientConfig, ClientCredentials, EndpointStatus, EventType, Fence, Limits,
    Meter, NewEndpoint,
};

/// The page's example of a created endpoint.
pub(crate) const CREATED: &str = include_str!("../fixtures/api/created.json");
/// The page's example of an endpoint.
pub(crate) const ENDPOINT: &str = include_str!("../fixtures/api/endpoint.json");
/// No create is too late.
pub(crate) const ANY_TIME: Timestamp = Timestamp::MAX;
/// The page's example of a list.
pub(crate) const LIST: &str = include_str!("../fixtures/api/list.json");

/// What the server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    /// The body, if it is JSON.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Asked {
    pub(crate) fn authorization(&self) -> &str {
        self.headers.get("authorization").map_or("", |value| value.to_str().unwrap())
    }

    /// `METHOD /path?query`
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// A running server; it stops when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers each request with what `answer` makes of it.
    pub(crate) async fn answering(answer: impl Fn(&Asked) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let answer = Arc::new(answer);
        let seen = asked.clone();
        let app = Router::new().fallback(move |request: Request| {
            let (seen, answer) = (seen.clone(), answer.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                let asked = Asked {
                    method: head.method,
                    target: head.uri.to_string(),
                    headers: head.headers,
                    body: serde_json::from_slice(&body).unwrap_or(Value::Null),
                    text: String::from_utf8_lossy(&body).into_owned(),
                };
                seen.lock().unwrap().push(asked.clone());
                answer(&asked)
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, asked, task }
    }

    /// Answers every request in the same way.
    pub(crate) async fn always(status: u16, body: &'static str) -> Self {
        Self::answering(move |_| answer(status, body)).await
    }

    /// An API that works as the page says.
    pub(crate) async fn working() -> Self {
        Self::answering(work).await
    }

    pub(crate) fn url(&self) -> Url {
        format!("http://{}/v1", self.address).parse().unwrap()
    }

    /// Waits until the server was asked `count` times.
    pub(crate) async fn asked_times(&self, count: usize) {
        let asked = async {
            while self.asked().len() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), asked).await.expect("it is asked");
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The requests so far, one `METHOD /path` each.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}

pub(crate) fn answer(status: u16, body: impl Into<Body>) -> Response {
    (StatusCode::from_u16(status).unwrap(), body.into()).into_response()
}

pub(crate) fn answer_with(status: u16, header: (&'static str, &'static str), body: &'static str) -> Response {
    (StatusCode::from_u16(status).unwrap(), [header], body).into_response()
}

/// An answer whose body comes once `release` is told.
pub(crate) fn held(release: &Arc<Notify>, body: impl Into<Vec<u8>>) -> Response {
    let (release, body) = (Arc::clone(release), body.into());
    let body = futures::stream::once(async move {
        release.notified().await;
        Ok::<_, std::convert::Infallible>(body)
    });
    answer(200, Body::from_stream(body))
}

/// The page's example for each operation.
pub(crate) fn work(asked: &Asked) -> Response {
    let is_item = asked.target.contains("/webhook-endpoints/");
    match asked.method {
        Method::POST => answer(201, CREATED),
        Method::GET if !is_item => answer(200, LIST.replace("true", "false")),
        Method::GET | Method::PATCH => answer(200, ENDPOINT),
        Method::DELETE => answer(204, ""),
        _ => answer(405, ""),
    }
}

/// The answer of a token URL.
pub(crate) fn token(name: &str, expires_in: u64) -> Response {
    answer(200, token_body(name, expires_in))
}

pub(crate) fn token_body(name: &str, expires_in: u64) -> String {
    json!({"access_token": name, "token_type": "Bearer", "expires_in": expires_in, "scope": "a b"})
        .to_string()
}

pub(crate) fn config(api_url: Url) -> ClientConfig {
    ClientConfig {
        api_url,
        auth: Auth::BearerToken("a-token".into()),
        timeout: Duration::from_secs(5),
        limits: Limits { requests_per_second: 10_000.0, burst: 1000, in_flight: 100 },
        ca_bundle: None,
        allow_http: true,
        address_policy: AddressPolicy::Any,
        fence: Fence::default(),
        meter: Meter::default(),
    }
}

pub(crate) fn client(server: &Server) -> Client {
    Client::new(config(server.url())).unwrap()
}

/// A client that fetches its tokens from `issuer`.
pub(crate) fn oauth_client(api: &Server, issuer: &Server) -> Client {
    Client::new(oauth_config(api, issuer)).unwrap()
}

pub(crate) fn oauth_config(api: &Server, issuer: &Server) -> ClientConfig {
    ClientConfig { auth: Auth::OAuth2ClientCredentials(credentials(issuer)), ..config(api.url()) }
}

pub(crate) fn credentials(issuer: &Server) -> ClientCredentials {
    ClientCredentials {
        audience: Some("https://api.example.com".into()),
        ..ClientCredentials::new(issuer.url(), "the-id".into(), "the-secret".into())
    }
}

pub(crate) fn new_endpoint() -> NewEndpoint {
    NewEndpoint {
        url: "https://example.com/webhook".into(),
        enabled_events: [EventType::OcppMessage].into(),
        status: EndpointStatus::Active,
    }
}
