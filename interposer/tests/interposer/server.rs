//! A server that answers as an API server would, and tells what it was asked.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use certificates::{Authority, Validity};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use url::form_urlencoded;

use crate::soon;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// What a list shows now.
pub(crate) const PRESENT: &str = "200";

/// One request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `METHOD path?query`.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What its connections share.
#[derive(Debug)]
struct State {
    seen: watch::Sender<Vec<Seen>>,
    /// Mutations are answered while this holds.
    answering: watch::Sender<bool>,
    /// The bodies of watches and of other streams (`follow`), in the order in which they were opened.
    watches: Mutex<Vec<mpsc::UnboundedSender<Bytes>>>,
}

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) ca_pem: Option<String>,
    state: Arc<State>,
}

impl Server {
    pub(crate) async fn http() -> Self {
        Self::start("http", None, None).await
    }

    pub(crate) async fn https() -> Self {
        let authority = Authority::new("test").unwrap();
        let server = authority.server("test", &["127.0.0.1"], Validity::Valid).unwrap();
        Self::start("https", Some(authority.pem()), Some(server.server_config().unwrap().into())).await
    }

    async fn start(scheme: &str, ca_pem: Option<String>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            seen: watch::Sender::default(),
            answering: watch::Sender::new(true),
            watches: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, state) = (tls.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, state).await,
                        Some(tls) => serve(tls.accept(stream).await.unwrap(), state).await,
                    }
                });
            }
        });
        Self { url, ca_pem, state }
    }

    /// The request lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.borrow().clone()
    }

    /// Waits until so many requests have come in.
    pub(crate) async fn until_asked(&self, requests: usize) {
        soon(self.state.seen.subscribe().wait_for(|seen| seen.len() >= requests)).await.unwrap();
    }

    /// Takes mutations without answering them, until [`answer`](Self::answer).
    pub(crate) fn keep_silent(&self) {
        self.state.answering.send_replace(false);
    }

    pub(crate) fn answer(&self) {
        self.state.answering.send_replace(true);
    }

    /// Sends bytes on the watch that was opened as the `nth`, from 0.
    pub(crate) fn send(&self, nth: usize, bytes: impl Into<Bytes>) {
        self.state.watches.lock().unwrap()[nth].send(bytes.into()).unwrap();
    }

    /// Whether somebody still reads that watch.
    pub(crate) async fn until_left(&self, nth: usize) {
        let watch = self.state.watches.lock().unwrap()[nth].clone();
        soon(watch.closed()).await;
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
    let service = service_fn(|request| answer(request, Arc::clone(&state)));
    // A client that leaves is not this server's failure.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let parameter = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let line = format!("{} {}", head.method, head.uri);
    let seen = Seen { line, headers: head.headers, body: body.clone() };
    if parameter("watch").or(parameter("follow")).is_some() {
        let (events, stream) = mpsc::unbounded_channel();
        state.watches.lock().unwrap().push(events);
        state.seen.send_modify(|all| all.push(seen));
        let frames = futures::stream::unfold(stream, |mut stream| async {
            let bytes: Bytes = stream.recv().await?;
            Some((Ok(Frame::data(bytes)), stream))
        });
        return Ok(Response::new(StreamBody::new(frames).boxed_unsync()));
    }
    state.seen.send_modify(|all| all.push(seen));
    if head.method == http::Method::GET {
        let version = parameter("resourceVersionMatch").and_then(|_| parameter("resourceVersion"));
        let version = version.as_deref().unwrap_or(PRESENT);
        return Ok(whole(
            StatusCode::OK,
            json!({
                "kind": "WebhookEndpointList",
                "apiVersion": "g.dev/v1",
                "metadata": {"resourceVersion": version},
                "items": [{"metadata": {"name": format!("as-of-{version}")}}],
            })
            .to_string(),
        ));
    }
    state.answering.subscribe().wait_for(|answering| *answering).await.unwrap();
    let (status, answer) = match head.method {
        http::Method::POST => (StatusCode::CREATED, body),
        http::Method::DELETE => (StatusCode::NO_CONTENT, Bytes::new()),
        _ => (StatusCode::OK, body),
    };
    Ok(whole(status, answer))
}

fn whole(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
