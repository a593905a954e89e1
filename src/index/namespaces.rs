//! What is known of namespaces.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::Index;
use crate::planning::SecretShape;

/// What is known of namespaces.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    labels: HashMap<String, BTreeMap<String, String>>,
    /// Those in which Secrets of ours were written, or shown writable, and which labels and annotations these had:
    /// an admission policy may go by them.
    proven: HashMap<String, HashSet<u64>>,
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
        self.namespaces.proven.retain(|name, _| names.contains(name));
    }

    /// Whether a Secret that looks like this was written, or shown writable, in a namespace.
    #[must_use]
    pub fn is_proven(&self, namespace: &str, shape: &SecretShape) -> bool {
        self.namespaces.proven.get(namespace).is_some_and(|proven| proven.contains(&looks(shape)))
    }

    /// Takes in that a write of a Secret, or a dry run of one, has shown that those that look like it can be written.
    pub fn note_proven(&mut self, namespace: &str, shape: &SecretShape) {
        self.namespaces.proven.entry(namespace.to_owned()).or_default().insert(looks(shape));
    }

    /// Takes in that a write of a Secret was refused in a namespace.
    pub fn note_refused(&mut self, namespace: &str) {
        self.namespaces.proven.remove(namespace);
    }
}

/// Stands for the labels and annotations of a Secret, all that tells those of one namespace apart but its name.
fn looks(SecretShape { name: _, labels, annotations, ownership }: &SecretShape) -> u64 {
    let mut hasher = DefaultHasher::new();
    (labels, annotations, ownership).hash(&mut hasher);
    hasher.finish()
}
