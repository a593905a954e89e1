//! What every watch has in common: its own backoff, and errors that are logged and do not end it.

use futures::{Stream, StreamExt as _, future};
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
