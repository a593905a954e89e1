//! The watches of several namespaces as one.

use std::collections::HashMap;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, stream};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::json;

/// Several watches as one: its list ends when each of theirs has ended once. What one of them lists anew later is told
/// as what changed and what was deleted, so that it says nothing of the others' objects.
pub(super) fn together<K>(
    watches: Vec<BoxStream<'static, Event<K>>>,
) -> impl Stream<Item = Event<K>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Send + 'static,
{
    let mut parts = watches.iter().map(|_| Part::default()).collect::<Vec<_>>();
    let mut all_listed = false;
    let watches = watches.into_iter().enumerate();
    let watches = watches.map(|(part, watch)| watch.map(move |event| (part, event)).boxed());
    stream::select_all(watches).flat_map(move |(part, event)| {
        let mut told = if all_listed { parts[part].tell(event) } else { parts[part].wait(event) };
        if !all_listed && parts.iter().all(|part| part.is_listed) {
            all_listed = true;
            told.push(Event::Init);
            told.extend(parts.iter_mut().flat_map(Part::begin));
            told.push(Event::InitDone);
        }
        stream::iter(told)
    })
}

/// What is known of the objects of one watch, by name.
struct Part<K> {
    /// Whether its list has ended once.
    is_listed: bool,
    /// What a list has shown that has not ended, or has to wait for the others'.
    listed: HashMap<String, K>,
    /// What was told: uid and resource version.
    told: HashMap<String, (Option<String>, Option<String>)>,
    namespace: Option<String>,
}

impl<K> Default for Part<K> {
    fn default() -> Self {
        Self { is_listed: false, listed: HashMap::new(), told: HashMap::new(), namespace: None }
    }
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Part<K> {
    /// Takes in an event while another watch has listed nothing yet.
    fn wait(&mut self, event: Event<K>) -> Vec<Event<K>> {
        match event {
            Event::Init => {
                self.listed.clear();
                self.is_listed = false;
            }
            Event::InitApply(object) | Event::Apply(object) => {
                self.listed.insert(object.name_any(), object);
            }
            Event::Delete(object) => {
                self.listed.remove(&object.name_any());
            }
            Event::InitDone => self.is_listed = true,
        }
        Vec::new()
    }

    /// Tells all that the first list has shown.
    fn begin(&mut self) -> Vec<Event<K>> {
        let listed = std::mem::take(&mut self.listed).into_values().collect::<Vec<_>>();
        listed.into_iter().map(|object| Event::InitApply(self.note(object))).collect()
    }

    /// Takes in an event, and tells it.
    fn tell(&mut self, event: Event<K>) -> Vec<Event<K>> {
        match event {
            // A list that broke off begins anew.
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listed.insert(object.name_any(), object);
                Vec::new()
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let gone = self.told.extract_if(|name, _| !listed.contains_key(name));
                let namespace = self.namespace.as_deref();
                let deleted = gone.filter_map(|(name, (uid, version))| {
                    // As much of it as is gone by.
                    let meta = json!({ "name": name, "namespace": namespace, "uid": uid, "resourceVersion": version });
                    let (version, kind) = (K::api_version(&()), K::kind(&()));
                    let object = json!({ "apiVersion": version, "kind": kind, "metadata": meta });
                    serde_json::from_value(object).ok().map(Event::Delete)
                });
                let mut told = deleted.collect::<Vec<_>>();
                told.extend(listed.into_values().map(|object| Event::Apply(self.note(object))));
                told
            }
            Event::Apply(object) => vec![Event::Apply(self.note(object))],
            Event::Delete(object) => {
                self.told.remove(&object.name_any());
                vec![Event::Delete(object)]
            }
        }
    }

    fn note(&mut self, object: K) -> K {
        let meta = object.meta();
        self.namespace.clone_from(&meta.namespace);
        self.told.insert(object.name_any(), (meta.uid.clone(), meta.resource_version.clone()));
        object
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use k8s_openapi::api::core::v1::Secret;
    use kube::api::PartialObjectMeta;
    use tokio::sync::mpsc::unbounded_channel;
    use tokio_stream::wrappers::UnboundedReceiverStream;

    use super::*;
    use crate::resources::{Lenient, WebhookEndpoint};

    type Shown = PartialObjectMeta<Secret>;

    fn object(namespace: &str, name: &str) -> Shown {
        let meta = json!({ "namespace": namespace, "name": name, "uid": format!("uid-{name}"), "resourceVersion": "7" });
        let object = json!({ "apiVersion": "v1", "kind": "PartialObjectMetadata", "metadata": meta });
        serde_json::from_value(object).unwrap()
    }

    fn text(event: &Event<Shown>) -> String {
        let of = |object: &Shown| format!("{}/{}", object.namespace().unwrap(), object.name_any());
        match event {
            Event::Init => "init".to_owned(),
            Event::InitApply(object) => format!("lists {}", of(object)),
            Event::InitDone => "done".to_owned(),
            Event::Apply(object) => format!("shows {}", of(object)),
            Event::Delete(object) => format!("{} {} is gone", of(object), object.uid().unwrap()),
        }
    }

    #[tokio::test]
    async fn they_begin_together_and_what_one_lists_anew_says_nothing_of_the_others() {
        let ((a, of_a), (b, of_b)) = (unbounded_channel(), unbounded_channel());
        let watches = [of_a, of_b].map(|watch| UnboundedReceiverStream::new(watch).boxed());
        let mut told = Box::pin(together::<Shown>(watches.into()));
        // A list that breaks off, one that ends, and what happens before the other one ends.
        for event in [
            Event::Init,
            Event::InitApply(object("a", "never")),
            Event::Init,
            Event::InitApply(object("a", "one")),
            Event::InitApply(object("a", "two")),
            Event::InitDone,
            Event::Apply(object("a", "three")),
            Event::Delete(object("a", "two")),
        ] {
            a.send(event).unwrap();
        }
        assert!(told.next().now_or_never().is_none(), "the other one has listed nothing yet");
        for event in [Event::Init, Event::InitApply(object("b", "four")), Event::InitDone] {
            b.send(event).unwrap();
        }
        let mut says = async |count: usize| {
            let mut said = Vec::new();
            while said.len() < count {
                said.push(text(&told.next().await.unwrap()));
            }
            said.sort_unstable();
            said
        };
        assert_eq!(says(5).await, ["done", "init", "lists a/one", "lists a/three", "lists b/four"]);

        a.send(Event::Apply(object("a", "five"))).unwrap();
        assert_eq!(says(1).await, ["shows a/five"]);
        for event in [Event::Init, Event::InitApply(object("a", "one")), Event::InitDone] {
            a.send(event).unwrap();
        }
        assert_eq!(says(3).await, ["a/five uid-five is gone", "a/three uid-three is gone", "shows a/one"]);
        for event in [Event::Init, Event::InitDone, Event::Delete(object("b", "four"))] {
            b.send(event).unwrap();
        }
        assert_eq!(says(1).await, ["b/four uid-four is gone"]);
    }

    #[test]
    fn what_is_gone_by_of_a_resource_can_be_made_of_its_metadata() {
        let meta = json!({ "namespace": "a", "name": "hook", "uid": "u", "resourceVersion": "7" });
        let object = json!({ "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "metadata": meta });
        let shown = serde_json::from_value::<Lenient<WebhookEndpoint>>(object).unwrap();
        assert_eq!((shown.name_any(), shown.uid()), ("hook".to_owned(), Some("u".to_owned())));
    }
}
