//! The controller of `WebhookEndpoint`s.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use kube::Client;
use kube::Resource as _;
use kube::runtime::watcher::Event;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use super::dispatch::{Work, dispatch};
use super::lines::Queue;
use super::pulses::Pulse;
use super::streams::{selected, watched};
use crate::index::{NetworkKey, Resource, ResourceKey, Seen};
use crate::provider::Fence;
use crate::reconcile::{Context, Urgency, UrlLocks, reconcile, warn_of_loss};
use crate::resources::{Lenient, WebhookEndpoint};

/// A resource as the API server shows it.
type Shown = Lenient<WebhookEndpoint>;

/// Watches the resources: feeds what is known, and yields those of which it shows something that was not.
pub(super) fn watch(
    client: &Client,
    context: &Arc<Context>,
    wake_network: UnboundedSender<NetworkKey>,
) -> impl Stream<Item = (ResourceKey, Urgency)> + Send + use<> {
    let namespaces = &context.settings.namespaces;
    let watch = watched::<Shown>("WebhookEndpoints", client, namespaces, &selected(&context.settings));
    let context = Arc::clone(context);
    let mut listing = Listing::default();
    watch.flat_map(move |event| {
        let changed = match event {
            Event::InitApply(resource) => {
                listing.all.insert(ResourceKey::of(&resource));
                listing.changed.extend(see(&context, &resource));
                Vec::new()
            }
            Event::Apply(resource) => see(&context, &resource).into_iter().collect(),
            Event::Delete(resource) => {
                let uid = resource.meta().uid.as_deref().unwrap_or_default();
                let lost = context.index().gone(&ResourceKey::of(&resource), uid);
                lost.iter().for_each(warn_of_loss);
                Vec::new()
            }
            Event::InitDone => end(&context, std::mem::take(&mut listing), &wake_network),
            // A list that broke off begins anew.
            Event::Init => {
                listing = Listing::default();
                Vec::new()
            }
        };
        stream::iter(changed)
    })
}

/// What a list has shown so far.
#[derive(Default)]
struct Listing {
    all: HashSet<ResourceKey>,
    /// Those of which it shows something that was not known: only at its end can it be told of each how it stands to
    /// the others.
    changed: Vec<(ResourceKey, Urgency)>,
}

/// Takes in a resource. Names it if that shows something that was not known.
fn see(context: &Context, resource: &Shown) -> Option<(ResourceKey, Urgency)> {
    let resource = Resource::shown(resource);
    let key = resource.key.clone();
    match context.index().see(resource) {
        Seen::Lost(id) => warn_of_loss(&id),
        Seen::Taken => {}
        Seen::Known | Seen::Outdated => return None,
    }
    Some((key, Urgency::Change))
}

/// Takes in the end of a list. Names those of which it has shown something that was not known.
fn end(
    context: &Context,
    listing: Listing,
    wake_network: &UnboundedSender<NetworkKey>,
) -> Vec<(ResourceKey, Urgency)> {
    let Listing { all, mut changed } = listing;
    let mut index = context.index();
    if !index.all_seen() {
        for (_, urgency) in &mut changed {
            *urgency = Urgency::Resync;
        }
    }
    // What was deleted while nobody watched: kube's watcher says nothing of it.
    index.keep(|key| all.contains(key)).iter().for_each(warn_of_loss);
    for network in index.note_all_seen() {
        // The receiver ends with the controllers.
        let _ = wake_network.send(network);
    }
    changed
}

/// Reconciles while `fence` is open, until `shutdown`, and then what is under way.
pub(super) async fn run(
    changed: impl Stream<Item = (ResourceKey, Urgency)> + Send + 'static,
    woken: UnboundedReceiver<(ResourceKey, Urgency)>,
    context: Arc<Context>,
    (queue, fence, pulse): (Queue<UrlLocks>, Fence, Pulse),
    shutdown: CancellationToken,
) {
    let due = stream::select(changed, UnboundedReceiverStream::new(woken));
    let known = Arc::clone(&context);
    let work = Work {
        queue,
        fence,
        network_of: move |key: &ResourceKey| Some(known.index().resource(key)?.network.clone()),
        reconcile: move |key: ResourceKey, locks| {
            let context = Arc::clone(&context);
            async move { reconcile(&key, locks, &context).await }
        },
    };
    dispatch(due, work, pulse, shutdown).await;
}
