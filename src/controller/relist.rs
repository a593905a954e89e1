//! What a list leaves out that was there before.

use std::collections::HashSet;
use std::hash::Hash;

use futures::{Stream, StreamExt as _, stream};
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;

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

#[cfg(test)]
mod tests {
    use kube::api::PartialObjectMeta;
    use kube::runtime::{reflector, watcher};
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
