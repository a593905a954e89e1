//! The controller of `WebhookEndpoint`s.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Controller;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::relist::with_unseen_deletes;
use super::streams::{readable, selected, steady};
use crate::reconcile::{Context, on_error, reconcile};
use crate::resources::WebhookEndpoint;
use crate::state::ResourceKey;

/// Watches the resources: fills the cache, and yields those to reconcile.
pub(super) fn watch(
    client: &Client,
    store: &Store<WebhookEndpoint>,
    writer: Writer<WebhookEndpoint>,
    context: &Arc<Context>,
) -> impl Stream<Item = watcher::Result<WebhookEndpoint>> + Send + use<> {
    let api = Api::<DeserializeGuard<WebhookEndpoint>>::all(client.clone());
    let context = Arc::clone(context);
    let events = steady("WebhookEndpoints", api, selected(&context.settings)).filter_map({
        let store = store.clone();
        move |event| futures::future::ready(readable("WebhookEndpoints", &store, event))
    });
    let events = with_unseen_deletes(store.clone(), events).map(Ok);
    // Fed after the cache, so that a write of ours is kept in mind until the cache shows it.
    let events = events.reflect(writer).inspect_ok(move |event| feed(&context, event));
    events.touched_objects().predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    )
}

fn feed(context: &Context, event: &Event<WebhookEndpoint>) {
    match event {
        Event::InitApply(resource) => context.see(resource),
        Event::Apply(resource) => {
            context.see(resource);
            context.note_cached(resource);
        }
        Event::Delete(resource) => context.see_deleted(resource),
        Event::InitDone => context.note_seen_all(),
        Event::Init => {}
    }
}

/// Reconciles until `shutdown`, and then what is under way.
pub(super) async fn run(
    changed: impl Stream<Item = watcher::Result<WebhookEndpoint>> + Send + 'static,
    store: Store<WebhookEndpoint>,
    woken: UnboundedReceiver<ResourceKey>,
    context: Arc<Context>,
    shutdown: CancellationToken,
) {
    let woken = UnboundedReceiverStream::new(woken).map(|key| key.reference());
    let stopping = Arc::clone(&context);
    let stop = async move {
        shutdown.cancelled_owned().await;
        stopping.stop();
    };
    Controller::for_stream(changed, store)
        .reconcile_on(woken)
        .graceful_shutdown_on(stop)
        .run(reconcile, on_error, context)
        .for_each(|outcome| async move {
            if let Err(error) = outcome {
                debug!("not reconciled: {error}");
            }
        })
        .await;
}
