//! The wiring: watches feed what is known, what changes wakes a resource, shutdown drains.

mod dispatch;
mod endpoints;
mod health;
mod namespaces;
mod networks;
mod relist;
mod secrets;
mod streams;
mod tasks;
mod term;

use std::net::SocketAddr;

use kube::Config;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::reconcile::Settings;
use health::Health;
pub use term::Term;

/// Why the operator can't run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No client can be made.
    #[error("can't use the Kubernetes configuration: {0}")]
    Client(#[from] kube::Error),
    /// The health address can't be listened on.
    #[error("can't listen on {address} for health checks: {source}; choose another --health-address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Runs the operator until `shutdown`, then drains what is under way.
///
/// # Errors
///
/// When no Kubernetes client can be made, or the health address is taken.
pub async fn run(
    config: Config,
    settings: Settings,
    health_address: SocketAddr,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let health = Health::default();
    let server = health::serve(health_address, health.clone()).await?;
    let term = Term::begin(&config, settings)?;
    health.look_at(term.context());
    shutdown.cancelled().await;
    term.end().await;
    server.abort();
    info!("the operator has stopped");
    Ok(())
}
