//! The wiring: watches feed what is known, what changes wakes a resource, shutdown drains.

mod endpoints;
mod health;
mod namespaces;
mod networks;
mod relist;
mod secrets;
mod streams;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::reflector;
use kube::{Client, Config};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::provider::Fence;
use crate::reconcile::{Context, Settings};
use health::Health;

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
    let calls = Client::try_from(for_calls(config.clone()))?;
    let watches = Client::try_from(for_watches(config))?;
    let health = Health::default();
    let listener = health::serve(health_address, health.clone(), shutdown.clone()).await?;

    let (store, writer) = reflector::store();
    let (wake, woken) = mpsc::unbounded_channel();
    let (wake_network, woken_networks) = mpsc::unbounded_channel();
    let context = Arc::new(Context::new(calls, settings, store.clone(), wake));
    let fence = Fence::default();
    let parts = networks::Parts {
        context: Arc::clone(&context),
        watches: watches.clone(),
        wake: wake_network,
        fence: fence.clone(),
    };

    let endpoints = endpoints::watch(&watches, &store, writer, &context);
    let secrets = tokio::spawn(secrets::watch(watches.clone(), Arc::clone(&context), health.secrets()));
    let namespaces = tokio::spawn(namespaces::watch(watches.clone(), Arc::clone(&context)));
    let networks = tokio::spawn(networks::run(parts, woken_networks, shutdown.clone()));
    info!("the operator is running");

    // Resources are reconciled once it is known which Secrets there are: before, each would look lost.
    tokio::select! {
        () = health.secrets_seen() => {
            health.watch_store(store.clone());
            endpoints::run(endpoints, store, woken, Arc::clone(&context), shutdown.clone()).await;
        }
        () = shutdown.cancelled() => {}
    }
    let _ = networks.await;
    fence.close();
    secrets.abort();
    namespaces.abort();
    listener.abort();
    context.warn_of_secrets_in_hand().await;
    info!("the operator has stopped");
    Ok(())
}

/// The client retries on its own by default; retries are ours.
fn for_calls(mut config: Config) -> Config {
    let timeout = Some(Duration::from_secs(15));
    config.default_retry = false;
    config.connect_timeout = timeout;
    config.read_timeout = timeout;
    config.write_timeout = timeout;
    config
}

/// A watch is silent for up to its own timeout of 290 s.
fn for_watches(config: Config) -> Config {
    let mut config = for_calls(config);
    config.read_timeout = Some(Duration::from_mins(5));
    config
}
