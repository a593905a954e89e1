//! Health checks over HTTP: `/livez` and `/readyz`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::task::JoinHandle;
use tracing::info;

use super::RunError;
use crate::reconcile::Context;

/// What the health checks look at.
#[derive(Clone, Default)]
pub(super) struct Health {
    /// What is known in the latest term.
    context: Arc<Mutex<Option<Arc<Context>>>>,
}

impl Health {
    /// Has readiness depend on what is known in this term.
    pub(super) fn look_at(&self, context: &Arc<Context>) {
        *self.context.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(context));
    }

    fn is_ready(&self) -> bool {
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner).clone();
        context.is_some_and(|context| {
            let index = context.index();
            index.secrets_complete() && index.all_seen()
        })
    }
}

/// Serves the health checks.
pub(super) async fn serve(address: SocketAddr, health: Health) -> Result<JoinHandle<()>, RunError> {
    let failed = |source| RunError::Listen { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    info!(address = %bound, "serving health checks");
    let router = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .with_state(health);
    let server = axum::serve(listener, router);
    Ok(tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::warn!("health checks ended: {error}");
        }
    }))
}

async fn readyz(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: caches are filling")
    }
}
