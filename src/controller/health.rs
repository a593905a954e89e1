//! Health checks and metrics over HTTP: `/livez`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::task::JoinHandle;
use tracing::info;

use super::looked::Looked;
use super::metrics::Metrics;
use super::{RunError, Term};

/// What the health checks and metrics look at.
#[derive(Clone)]
pub(super) struct Health {
    /// The latest term.
    term: Arc<Mutex<Option<Looked>>>,
    metrics: Arc<Metrics>,
}

impl Health {
    /// Checks that have no term to look at yet.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { term: Arc::default(), metrics }
    }

    /// Has the checks go by this term.
    pub(super) fn look_at(&self, term: &Term) {
        *self.term.lock().unwrap_or_else(PoisonError::into_inner) = Some(term.looked());
    }

    fn term(&self) -> Option<Looked> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_ready(&self) -> bool {
        self.term().is_some_and(|Looked { context, .. }| {
            let index = context.index();
            index.secrets_complete() && index.all_seen() && index.all_networks_are_seen()
        })
    }

    /// A loop that stands still though it may go on, if one does. Without an answer, what is known is locked for good, which is no
    /// better.
    fn standing(&self) -> Option<String> {
        let Looked { context, pulses, fence, .. } = self.term()?;
        drop(context.index());
        pulses.standing(Instant::now()).filter(|_| fence.is_open())
    }
}

/// Serves the health checks.
pub(super) async fn serve(
    address: SocketAddr,
    health: Health,
) -> Result<JoinHandle<std::io::Result<()>>, RunError> {
    let failed = |source| RunError::Listen { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    info!(address = %bound, "serving health checks");
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health);
    let server = axum::serve(listener, router);
    Ok(tokio::spawn(server.into_future()))
}

async fn livez(State(health): State<Health>) -> (StatusCode, String) {
    match health.standing() {
        None => (StatusCode::OK, "ok".to_owned()),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, format!("not alive: {what} stands still")),
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: caches are filling")
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let shown = health.metrics.show(health.term().as_ref());
    shown.map_or_else(
        |error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        |shown| ([(CONTENT_TYPE, OPENMETRICS)], shown).into_response(),
    )
}
