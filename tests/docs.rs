//! What the documents promise about the code.

#![expect(clippy::unwrap_used, reason = "what fails in a test should panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

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

/// The first word of each line that begins so, with what follows up to the end of a flag's name.
fn flags(text: &str, beginning: &str) -> BTreeSet<String> {
    let flags = text.lines().filter_map(|line| line.trim_start().strip_prefix(beginning));
    let ends = |character: char| character != '-' && !character.is_ascii_lowercase();
    flags.map(|flag| flag.split(ends).next().unwrap().to_owned()).collect()
}

#[test]
fn each_flag_is_described_and_each_that_is_described_exists() {
    let help = Command::new(env!("CARGO_BIN_EXE_webhook-operator")).args(["run", "--help"]).output().unwrap();
    let mut said = flags(&String::from_utf8(help.stdout).unwrap(), "--");
    assert!(said.contains("leader-elect"), "{said:?}");
    said.remove("help");
    assert_eq!(flags(&read("docs/install.md"), "| `--"), said);
}
