//! What every watch has in common: its own backoff, and errors that are logged and do not end it.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

use futures::{Stream, StreamExt as _, future, stream};
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tracing::warn;

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

/// Whether a watch was refused because its version is too old. Told so by the response's status, and not by
/// an event, kube's watcher would ask for that version for ever; it has to begin anew.
fn is_expired<T>(event: &watcher::Result<T>) -> bool {
    let Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) = event else { return false };
    status.code == 410
}

/// A list after a watch has expired leaves out what was deleted meanwhile, and kube's watcher says nothing of
/// it: here it is told as deleted, before the list ends. `store` is fed by what this yields.
pub(super) fn with_unseen_deletes<K>(
    store: Store<K>,
    events: impl Stream<Item = Event<K>> + Send + 'static,
) -> impl Stream<Item = Event<K>> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    ObjectRef<K>: Eq + Hash,
{
    let mut listed = HashSet::new();
    events.flat_map(move |event| {
        let mut deleted = Vec::new();
        match &event {
            Event::InitApply(object) => {
                listed.insert(ObjectRef::from_obj(object));
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut listed);
                let gone = store.state().into_iter();
                let gone = gone.filter(|known| !listed.contains(&ObjectRef::from_obj(known.as_ref())));
                deleted.extend(gone.map(|known| Event::Delete(known.as_ref().clone())));
            }
            // A list that broke off begins anew.
            Event::Init => listed.clear(),
            Event::Apply(_) | Event::Delete(_) => {}
        }
        stream::iter(deleted.into_iter().chain([event]))
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

#[cfg(test)]
mod tests {
    use kube::api::PartialObjectMeta;
    use kube::runtime::reflector;
    use serde_json::json;

    use super::*;

    type Namespace = PartialObjectMeta<k8s_openapi::api::core::v1::Namespace>;

    fn namespace(name: &str) -> Namespace {
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        serde_json::from_value(object).unwrap()
    }

    #[tokio::test]
    async fn what_a_later_list_leaves_out_was_deleted() {
        let (store, writer) = reflector::store::<Namespace>();
        let told = vec![
            Event::Init,
            Event::InitApply(namespace("stays")),
            Event::InitApply(namespace("goes")),
            Event::InitDone,
            Event::Apply(namespace("comes-and-goes")),
            // A list that breaks off shows nothing.
            Event::Init,
            Event::InitApply(namespace("goes")),
            Event::Init,
            Event::InitApply(namespace("stays")),
            Event::InitDone,
        ];
        let events = with_unseen_deletes(store.clone(), stream::iter(told)).map(Ok::<_, watcher::Error>);
        let events = reflector::reflector(writer, events).collect::<Vec<_>>().await;

        let deleted = events.iter().filter_map(|event| match event {
            Ok(Event::Delete(namespace)) => namespace.metadata.name.as_deref(),
            _ => None,
        });
        let mut deleted = deleted.collect::<Vec<_>>();
        deleted.sort_unstable();
        assert_eq!(deleted, ["comes-and-goes", "goes"]);
        assert!(matches!(events.last(), Some(Ok(Event::InitDone))));
        let left = store.state();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].metadata.name.as_deref(), Some("stays"));
    }
}
