//! What is known of namespaces.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Index;
use crate::planning::SecretWrites;

/// What is known of namespaces.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    labels: HashMap<String, BTreeMap<String, String>>,
    /// Those in which a Secret of ours was written, or shown writable.
    proven: HashSet<String>,
}

impl<N> Index<N> {
    /// The labels of a namespace; `None` before the watch has shown it.
    #[must_use]
    pub fn namespace_labels(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.namespaces.labels.get(name)
    }

    /// Takes in the labels of a namespace; tells whether they are new.
    pub fn see_namespace(&mut self, name: &str, labels: BTreeMap<String, String>) -> bool {
        let known = &mut self.namespaces.labels;
        if known.get(name) == Some(&labels) {
            return false;
        }
        known.insert(name.to_owned(), labels);
        true
    }

    /// Forgets a namespace that is gone.
    pub fn forget_namespace(&mut self, name: &str) {
        self.namespaces.labels.remove(name);
        self.namespaces.proven.remove(name);
    }

    /// Forgets all namespaces but these, which are all that there are.
    pub fn forget_namespaces_but(&mut self, names: &HashSet<String>) {
        self.namespaces.labels.retain(|name, _| names.contains(name));
        self.namespaces.proven.retain(|name| names.contains(name));
    }

    /// Whether a Secret of ours was written, or shown writable, in a namespace.
    #[must_use]
    pub fn is_proven(&self, namespace: &str) -> bool {
        self.namespaces.proven.contains(namespace)
    }

    /// Takes in what a write of a Secret of ours, or a dry run of one, has shown of its namespace.
    pub fn note_proven(&mut self, namespace: &str, writes: SecretWrites) {
        match writes {
            SecretWrites::Proven => self.namespaces.proven.insert(namespace.to_owned()),
            SecretWrites::Unproven => self.namespaces.proven.remove(namespace),
        };
    }
}
