//! `docs/security.md` says what `deploy/` grants.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Deserialize as _;
use serde_json::Value;

/// Scope, group, resource, verb.
type Right = (String, String, String, String);

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn granted() -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for document in serde_yaml::Deserializer::from_str(&read("deploy/operator.yaml")) {
        let object = Value::deserialize(document).expect("YAML");
        let scope = match object["kind"].as_str() {
            Some("ClusterRole") => "cluster".to_owned(),
            Some("Role") => {
                format!("namespace {}", object["metadata"]["namespace"].as_str().expect("a namespace"))
            }
            _ => continue,
        };
        let rules = serde_json::from_value::<Vec<PolicyRule>>(object["rules"].clone()).expect("rules");
        for rule in rules {
            assert!(rule.resource_names.is_none() && rule.non_resource_urls.is_none(), "say so: {rule:?}");
            for group in rule.api_groups.iter().flatten() {
                for resource in rule.resources.iter().flatten() {
                    for verb in &rule.verbs {
                        rights.insert((scope.clone(), group.clone(), resource.clone(), verb.clone()));
                    }
                }
            }
        }
    }
    rights
}

fn documented() -> BTreeSet<Right> {
    let text = read("docs/security.md");
    let (_, section) = text.split_once("## The operator's rights\n").expect("the section");
    let rows =
        section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let mut rights = BTreeSet::new();
    for row in rows.skip(2) {
        let cells = row.split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect::<Vec<_>>();
        let [_, scope, group, resources, verbs, _, _] = &cells[..] else { panic!("another table: {row}") };
        let group = if group == "core" { "" } else { group };
        for resource in resources.split(", ") {
            for verb in verbs.split(", ") {
                rights.insert((scope.clone(), group.to_owned(), resource.to_owned(), verb.to_owned()));
            }
        }
    }
    rights
}

#[test]
fn the_table_of_rights_is_what_is_deployed() {
    let (granted, documented) = (granted(), documented());
    assert!(granted.len() > 25, "{granted:?}");
    let missing = granted.difference(&documented).collect::<Vec<_>>();
    let excessive = documented.difference(&granted).collect::<Vec<_>>();
    assert!(missing.is_empty() && excessive.is_empty(), "to add: {missing:#?}\nto remove: {excessive:#?}");
}
