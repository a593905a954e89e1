//! Watches: events lost on the way, and expiry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::target::ResourceRef;
use crate::view::Collection;

/// One event of a watch, as the condition of [`drop_watch_events`] sees it.
///
/// [`drop_watch_events`]: crate::Interposer::drop_watch_events
#[derive(Debug)]
pub struct WatchEvent<'a> {
    /// What is watched. Its name is `None`: see the object.
    pub watched: &'a ResourceRef,
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub kind: &'a str,
    /// The object, or for an error the `Status`.
    pub object: &'a Value,
}

impl WatchEvent<'_> {
    /// The object's `metadata.name`; empty if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }
}

/// How a watch is told that its resourceVersion is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// The response has status 410. kube's watcher (5.0) then asks again for the same version, and does
    /// not list anew.
    Response,
    /// The response has status 200; its only event is an `ERROR` with code 410. That is how a
    /// kube-apiserver with its watch cache says it, and it makes kube's watcher list anew.
    Event,
}

/// Selected events that are lost on the way, until [stopped](Self::stop).
#[derive(Debug, Clone)]
pub struct DroppedEvents(Arc<Filter>);

impl DroppedEvents {
    /// How many were dropped.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.progress.borrow().0
    }

    /// Waits until so many were dropped. Bound this with a timeout.
    pub async fn until(&self, events: usize) {
        // The sender is in `self`, so the wait can only end well.
        let _ = self.0.progress.subscribe().wait_for(|(dropped, _)| *dropped >= events).await;
    }

    /// Drops no more. What was dropped stays lost.
    pub fn stop(&self) {
        self.0.progress.send_modify(|(_, stopped)| *stopped = true);
    }
}

type Condition = Box<dyn Fn(&WatchEvent<'_>) -> bool + Send + Sync>;

struct Filter {
    drops: Condition,
    /// How many were dropped, and whether it is stopped.
    progress: watch::Sender<(usize, bool)>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// A watch that is open.
#[derive(Debug)]
struct Open {
    resource: ResourceRef,
    cut: oneshot::Sender<()>,
}

/// The watches of one interposer.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    filters: Mutex<Vec<Arc<Filter>>>,
    /// By a number of their own.
    open: Mutex<HashMap<u64, Open>>,
    next: std::sync::atomic::AtomicU64,
    /// Collections whose next watch expires.
    expiring: Mutex<Vec<(Collection, Expiry)>>,
}

impl Watches {
    pub(crate) fn drop_events(&self, drops: Condition) -> DroppedEvents {
        let filter = Arc::new(Filter { drops, progress: watch::Sender::new((0, false)) });
        lock(&self.filters).push(Arc::clone(&filter));
        DroppedEvents(filter)
    }

    /// Whether this line of a watch is to be lost.
    pub(crate) fn loses(&self, watched: &ResourceRef, line: &[u8]) -> bool {
        let filters: Vec<_> =
            lock(&self.filters).iter().filter(|filter| !filter.progress.borrow().1).cloned().collect();
        if filters.is_empty() {
            return false;
        }
        let Ok(event) = serde_json::from_slice::<Value>(line) else { return false };
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        let object = event.get("object").unwrap_or(&Value::Null);
        let event = WatchEvent { watched, kind, object };
        let Some(filter) = filters.iter().find(|filter| (filter.drops)(&event)) else { return false };
        filter.progress.send_modify(|(dropped, _)| *dropped += 1);
        true
    }

    /// Registers a watch; the receiver gets its end.
    pub(crate) fn open(&self, resource: ResourceRef) -> (u64, oneshot::Receiver<()>) {
        let (cut, ending) = oneshot::channel();
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        lock(&self.open).insert(number, Open { resource, cut });
        (number, ending)
    }

    pub(crate) fn close(&self, number: u64) {
        lock(&self.open).remove(&number);
    }

    /// Ends the open watches of a collection, and gives what they watched.
    fn cut(&self, collection: &Collection) -> Vec<ResourceRef> {
        let mut open = lock(&self.open);
        let numbers: Vec<u64> = open
            .iter()
            .filter(|(_, open)| collection.contains(&open.resource))
            .map(|(number, _)| *number)
            .collect();
        numbers
            .into_iter()
            .filter_map(|number| open.remove(&number))
            // A watch that has ended by itself meanwhile was not cut.
            .filter_map(|open| open.cut.send(()).ok().map(|()| open.resource))
            .collect()
    }

    /// Cuts the open watches and makes the next of each collection expire; if none is open, the next
    /// watch that matches.
    pub(crate) fn expire(&self, collection: Collection, expiry: Expiry) -> usize {
        // Held until the rules are there: a watch that comes back at once must meet its rule.
        let mut expiring = lock(&self.expiring);
        let cut = self.cut(&collection);
        if cut.is_empty() {
            expiring.push((collection, expiry));
        }
        expiring.extend(cut.iter().map(|resource| {
            let same = Collection::of(&resource.group, &resource.resource);
            let same = match &resource.namespace {
                Some(namespace) => same.in_namespace(namespace),
                None => same,
            };
            (same, expiry)
        }));
        cut.len()
    }

    /// How this watch expires, if it is the next of a collection that does.
    pub(crate) fn take_expiry(&self, resource: &ResourceRef) -> Option<Expiry> {
        let mut expiring = lock(&self.expiring);
        let at = expiring.iter().position(|(collection, _)| collection.contains(resource))?;
        Some(expiring.remove(at).1)
    }
}

/// The `Status` of a resourceVersion that is too old, as the API server words it.
pub(crate) fn gone() -> Value {
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version",
        "reason": "Expired",
        "code": 410,
    })
}

/// An `ERROR` event with this `Status`.
pub(crate) fn error_event(status: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({"type": "ERROR", "object": status})))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
