//! One lock for each of some things.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// One lock for each of some things; only those that are held or waited for take memory.
#[derive(Debug)]
pub(super) struct Locks<T: Eq + Hash> {
    locks: Arc<Mutex<HashMap<T, Arc<tokio::sync::Mutex<()>>>>>,
}

/// The locks of some things, held until this is dropped.
#[derive(Debug)]
pub struct Held<T: Eq + Hash> {
    things: BTreeSet<T>,
    guards: Vec<OwnedMutexGuard<()>>,
    locks: Arc<Mutex<HashMap<T, Arc<tokio::sync::Mutex<()>>>>>,
}

impl<T: Eq + Hash> Default for Locks<T> {
    fn default() -> Self {
        Self { locks: Arc::default() }
    }
}

impl<T: Clone + Eq + Hash + Ord> Locks<T> {
    /// Waits for the locks of several things, one after the other in their order, so that nobody waits in a
    /// circle.
    pub(super) fn lock(&self, things: BTreeSet<T>) -> impl Future<Output = Held<T>> + use<T> {
        let mut held = self.none_of(things);
        async move {
            for thing in &held.things {
                let lock = held.entry(thing);
                held.guards.push(lock.lock_owned().await);
            }
            held
        }
    }

    /// The locks of several things, if nobody holds one of them.
    pub(super) fn try_lock(&self, things: BTreeSet<T>) -> Option<Held<T>> {
        let mut held = self.none_of(things);
        for thing in &held.things {
            let lock = held.entry(thing);
            held.guards.push(lock.try_lock_owned().ok()?);
        }
        Some(held)
    }

    fn none_of(&self, things: BTreeSet<T>) -> Held<T> {
        Held { guards: Vec::with_capacity(things.len()), things, locks: Arc::clone(&self.locks) }
    }
}

impl<T: Clone + Eq + Hash + Ord> Held<T> {
    /// Whether these things are among those that are locked.
    pub(super) fn covers(&self, things: &BTreeSet<T>) -> bool {
        things.is_subset(&self.things)
    }

    fn entry(&self, thing: &T) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(thing.clone()).or_default())
    }
}

impl<T: Eq + Hash> Drop for Held<T> {
    fn drop(&mut self) {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        self.guards.clear();
        for thing in &self.things {
            // Those that hold one, or wait for it, have it too.
            if locks.get(thing).is_some_and(|lock| Arc::strong_count(lock) == 1) {
                locks.remove(thing);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn things(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[tokio::test]
    async fn one_at_a_time_holds_the_lock_of_a_thing() {
        let locks = Locks::default();
        let first = locks.lock(things(&["a", "b"])).await;
        assert!(first.covers(&things(&["a"])) && !first.covers(&things(&["a", "c"])));
        assert!(locks.try_lock(things(&["b", "c"])).is_none());
        assert!(locks.try_lock(things(&["c"])).is_some(), "one that was not had for want of another is free");

        let mut waiting = Box::pin(locks.lock(things(&["b"])));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        let second = waiting.await;
        assert!(locks.try_lock(things(&["b"])).is_none());

        drop(second);
        assert!(locks.locks.lock().unwrap().is_empty(), "what nobody holds is forgotten");
    }

    #[tokio::test]
    async fn one_that_gives_up_waiting_leaves_nothing_behind() {
        let locks = Locks::default();
        let first = locks.lock(things(&["a"])).await;
        let mut waiting = Box::pin(locks.lock(things(&["a"])));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        drop(first);
        assert!(locks.locks.lock().unwrap().is_empty());
    }
}
