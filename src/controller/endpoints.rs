//! The controller of `WebhookEndpoint`s.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, TryStreamExt as _, future, stream};
use kube::Client;
use kube::Resource as _;
use kube::api::Api;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use super::dispatch::dispatch;
use super::pulses::Pulse;
use super::streams::{selected, slim, steady};
use crate::index::{Index, NetworkKey, Resource, ResourceKey, Seen};
use crate::network::Network;
use crate::provider::EndpointId;
use crate::reconcile::{Context, reconcile, warn_of_loss};
use crate::resources::{Lenient, WebhookEndpoint};

/// A resource as the API server shows it.
type Shown = Lenient<WebhookEndpoint>;

/// Watches the resources: feeds what is known, and yields those to reconcile.
pub(super) fn watch(
    client: &Client,
    context: &Arc<Context>,
    wake_network: UnboundedSender<NetworkKey>,
) -> impl Stream<Item = watcher::Result<Shown>> + Send + use<> {
    let api = Api::<Shown>::all(client.clone());
    let context = Arc::clone(context);
    let events = steady("WebhookEndpoints", api, selected(&context.settings)).map(slim);
    // What is reconciled is looked up in the index, so that has to know it first.
    let mut listing = Listing::default();
    let events = events.map(Ok).inspect_ok(move |event| feed(&context, event, &mut listing, &wake_network));
    events.touched_objects().predicate_filter(
        predicates::generation.combine(predicates::finalizers).combine(predicates::annotations),
        PredicateConfig::default(),
    )
}

/// What a list has shown so far.
#[derive(Default)]
struct Listing {
    all: HashSet<ResourceKey>,
    /// Those that it brings anew: only at its end can it be told of each how it stands to the others.
    fresh: Vec<ResourceKey>,
}

/// Takes in an event.
fn feed(
    context: &Context,
    event: &Event<Shown>,
    listing: &mut Listing,
    wake_network: &UnboundedSender<NetworkKey>,
) {
    let lost = match event {
        Event::InitApply(resource) => {
            let mut index = context.index();
            let key = ResourceKey::of(resource);
            if index.resource(&key).is_none() {
                listing.fresh.push(key.clone());
            }
            listing.all.insert(key);
            see(&mut index, resource)
        }
        Event::Apply(resource) => see(&mut context.index(), resource),
        Event::Delete(resource) => {
            let uid = resource.meta().uid.as_deref().unwrap_or_default();
            context.index().gone(&ResourceKey::of(resource), uid)
        }
        Event::InitDone => {
            let Listing { all, fresh } = std::mem::take(listing);
            let (lost, networks) = {
                let mut index = context.index();
                // What was deleted while nobody watched: kube's watcher says nothing of it.
                let lost = index.keep(|key| all.contains(key));
                (lost, index.note_all_seen())
            };
            lost.iter().for_each(warn_of_loss);
            for network in networks {
                // The receiver ends with the controllers.
                let _ = wake_network.send(network);
            }
            context.wake(fresh);
            None
        }
        // A list that broke off begins anew.
        Event::Init => {
            *listing = Listing::default();
            None
        }
    };
    if let Some(id) = lost {
        warn_of_loss(&id);
    }
}

/// Takes in a resource; names the endpoint whose secret is lost with an earlier one of its name.
fn see(index: &mut Index<Arc<Network>>, resource: &Shown) -> Option<EndpointId> {
    match index.see(Resource::shown(resource)) {
        Seen::Lost(id) => Some(id),
        Seen::Taken | Seen::Outdated => None,
    }
}

/// Reconciles until `shutdown`, and then what is under way.
pub(super) async fn run(
    changed: impl Stream<Item = watcher::Result<Shown>> + Send + 'static,
    woken: UnboundedReceiver<ResourceKey>,
    context: Arc<Context>,
    pulse: Pulse,
    shutdown: CancellationToken,
) {
    let seen = Arc::clone(&context);
    // Before all are seen, each would look like the only one: those of the first list are woken at its end.
    let changed = changed.filter_map(move |resource| {
        let key = resource.ok().map(|resource| ResourceKey::of(&resource));
        future::ready(key.filter(|_| seen.index().all_seen()))
    });
    let due = stream::select(changed, UnboundedReceiverStream::new(woken));
    let stopping = Arc::clone(&context);
    let stopped = shutdown.clone();
    let stop = async move {
        stopped.cancelled().await;
        stopping.stop();
    };
    let reconcile = move |key: ResourceKey| {
        let context = Arc::clone(&context);
        async move { reconcile(&key, &context).await }
    };
    future::join(stop, dispatch(due, reconcile, pulse, shutdown)).await;
}
