//! What the documents promise about the code.

#![expect(clippy::unwrap_used, reason = "what fails in a test should panic")]

use std::fs;
use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_readme_shows_the_sample() {
    let sample = read("deploy/samples/endpoint.yaml");
    let fields: Vec<&str> = sample
        .lines()
        .map(|line| line.split(" #").next().unwrap().trim_end())
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert!(read("README.md").contains(&fields.join("\n")), "the manifest in README.md is another one");
}
