//! What is rendered: compared with `golden/*.yaml`, and shown to an API server.
//!
//! `UPDATE_GOLDEN=1 cargo test --test chart` writes them anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use crate::cluster::{feed, installed, restricted_namespace};
use crate::helm::{CHART, copy_of_chart, helm, objects, quiet};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart");
/// The namespace that it is all rendered for.
const NAMESPACE: &str = "hooks";

/// A golden file, its values, and whether the cluster is said to have our definitions.
const CASES: [(&str, &str, Definitions); 5] = [
    ("first-installation", "default-network", Definitions::ToCome),
    ("default-network", "default-network", Definitions::There),
    ("everything", "everything", Definitions::There),
    ("minimal", "minimal", Definitions::There),
    ("namespaces", "namespaces", Definitions::There),
];

#[derive(Clone, Copy)]
enum Definitions {
    There,
    ToCome,
}

fn values(name: &str) -> String {
    format!("--values={FOLDER}/values/{name}.yaml")
}

fn render(chart: &str, arguments: &[&str]) -> String {
    quiet(helm(&["template", "hooks", chart, "--namespace", NAMESPACE]).args(arguments))
}

fn render_case(name: &str, definitions: Definitions) -> String {
    let values = values(name);
    match definitions {
        Definitions::There => {
            render(CHART, &[&values, "--api-versions=webhookoperator.dev/v1alpha1/ClusterWebhookNetwork"])
        }
        Definitions::ToCome => render(CHART, &[&values]),
    }
}

#[test]
fn golden_files() {
    let mut stale = Vec::new();
    for (name, values, definitions) in CASES {
        let rendered = render_case(values, definitions);
        let path = Path::new(FOLDER).join("golden").join(format!("{name}.yaml"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, rendered).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != rendered {
            stale.push(path);
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} differ from what is rendered; if they are meant to, run with UPDATE_GOLDEN=1, and look at the difference"
    );
}

#[test]
fn lint_has_no_complaint() {
    quiet(&mut helm(&["lint", "--strict", CHART]));
    for (_, name, _) in CASES {
        quiet(helm(&["lint", "--strict", CHART]).arg(values(name)));
    }
}

/// Every object would be stored, without a warning, and every Pod would be let in under `restricted`.
fn accepted(manifest: &str) {
    static NAMESPACES: OnceLock<()> = OnceLock::new();
    installed();
    NAMESPACES.get_or_init(|| [NAMESPACE, "team-a", "team-b"].into_iter().for_each(restricted_namespace));
    let objects = objects(manifest);
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "-o",
        "name",
    ];
    let (accepted, said) = feed(&apply, manifest);
    assert_eq!((accepted.lines().count(), &*said), (objects.len(), ""), "{accepted}");
    for deployment in objects.iter().filter(|object| object["kind"] == "Deployment") {
        let mut pod = deployment["spec"]["template"].clone();
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        pod["metadata"]["name"] = "operator".into();
        // Its own is not stored by the dry run.
        pod["spec"]["serviceAccountName"] = "default".into();
        let create = ["-n", NAMESPACE, "create", "--dry-run=server", "--validate=strict", "-o", "name"];
        assert_eq!(feed(&create, &pod.to_string()), ("pod/operator\n".to_owned(), String::new()));
    }
}

#[test]
fn every_object_is_accepted() {
    for (_, values, definitions) in CASES {
        accepted(&render_case(values, definitions));
    }
}

#[test]
fn a_pod_without_restrictions_is_refused() {
    // Otherwise the above would show nothing.
    installed();
    let pod =
        "{apiVersion: v1, kind: Pod, metadata: {name: it}, spec: {containers: [{name: it, image: it}]}}";
    let (_, said) = feed(&["-n", "webhook-operator", "create", "--dry-run=server"], pod);
    assert!(said.contains(r#"violates PodSecurity "restricted:latest""#), "{said}");
}

#[test]
fn alerts_and_the_dashboard_are_rendered_as_they_are() {
    let alerts = "groups:\n  - name: hooks\n    rules:\n      - alert: Down\n        expr: up == 0\n        \
                  annotations:\n          summary: \"{{ $labels.pod }} is down\"\n";
    let dashboard = "{\n  \"title\": \"Hooks of {{cluster}}\"\n}\n";
    let folder = copy_of_chart();
    std::fs::write(folder.path().join("files/alerts.yaml"), alerts).unwrap();
    std::fs::write(folder.path().join("files/dashboard.json"), dashboard).unwrap();
    let chart = folder.path().to_str().unwrap();
    let manifest = render(chart, &[&values("everything")]);
    let objects = objects(&manifest);
    let of_kind = |kind| objects.iter().find(|object| object["kind"] == kind).expect("it is rendered");
    let rule = &of_kind("PrometheusRule")["spec"]["groups"][0]["rules"][0];
    assert_eq!(rule["annotations"]["summary"], "{{ $labels.pod }} is down");
    assert_eq!(
        of_kind("ConfigMap")["data"]["webhook-operator.json"].as_str().unwrap().trim(),
        dashboard.trim()
    );
    accepted(&manifest);
}

#[test]
fn definitions_are_those_of_the_source_and_stay() {
    let rendered =
        objects(&render(CHART, &["--show-only=templates/crds.yaml", "--set=commonLabels.team=platform"]));
    assert_eq!(rendered.len(), 3);
    for object in rendered {
        let mut definition = definition(object);
        let path = format!("{}/crds/{}.yaml", env!("CARGO_MANIFEST_DIR"), definition.spec.names.plural);
        let annotations = definition.metadata.annotations.take().unwrap();
        assert_eq!(annotations, BTreeMap::from([("helm.sh/resource-policy".to_owned(), "keep".to_owned())]));
        assert_eq!(definition.metadata.labels.take().unwrap()["team"], "platform");
        let source = std::fs::read_to_string(&path).unwrap();
        assert!(
            definition == self::definition(objects(&source).remove(0)),
            "what is rendered differs from {path}"
        );
    }
}

fn definition(object: Value) -> CustomResourceDefinition {
    serde_json::from_value(object).unwrap()
}
