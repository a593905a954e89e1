//! Health checks over HTTP: `/livez` and `/readyz`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::task::JoinHandle;
use tracing::info;

use super::RunError;
use super::Term;
use super::pulses::Pulses;
use crate::provider::Fence;
use crate::reconcile::Context;

/// What is known in a term, the loops that go on in it, and what they stop at.
type Looked = (Arc<Context>, Pulses, Fence);

/// What the health checks look at.
#[derive(Clone, Default)]
pub(super) struct Health {
    /// What is known in the latest term.
    term: Arc<Mutex<Option<Looked>>>,
}

impl Health {
    /// Has the checks go by what is known in this term, and by the loops that go on in it.
    pub(super) fn look_at(&self, term: &Term) {
        let looked = (Arc::clone(term.context()), term.pulses().clone(), term.fence().clone());
        *self.term.lock().unwrap_or_else(PoisonError::into_inner) = Some(looked);
    }

    fn term(&self) -> Option<Looked> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_ready(&self) -> bool {
        self.term().is_some_and(|(context, ..)| {
            let index = context.index();
            index.secrets_complete() && index.all_seen() && index.all_networks_are_seen()
        })
    }

    /// A loop that stands still though it may go on, if one does. Without an answer, what is known is locked for good, which is no
    /// better.
    fn standing(&self) -> Option<String> {
        let (context, pulses, fence) = self.term()?;
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
    let router = Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(health);
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
