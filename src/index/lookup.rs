//! From one thing to those that have to do with it.

use std::collections::BTreeSet;

use super::key::ResourceKey;

/// From one thing to those that have to do with it, such as resources, in O(log n) and one step for each.
#[derive(Debug)]
pub(super) struct Lookup<T, K = ResourceKey>(BTreeSet<(T, K)>);

impl<T, K> Default for Lookup<T, K> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Clone + Ord, K: Clone + Default + Ord> Lookup<T, K> {
    pub(super) fn insert(&mut self, thing: T, key: &K) {
        self.0.insert((thing, key.clone()));
    }

    pub(super) fn remove(&mut self, thing: T, key: &K) {
        self.0.remove(&(thing, key.clone()));
    }

    pub(super) fn of(&self, thing: T) -> impl Iterator<Item = &K> + use<'_, T, K> {
        let first = (thing.clone(), K::default());
        self.0.range(first..).take_while(move |(other, _)| *other == thing).map(|(_, key)| key)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
