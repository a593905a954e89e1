//! What neither rustc nor clippy asks for: a root without strays, short files, modules without circles, links
//! that lead somewhere, and a guide that knows every reason.

mod circles;
mod links;
mod reasons;
mod tokens;
mod tree;

use std::io;
use std::path::Path;

use tree::Tree;

/// What is not tidy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TidyError {
    #[error("the repository can't be read: {0}")]
    Io(#[from] io::Error),
    #[error("the repository is not tidy:\n  {}", .0.join("\n  "))]
    Findings(Vec<String>),
}

/// What the repository's top folder may hold.
const ROOT: [&str; 28] = [
    ".cargo",
    ".ci",
    ".dockerignore",
    ".git",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "certificates",
    "clippy.toml",
    "controlplane",
    "crds",
    "deny.toml",
    "deploy",
    "docs",
    "examples",
    "interposer",
    "rustfmt.toml",
    "simulator",
    "src",
    "target",
    "testkit",
    "tests",
    "xtask",
];

/// A longer file holds more than one idea.
const MOST_LINES: usize = 400;

/// Checks the repository at `root`.
pub(crate) fn run(root: &Path) -> Result<(), TidyError> {
    let findings = findings(&Tree::read(root)?);
    if findings.is_empty() { Ok(()) } else { Err(TidyError::Findings(findings)) }
}

fn findings(tree: &Tree) -> Vec<String> {
    let checks = [strays, long_files, circles::findings, links::findings, reasons::findings];
    checks.iter().flat_map(|check| check(tree)).collect()
}

fn strays(tree: &Tree) -> Vec<String> {
    let strays = tree.root().filter(|name| !ROOT.contains(name));
    strays.map(|name| format!("{name} does not belong in the top folder")).collect()
}

fn long_files(tree: &Tree) -> Vec<String> {
    let lengths = tree.texts(".rs").map(|(path, text)| (path, text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > MOST_LINES);
    long.map(|(path, lines)| format!("{path} has {lines} lines: split it, {MOST_LINES} are enough")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo;

    #[test]
    fn the_repository_is_tidy() {
        run(&cargo::root()).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn what_does_not_belong_in_the_top_folder_is_named() {
        let tree = Tree::of([("NOTE.md", ""), ("README.md", ""), ("docs/NOTE.md", ""), (".idea/x", "")]);
        let expected = [".idea", "NOTE.md"].map(|name| format!("{name} does not belong in the top folder"));
        assert_eq!(strays(&tree), expected);
    }

    #[test]
    fn a_long_file_is_named() {
        let (long, short) = ("x\n".repeat(MOST_LINES + 1), "x\n".repeat(MOST_LINES));
        let tree = Tree::of([("src/a.rs", &*long), ("src/b.rs", &*short), ("docs/c.md", &*long)]);
        assert_eq!(long_files(&tree), ["src/a.rs has 401 lines: split it, 400 are enough"]);
    }
}
