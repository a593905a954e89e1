//! The wiring: watches feed what is known, what changes wakes a resource, shutdown drains.

mod dispatch;
mod election;
mod endpoints;
mod health;
mod lines;
mod looked;
mod metrics;
mod namespaces;
mod networks;
mod pulses;
mod relist;
mod secrets;
mod streams;
mod tasks;
mod term;
mod together;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::Config;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::provider::Fence;
use crate::reconcile::Settings;
use election::Candidate;
pub use election::Election;
use health::Health;
pub use metrics::Metrics;
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

/// Runs the operator until `shutdown`, then drains what is under way. With an `election`, it acts only while it holds the
/// Lease, and gives it up at the end.
///
/// # Errors
///
/// When no Kubernetes client can be made, the health address is taken, or a part of the operator fails: what is under
/// way is given a moment then.
pub async fn run(
    config: Config,
    settings: Settings,
    health_address: SocketAddr,
    election: Option<Election>,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let metrics = Arc::new(Metrics::new());
    let health = Health::new(Arc::clone(&metrics));
    let mut server = health::serve(health_address, health.clone()).await?;
    let mut candidate = election.map(|election| Candidate::new(&config, election)).transpose()?;
    let outcome = loop {
        let fence = if candidate.is_some() { Fence::shut() } else { Fence::default() };
        let term = Term::begin(&config, settings.clone(), fence.clone(), &metrics)?;
        health.look_at(&term);
        let failure = tokio::select! {
            () = shutdown.cancelled() => None,
            failure = term.failure() => Some(RunError::from(failure)),
            _ = &mut server => Some(RunError::Health),
            () = lead(candidate.as_mut(), &fence) => {
                // What this process knows is of no use any more: another one acts.
                fence.close();
                term.end().await;
                continue;
            }
        };
        let Some(failure) = failure else {
            end(term, candidate.as_mut(), &fence).await;
            info!("the operator has stopped");
            break Ok(());
        };
        error!("{failure}");
        // What failed may be what the end waits for.
        let _ = tokio::time::timeout(MOMENT, end(term, candidate.as_mut(), &fence)).await;
        break Err(failure);
    };
    server.abort();
    outcome
}

/// Leads as long as this process may: for ever, where nobody competes with it.
async fn lead(candidate: Option<&mut Candidate>, fence: &Fence) {
    match candidate {
        Some(candidate) => candidate.lead(fence).await,
        None => std::future::pending().await,
    }
}

/// Ends the term, for which the lease is held until then, and gives the lease up.
async fn end(term: Term, candidate: Option<&mut Candidate>, fence: &Fence) {
    let Some(candidate) = candidate else { return term.end().await };
    if !candidate.leads() {
        // It must not begin to.
        fence.close();
        return term.end().await;
    }
    let mut ending = std::pin::pin!(term.end());
    tokio::select! {
        () = &mut ending => {}
        () = candidate.lead(fence) => {
            fence.close();
            ending.await;
        }
    }
    candidate.release().await;
}
