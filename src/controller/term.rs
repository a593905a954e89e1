//! One term of leadership: all that acts, from its first watch to its last write.

use std::sync::Arc;

use kube::Config;
use kube::runtime::reflector;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::tasks::Tasks;
use super::{endpoints, namespaces, networks, secrets};
use crate::kubernetes::Clients;
use crate::provider::Fence;
use crate::reconcile::{Context, Settings};

/// One term of leadership: all that acts. Once it has ended, nothing of it is left, and another may begin.
pub struct Term {
    /// What it knows and goes by.
    context: Arc<Context>,
    /// Has it begin nothing new, and finish what is under way.
    draining: CancellationToken,
    /// What goes on in the background.
    tasks: Tasks,
    /// The controllers, which drain.
    controllers: JoinHandle<()>,
    /// Keeps every request and every write from leaving once the term is over.
    fence: Fence,
}

impl Term {
    /// Begins a term.
    ///
    /// # Errors
    ///
    /// When no Kubernetes client can be made.
    pub fn begin(config: &Config, settings: Settings) -> Result<Self, kube::Error> {
        let fence = Fence::default();
        let clients = Clients::new(config, &fence)?;
        let tasks = Tasks::default();
        let draining = CancellationToken::new();

        let (store, writer) = reflector::store();
        let (wake, woken) = mpsc::unbounded_channel();
        let (wake_network, woken_networks) = mpsc::unbounded_channel();
        let (seen, mut secrets_seen) = watch::channel(false);
        let context = Arc::new(Context::new(clients.calls, settings, wake));
        let parts = networks::Parts {
            context: Arc::clone(&context),
            watches: clients.watches.clone(),
            wake: wake_network.clone(),
            tasks: tasks.clone(),
            fence: fence.clone(),
        };
        let endpoints = endpoints::watch(&clients.watches, &store, writer, &context, wake_network);
        tasks.spawn(secrets::watch(clients.watches.clone(), Arc::clone(&context), seen));
        tasks.spawn(namespaces::watch(clients.watches, Arc::clone(&context)));

        let networks = networks::run(parts, woken_networks, draining.clone());
        let endpoints = {
            let (context, draining) = (Arc::clone(&context), draining.clone());
            async move {
                // Resources are reconciled once it is known which Secrets there are: before, each would look
                // lost. The sender goes with the watch, at the end of the term.
                let seen = draining.run_until_cancelled(secrets_seen.wait_for(|seen| *seen)).await;
                let seen = seen.is_some_and(|seen| seen.is_ok());
                if seen {
                    endpoints::run(endpoints, woken, context, draining.clone()).await;
                }
            }
        };
        let controllers = tokio::spawn(async move {
            tokio::join!(networks, endpoints);
        });
        info!("the operator is running");
        Ok(Self { context, draining, tasks, controllers, fence })
    }

    /// What it knows.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// What keeps everything from leaving at once, when the term is over before it has ended: whoever has lost the
    /// right to act closes it first.
    #[must_use]
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Ends the term: what is under way is finished, nothing is begun, and all that it started is gone when
    /// this returns.
    pub async fn end(self) {
        self.draining.cancel();
        if let Err(error) = self.controllers.await {
            warn!("the controllers did not end by themselves: {error}");
        }
        self.tasks.end().await;
        self.fence.close();
        for (key, id) in self.context.index().in_hand() {
            warn!(resource = %key, %id, "stopping before the secret of this endpoint could be stored; it will be replaced");
        }
    }
}
