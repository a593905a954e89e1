//! From one thing to the resources that have to do with it.

use std::collections::BTreeSet;

use super::key::ResourceKey;

/// From one thing, or Secret, to the names that have to do with it, in O(log n) and one step for each.
#[derive(Debug)]
pub(super) struct Lookup<T>(BTreeSet<(T, ResourceKey)>);

impl<T> Default for Lookup<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Clone + Ord> Lookup<T> {
    pub(super) fn insert(&mut self, thing: T, key: &ResourceKey) {
        self.0.insert((thing, key.clone()));
    }

    pub(super) fn remove(&mut self, thing: T, key: &ResourceKey) {
        self.0.remove(&(thing, key.clone()));
    }

    pub(super) fn of(&self, thing: T) -> impl Iterator<Item = &ResourceKey> + use<'_, T> {
        let first = (thing.clone(), ResourceKey::default());
        self.0.range(first..).take_while(move |(other, _)| *other == thing).map(|(_, key)| key)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
