//! What every watch has in common: its own backoff, and errors that are logged and do not end it.

use futures::{Stream, StreamExt as _, future};
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::{WatchStreamExt as _, watcher};
use tracing::warn;

use crate::reconcile::Settings;

/// A watch that goes on for ever: an error is logged and costs that watch, and no other, a pause.
pub(super) fn steady<T: Send + 'static>(
    what: &'static str,
    watch: impl Stream<Item = watcher::Result<T>> + Send + 'static,
) -> impl Stream<Item = T> + Send + 'static {
    watch.default_backoff().filter_map(move |event| {
        future::ready(event.inspect_err(|error| warn!("can't watch {what}: {error}")).ok())
    })
}

/// An object that can't be read, which the CRD's schema rules out, must not end the watch of all. Who
/// manages which field is of no use here and takes most of an object's memory.
pub(super) fn readable<K: Resource>(
    what: &'static str,
    event: watcher::Event<DeserializeGuard<K>>,
) -> Option<watcher::Event<K>> {
    let read = |DeserializeGuard(outcome): DeserializeGuard<K>| match outcome {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            Some(object)
        }
        Err(invalid) => {
            let name = invalid.metadata.name.unwrap_or_default();
            let namespace = invalid.metadata.namespace.unwrap_or_default();
            warn!(namespace, name, "ignoring one of the {what} that can't be read: {}", invalid.error);
            None
        }
    };
    Some(match event {
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitDone => watcher::Event::InitDone,
        watcher::Event::InitApply(guard) => watcher::Event::InitApply(read(guard)?),
        watcher::Event::Apply(guard) => watcher::Event::Apply(read(guard)?),
        watcher::Event::Delete(guard) => watcher::Event::Delete(read(guard)?),
    })
}

/// How resources and networks are watched: only those that this deployment is for.
pub(super) fn selected(settings: &Settings) -> watcher::Config {
    let config = watcher::Config::default();
    match &settings.selector {
        Some(selector) => config.labels(selector),
        None => config,
    }
}

/// What a receiver receives.
pub(super) fn received<T: Send + 'static>(
    receiver: tokio::sync::mpsc::UnboundedReceiver<T>,
) -> impl Stream<Item = T> + Send + 'static {
    futures::stream::unfold(receiver, |mut receiver| async {
        let item = receiver.recv().await?;
        Some((item, receiver))
    })
}
