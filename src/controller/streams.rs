//! What every watch has in common: its own backoff, and errors that are logged and do not end it.

use std::fmt::Debug;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, future, stream};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tracing::warn;

use super::together::together;
use crate::kubernetes::apis;
use crate::reconcile::Settings;

/// A watch that goes on for ever: an error is logged and costs that watch, and no other, a pause.
pub(super) fn steady<K>(
    what: &'static str,
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = Event<K>> + Send + 'static
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let watches = stream::unfold(None, move |watch| {
        let mut watch = watch.unwrap_or_else(|| watcher(api.clone(), config.clone()).boxed());
        async move {
            let event = watch.next().await?;
            let next = (!is_expired(&event)).then_some(watch);
            Some((event, next))
        }
    });
    watches.default_backoff().filter_map(move |event| {
        future::ready(event.inspect_err(|error| warn!("can't watch {what}: {error}")).ok())
    })
}

/// The same in each of these namespaces, or in the whole cluster when there are none.
pub(super) fn watched<K>(
    what: &'static str,
    client: &Client,
    namespaces: &[String],
    config: &watcher::Config,
) -> BoxStream<'static, Event<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + DeserializeOwned + Debug + Send + 'static,
{
    let watches = apis::<K>(client, namespaces).into_iter();
    let mut watches = watches.map(|api| steady(what, api, config.clone()).boxed()).collect::<Vec<_>>();
    match watches.pop() {
        Some(only) if watches.is_empty() => only,
        last => together(watches.into_iter().chain(last).collect()).boxed(),
    }
}

/// Whether a watch was refused because its version is too old. Told so by the response's status, and not by
/// an event, kube's watcher would ask for that version for ever; it has to begin anew.
fn is_expired<T>(event: &watcher::Result<T>) -> bool {
    let Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) = event else { return false };
    status.code == 410
}

/// Who manages which field is of no use here and takes most of an object's memory.
pub(super) fn slim<K: Resource>(event: Event<K>) -> Event<K> {
    let slim = |mut object: K| {
        object.meta_mut().managed_fields = None;
        object
    };
    match event {
        Event::InitApply(object) => Event::InitApply(slim(object)),
        Event::Apply(object) => Event::Apply(slim(object)),
        Event::Delete(object) => Event::Delete(slim(object)),
        Event::Init | Event::InitDone => event,
    }
}

/// How resources and networks are watched: only those that this deployment is for.
pub(super) fn selected(settings: &Settings) -> watcher::Config {
    let config = watcher::Config::default();
    match &settings.selector {
        Some(selector) => config.labels(selector),
        None => config,
    }
}
