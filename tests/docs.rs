//! What the documents promise about the code.

#![expect(clippy::unwrap_used, reason = "what fails in a test should panic")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_guide_tells_what_to_do_for_each_reason() {
    let source = read("src/planning/rest.rs");
    let (_, list) = source.split_once("\nreasons! {\n").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    let reasons: Vec<&str> = list.lines().map(str::trim).filter_map(|line| line.strip_suffix(',')).collect();
    assert!(reasons.contains(&"Available"), "{reasons:?}");
    let guide = read("docs/guide.md");
    let missing: Vec<&&str> =
        reasons.iter().filter(|reason| !guide.contains(&format!("\n| `{reason}` | "))).collect();
    assert_eq!(missing, Vec::<&&str>::new(), "docs/guide.md has no row for them");
}

#[test]
fn links_and_files_that_are_named_exist() {
    for document in ["README.md", "docs/guide.md", "docs/architecture.md"] {
        let text = read(document);
        let folder = root().join(Path::new(document).parent().unwrap());
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            assert!(folder.join(path).exists(), "{document} links to {target}");
        }
        for name in text.split('`').skip(1).step_by(2) {
            let of_repository = ["src/", "deploy/", "tests/", "simulator/", "controlplane/", "xtask/"];
            if of_repository.iter().any(|start| name.starts_with(start)) {
                assert!(root().join(name).exists(), "{document} names {name}");
            }
        }
    }
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
