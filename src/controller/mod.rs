//! The wiring: watches feed what is known, what changes wakes a resource, shutdown drains.

mod dispatch;
mod endpoints;
mod health;
mod lines;
mod namespaces;
mod networks;
mod pulses;
mod relist;
mod secrets;
mod streams;
mod tasks;
mod term;

use std::net::SocketAddr;
use std::time::Duration;

use kube::Config;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::reconcile::Settings;
use health::Health;
pub use tasks::TaskFailure;
pub use term::Term;

/// Why the operator can't run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No client can be made.
    #[error("can't use the Kubernetes configuration: {0}")]
    Client(#[from] kube::Error),
    /// A task is gone without which the operator would do half of its work.
    #[error(transparent)]
    Task(#[from] TaskFailure),
    /// Health checks are not served any more.
    #[error("health checks are not served any more, so the operator has to be started again")]
    Health,
    /// The health address can't be listened on.
    #[error("can't listen on {address} for health checks: {source}; choose another --health-address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// How long what is under way may take to end once a part of the operator has failed.
const MOMENT: Duration = Duration::from_secs(10);

/// Runs the operator until `shutdown`, then drains what is under way.
///
/// # Errors
///
/// When no Kubernetes client can be made, the health address is taken, or a part of the operator fails: what is under
/// way is given a moment then.
pub async fn run(
    config: Config,
    settings: Settings,
    health_address: SocketAddr,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let health = Health::default();
    let server = health::serve(health_address, health.clone()).await?;
    let term = Term::begin(&config, settings)?;
    health.look_at(term.context(), term.pulses());
    let stop = server.abort_handle();
    let failure = tokio::select! {
        () = shutdown.cancelled() => None,
        failure = term.failure() => Some(RunError::from(failure)),
        _ = server => Some(RunError::Health),
    };
    let outcome = if let Some(failure) = failure {
        error!("{failure}");
        // What failed may be what the end waits for.
        let _ = tokio::time::timeout(MOMENT, term.end()).await;
        Err(failure)
    } else {
        term.end().await;
        info!("the operator has stopped");
        Ok(())
    };
    stop.abort();
    outcome
}
