//! One term of leadership: all that acts, from its first watch to its last write.

use std::sync::Arc;
use std::time::Duration;

use kube::Config;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::lines::Queue;
use super::looked::Looked;
use super::metrics::Metrics;
use super::pulses::Pulses;
use super::tasks::{Life, TaskFailure, Tasks};
use super::{endpoints, namespaces, networks, secrets};
use crate::kubernetes::Clients;
use crate::provider::Fence;
use crate::reconcile::{Context, Settings, events};

/// How long the last Events may take to be published.
const LAST_EVENTS: Duration = Duration::from_secs(5);
/// How long the dispatcher may take to begin going round.
const BEGINNING: Duration = Duration::from_mins(2);

/// One term of leadership: all that acts. Once it has ended, nothing of it is left, and another may begin.
pub struct Term {
    /// What it knows and goes by, and what keeps every request and every write from leaving once it is over.
    looked: Looked,
    /// Has it begin nothing new, and finish what is under way.
    draining: CancellationToken,
    /// What goes on in the background.
    tasks: Tasks,
    /// The controllers, which drain.
    controllers: [JoinHandle<()>; 2],
    /// Who publishes Events, which drains when nobody tells any more.
    publisher: JoinHandle<()>,
    untold: CancellationToken,
}

impl Term {
    /// Begins a term: its watches at once, all that acts as long as `fence` is open.
    ///
    /// # Errors
    ///
    /// When no Kubernetes client can be made.
    pub fn begin(
        config: &Config,
        settings: Settings,
        fence: Fence,
        metrics: &Metrics,
    ) -> Result<Self, kube::Error> {
        let clients = Clients::new(config, &fence, &metrics.kubernetes)?;
        let queue = Queue::new(settings.concurrency);
        let (tasks, pulses) = (Tasks::default(), Pulses::default());
        let draining = CancellationToken::new();

        let (wake, woken) = mpsc::unbounded_channel();
        let (wake_network, woken_networks) = mpsc::unbounded_channel();
        let (seen, mut secrets_seen) = watch::channel(false);
        let untold = CancellationToken::new();
        let (told, publisher) = events(clients.calls.clone(), Arc::clone(&clients.clock));
        let publisher = tasks.spawn(
            "the publisher of Events",
            Life::Drains(untold.clone()),
            publisher.run(untold.clone()),
        );
        let context = Arc::new(Context::new(
            clients.calls,
            clients.clock,
            (told, metrics.reconcile.clone()),
            settings,
            wake,
        ));
        let parts = networks::Parts {
            context: Arc::clone(&context),
            watches: clients.watches.clone(),
            wake: wake_network.clone(),
            tasks: tasks.clone(),
            pulses: pulses.clone(),
            fence: fence.clone(),
            metrics: metrics.api.clone(),
            draining: draining.clone(),
        };
        let endpoints = endpoints::watch(&clients.watches, &context, wake_network);
        let secrets = secrets::watch(clients.watches.clone(), Arc::clone(&context), seen);
        tasks.spawn("the watch of Secrets", Life::Term, secrets);
        let namespaces = namespaces::watch(clients.watches, Arc::clone(&context));
        tasks.spawn("the watch of namespaces", Life::Term, namespaces);

        let networks = networks::run(parts, woken_networks);
        let endpoints = {
            let (context, draining) = (Arc::clone(&context), draining.clone());
            let (queue, fence, pulses) = (queue.clone(), fence.clone(), pulses.clone());
            async move {
                // Resources are reconciled once it is known which Secrets there are: before, each would look
                // lost. The sender goes with the watch, at the end of the term.
                let seen = draining.run_until_cancelled(secrets_seen.wait_for(|seen| *seen)).await;
                let seen = seen.is_some_and(|seen| seen.is_ok());
                if seen {
                    let pulse = pulses.of("the dispatcher".to_owned(), BEGINNING);
                    let gates = (queue, fence, pulse);
                    endpoints::run(endpoints, woken, context, gates, draining.clone()).await;
                }
            }
        };
        let controllers = [
            tasks.spawn("the controller of networks", Life::Drains(draining.clone()), networks),
            tasks.spawn("the controller of WebhookEndpoints", Life::Drains(draining.clone()), endpoints),
        ];
        info!("the operator is running");
        let looked = Looked { context, pulses, fence, queue };
        Ok(Self { looked, draining, tasks, controllers, publisher, untold })
    }

    /// What health checks and metrics look at.
    pub(super) fn looked(&self) -> Looked {
        self.looked.clone()
    }

    /// Waits until a task fails that it can't do without.
    pub(super) async fn failure(&self) -> TaskFailure {
        self.tasks.failure().await
    }

    /// Ends the term: what is under way is finished, nothing is begun, and all that it started is gone when
    /// this returns.
    pub async fn end(mut self) {
        self.draining.cancel();
        for controller in self.controllers {
            // One that panicked is told of by what watches it.
            let _ = controller.await;
        }
        self.untold.cancel();
        if tokio::time::timeout(LAST_EVENTS, &mut self.publisher).await.is_err() {
            self.publisher.abort();
        }
        self.tasks.end().await;
        self.looked.fence.close();
        for (key, id) in self.looked.context.index().in_hand() {
            warn!(resource = %key, %id, "stopping before the secret of this endpoint could be stored; it will be replaced");
        }
    }
}
