//! The reasons of conditions, which the guide explains.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};

use super::tokens;
use super::tree::Tree;

const GUIDE: &str = "docs/guide.md";

/// The files that say how a network stands: there, a name in quotes is a reason.
const OF_NETWORKS: [&str; 3] = ["src/network/", "src/controller/networks", "src/provider/error"];

/// Names in quotes that are not a reason, or of a failure that no list of a network meets.
const OTHERS: [&str; 5] =
    ["ClusterWebhookNetworks", "WebhookNetworks", "InvalidId", "Conflict", "CreatedWithoutSecret"];

/// Reasons that have no row in the guide's tables: what an endpoint says has three columns, what a network says two.
pub(super) fn findings(tree: &Tree) -> Vec<String> {
    let rows = rows(tree.text(GUIDE).unwrap_or_default());
    let mut findings = Vec::new();
    let mut check = |whose: &str, reasons: BTreeSet<String>, columns: usize| {
        if reasons.is_empty() {
            findings.push(format!("no reason of {whose} was found: say in xtask where they are now"));
        }
        let is_told = |reason: &String| rows.get(reason).is_some_and(|found| found.contains(&columns));
        let missing = reasons.iter().filter(|reason| !is_told(reason));
        findings
            .extend(missing.map(|reason| format!("{GUIDE} has no row for {reason}, a reason of {whose}")));
    };
    check("endpoints", tree.texts(".rs").flat_map(|(_, text)| listed(tokens::of(text))).collect(), 3);
    for start in OF_NETWORKS {
        let files = tree.texts(".rs").filter(|(path, _)| path.starts_with(start));
        check(
            &format!("networks ({start}…)"),
            files.flat_map(|(_, text)| quoted(tokens::of(text))).collect(),
            2,
        );
    }
    findings
}

/// How many columns the rows have that begin with a name in backticks, or several.
fn rows(guide: &str) -> BTreeMap<String, Vec<usize>> {
    let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for line in guide.lines() {
        let Some((first, others)) = line.strip_prefix("| ").and_then(|row| row.split_once(" | ")) else {
            continue;
        };
        for name in first.split('`').skip(1).step_by(2) {
            rows.entry(name.to_owned()).or_default().push(1 + others.matches(" |").count());
        }
    }
    rows
}

/// The names in a call of `reasons!`.
fn listed(tokens: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let lists = tokens.windows(3).filter_map(|window| match window {
        [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(list)] if name == "reasons" => {
            Some(list.stream())
        }
        _ => None,
    });
    let names = lists.flatten().filter_map(|token| match token {
        TokenTree::Ident(name) => Some(name.to_string()),
        _ => None,
    });
    names.collect()
}

/// The names in quotes.
fn quoted(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(quoted(group.stream())),
            TokenTree::Literal(literal) => found.extend(name_in(&literal.to_string())),
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
    found
}

fn name_in(literal: &str) -> Option<String> {
    let name = literal.strip_prefix('"')?.strip_suffix('"')?;
    let is_name = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|letter| letter.is_ascii_alphabetic());
    (is_name && !OTHERS.contains(&name)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [(&str, &str); 4] = [
        (
            "src/planning/outcome.rs",
            "macro_rules! reasons { ($x:ident) => {} }\nreasons! { /// Well.\n Available, Paused }",
        ),
        ("src/network/status.rs", "fn f() { g(\"InUse\", \"WebhookNetworks\", \"a Text\") }"),
        (
            "src/controller/networks.rs",
            "const X: &str = \"NotThere\"; #[cfg(test)] mod tests { f(\"Tested\") }",
        ),
        ("src/provider/error.rs", "fn reason() { match x { A => \"TimedOut\" } }"),
    ];

    fn findings_with(guide: &str) -> Vec<String> {
        let [one, two, three, four] = SOURCES;
        findings(&Tree::of([one, two, three, four, (GUIDE, guide)]))
    }

    #[test]
    fn every_reason_needs_its_row() {
        let guide = "| `Available` | well | nothing |\n| `Paused` | paused | go on |\n| `InUse`, `NotThere` | wait |\n\
                     | `TimedOut` | wait |\n";
        assert_eq!(findings_with(guide), Vec::<String>::new());
        for (row, missing) in [
            ("| `Paused` | paused | go on |\n", "Paused, a reason of endpoints"),
            ("`NotThere`", "NotThere, a reason of networks (src/controller/networks…)"),
            ("| `TimedOut` | wait |\n", "TimedOut, a reason of networks (src/provider/error…)"),
        ] {
            assert_eq!(
                findings_with(&guide.replace(row, "")),
                [format!("docs/guide.md has no row for {missing}")]
            );
        }
    }

    #[test]
    fn a_row_of_the_other_table_does_not_count() {
        let guide = "| `Available` | well |\n| `Paused` | paused | go on |\n| `InUse`, `NotThere` | wait |\n| `TimedOut` | x |";
        assert_eq!(findings_with(guide), ["docs/guide.md has no row for Available, a reason of endpoints"]);
    }

    #[test]
    fn reasons_that_moved_away_are_missed() {
        let found = findings(&Tree::of([(GUIDE, "")]));
        assert_eq!(found.len(), 4, "{found:?}");
    }
}
