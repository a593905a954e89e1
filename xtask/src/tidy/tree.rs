//! The repository's files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// What is there, by path: relative to the top folder, with `/`.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The names in the top folder.
    root: BTreeSet<String>,
    /// Files and folders.
    paths: BTreeSet<String>,
    /// What Rust files and documents say.
    texts: BTreeMap<String, String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        for entry in fs::read_dir(root)? {
            tree.root.insert(entry?.file_name().to_string_lossy().into_owned());
        }
        let known: Vec<String> =
            tree.root.iter().filter(|name| !matches!(&***name, ".git" | "target")).cloned().collect();
        known.into_iter().try_for_each(|name| tree.add(root, name))?;
        Ok(tree)
    }

    fn add(&mut self, root: &Path, path: String) -> io::Result<()> {
        let on_disk = root.join(&path);
        if on_disk.is_dir() {
            for entry in fs::read_dir(on_disk)? {
                self.add(root, format!("{path}/{}", entry?.file_name().to_string_lossy()))?;
            }
        } else if [".rs", ".md"].iter().any(|ending| path.ends_with(ending)) {
            self.texts.insert(path.clone(), fs::read_to_string(on_disk)?);
        }
        self.paths.insert(path);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(files: [(&str, &str); N]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.root.insert(path.split('/').next().unwrap_or_default().to_owned());
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            tree.paths.extend(ends.map(|end| path[..end].to_owned()));
            tree.texts.insert(path.to_owned(), text.to_owned());
        }
        tree
    }

    /// The names in the top folder.
    pub(super) fn root(&self) -> impl Iterator<Item = &str> {
        self.root.iter().map(String::as_str)
    }

    /// Whether this file or folder is there.
    pub(super) fn has(&self, path: &str) -> bool {
        path.is_empty() || self.paths.contains(path)
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// The texts whose path ends so.
    pub(super) fn texts(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .filter(move |(path, _)| path.ends_with(ending))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}
