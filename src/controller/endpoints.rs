//! The controller of `WebhookEndpoint`s.

use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Config, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates};
use kube::Client;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::streams::{received, selected, steady};
use crate::reconcile::{Context, on_error, reconcile};
use crate::resources::WebhookEndpoint;
use crate::state::ResourceKey;

/// Watches the resources: the cache, and a stream of those to reconcile.
pub(super) fn watch(
    client: &Client,
    context: &Arc<Context>,
) -> (Store<WebhookEndpoint>, impl Stream<Item = watcher::Result<WebhookEndpoint>> + Send + use<>) {
    let (store, writer) = reflector::store();
    let api = Api::<DeserializeGuard<WebhookEndpoint>>::all(client.clone());
    let context = Arc::clone(context);
    let events = steady("WebhookEndpoints", watcher(api, selected(&context.settings)))
        .filter_map(|event| futures::future::ready(readable(event)))
        .inspect(move |event| feed(&context, event))
        .map(Ok);
    let changed = events.reflect(writer).touched_objects().predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    );
    (store, changed)
}

/// A resource that can't be read, which the CRD's schema rules out, must not end the watch of all.
fn readable(event: Event<DeserializeGuard<WebhookEndpoint>>) -> Option<Event<WebhookEndpoint>> {
    let read = |DeserializeGuard(outcome): DeserializeGuard<WebhookEndpoint>| match outcome {
        Ok(mut resource) => {
            resource.metadata.managed_fields = None;
            Some(resource)
        }
        Err(invalid) => {
            let name = invalid.metadata.name.unwrap_or_default();
            let namespace = invalid.metadata.namespace.unwrap_or_default();
            warn!(namespace, name, "ignoring a WebhookEndpoint that can't be read: {}", invalid.error);
            None
        }
    };
    Some(match event {
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
        Event::InitApply(guard) => Event::InitApply(read(guard)?),
        Event::Apply(guard) => Event::Apply(read(guard)?),
        Event::Delete(guard) => Event::Delete(read(guard)?),
    })
}

fn feed(context: &Context, event: &Event<WebhookEndpoint>) {
    match event {
        Event::InitApply(resource) | Event::Apply(resource) => context.see(resource),
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
    let woken = received(woken).map(|key| key.reference());
    let concurrency = context.settings.concurrency;
    Controller::for_stream(changed, store)
        .with_config(Config::default().concurrency(concurrency))
        .reconcile_on(woken)
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(reconcile, on_error, context)
        .for_each(|outcome| async move {
            if let Err(error) = outcome {
                debug!("not reconciled: {error}");
            }
        })
        .await;
}

/// A resource, as cached.
pub(super) fn cached(store: &Store<WebhookEndpoint>, key: &ResourceKey) -> Option<Arc<WebhookEndpoint>> {
    let reference: ObjectRef<WebhookEndpoint> = key.reference();
    store.get(&reference)
}
