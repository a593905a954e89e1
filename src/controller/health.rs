//! Health checks over HTTP: `/livez` and `/readyz`.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use kube::runtime::reflector::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::RunError;
use crate::resources::WebhookEndpoint;

/// What the health checks look at.
#[derive(Clone, Debug)]
pub(super) struct Health {
    secrets: watch::Sender<bool>,
    store: Arc<OnceLock<Store<WebhookEndpoint>>>,
}

impl Default for Health {
    fn default() -> Self {
        Self { secrets: watch::Sender::new(false), store: Arc::default() }
    }
}

impl Health {
    /// Where the watch of Secrets tells that it has seen all once.
    pub(super) fn secrets(&self) -> watch::Sender<bool> {
        self.secrets.clone()
    }

    /// Waits until all Secrets were seen once.
    pub(super) async fn secrets_seen(&self) {
        // The sender lives as long as `self`.
        let _ = self.secrets.subscribe().wait_for(|seen| *seen).await;
    }

    /// Has readiness depend on the cache of resources.
    pub(super) fn watch_store(&self, store: Store<WebhookEndpoint>) {
        let _ = self.store.set(store);
    }

    fn is_ready(&self) -> bool {
        use futures::FutureExt as _;
        *self.secrets.borrow()
            && self.store.get().is_some_and(|store| store.wait_until_ready().now_or_never().is_some())
    }
}

/// Serves the health checks.
pub(super) async fn serve(
    address: SocketAddr,
    health: Health,
    shutdown: CancellationToken,
) -> Result<JoinHandle<()>, RunError> {
    let failed = |source| RunError::Listen { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    info!(address = %bound, "serving health checks");
    let router = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .with_state(health);
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned());
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
