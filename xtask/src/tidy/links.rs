//! Links and files that documents name.

use super::tree::Tree;

/// The folders whose files documents name in backticks.
const FOLDERS: [&str; 8] =
    ["src/", "deploy/", "docs/", "tests/", "simulator/", "interposer/", "controlplane/", "xtask/"];

/// Links within the repository that lead nowhere, and files that are named and not there.
pub(super) fn findings(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (document, text) in tree.texts(".md") {
        for line in prose(text) {
            let dead = targets(line).filter(|target| !leads_somewhere(tree, document, target));
            findings.extend(dead.map(|target| format!("{document} links to {target}, which is not there")));
            let named = line.split('`').skip(1).step_by(2).filter(|name| is_path(name));
            let gone = named.filter(|name| !tree.has(name.trim_end_matches('/')));
            findings.extend(gone.map(|name| format!("{document} names {name}, which is not there")));
        }
    }
    findings
}

fn is_path(name: &str) -> bool {
    FOLDERS.iter().any(|folder| name.starts_with(folder)) && !name.contains([' ', '*', '{', '<', '…'])
}

/// The lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Where the links of a line lead, as written.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

fn leads_somewhere(tree: &Tree, document: &str, target: &str) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { Some(document.to_owned()) } else { resolved(document, path) };
    let Some(path) = path.filter(|path| tree.has(path)) else { return false };
    let has_anchor = |text: &str| anchors(text).iter().any(|known| known == anchor);
    anchor.is_empty() || tree.text(&path).is_some_and(has_anchor)
}

/// A path that `document` names, from the top folder; `None` above it.
fn resolved(document: &str, path: &str) -> Option<String> {
    let mut segments: Vec<&str> = document.split('/').collect();
    segments.pop();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()?),
            name => segments.push(name),
        }
    }
    Some(segments.join("/"))
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for line in prose(text).filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let earlier = anchors.iter().filter(|known| **known == anchor).count();
        anchors.push(if earlier == 0 { anchor } else { format!("{anchor}-{earlier}") });
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_named() {
        let guide = "# Guide\n[a](#wait-kubectl-flux) [b](../README.md) [c](other.md#x_1) [d](https://example.com/x)\n\
                     ## Wait: kubectl, Flux\n```\n[in code](nowhere.md)\n```\n[e](#guide) [f](other.md#x_1-1)";
        let other = "# `x_1`\n# x_1\n";
        let sound = [("docs/guide.md", guide), ("docs/other.md", other), ("README.md", "[docs](docs)")];
        assert_eq!(findings(&Tree::of(sound)), Vec::<String>::new());
        for dead in ["gone.md", "#nowhere", "other.md#x_2", "../../README.md", "../README.md#guide"] {
            let document = format!("[x]({dead})");
            let tree = Tree::of([("docs/guide.md", &*document), ("docs/other.md", other), ("README.md", "")]);
            assert_eq!(findings(&tree), [format!("docs/guide.md links to {dead}, which is not there")]);
        }
    }

    #[test]
    fn files_that_are_gone_are_named() {
        let document = "`src/a.rs`, `src/`, `src/b.rs`, `cargo run`, `tests/*/main.rs`, `elsewhere/x`";
        let tree = Tree::of([("README.md", document), ("src/a.rs", "")]);
        assert_eq!(findings(&tree), ["README.md names src/b.rs, which is not there"]);
    }
}
