//! A release for some namespaces.

use crate::cluster::{helm_in_cluster, kubectl, restricted_namespace};
use crate::helm::{CHART, helm, objects, quiet};

#[test]
fn it_has_nothing_in_the_whole_cluster() {
    let rendered = quiet(&mut helm(&[
        "template",
        "hooks",
        CHART,
        "--namespace=hooks",
        "--set=watchNamespaces={a,b},crds.install=false",
        "--set=metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true",
    ]));
    for object in objects(&rendered) {
        let namespace = object["metadata"]["namespace"].as_str();
        let expected: &[&str] = match object["kind"].as_str().unwrap() {
            "Role" | "RoleBinding" => &["hooks", "a", "b"],
            _ => &["hooks"],
        };
        assert!(namespace.is_some_and(|namespace| expected.contains(&namespace)), "{object:#}");
    }
    let arguments: Vec<&str> = rendered.lines().filter(|line| line.contains("--watch-namespace")).collect();
    assert_eq!(arguments, ["            - --watch-namespace=a", "            - --watch-namespace=b"]);
}

#[test]
fn it_has_rights_in_its_namespaces_and_no_others() {
    for name in ["team", "ours", "ours-too"] {
        restricted_namespace(name);
    }
    quiet(&mut helm_in_cluster(&[
        "install",
        "team",
        CHART,
        "--namespace=team",
        "--set=watchNamespaces={ours,ours-too},crds.install=false",
    ]));
    let ours = ["--namespace=ours", "--namespace=ours-too"];
    let others = ["--namespace=default", "--namespace=team", "--all-namespaces"];
    for (verb, resource) in [
        ("watch", "webhookendpoints.webhookoperator.dev"),
        ("patch", "webhookendpoints.webhookoperator.dev"),
        ("patch", "webhookendpoints.webhookoperator.dev/status"),
        ("list", "webhooknetworks.webhookoperator.dev"),
        ("patch", "webhooknetworks.webhookoperator.dev/status"),
        ("get", "secrets"),
        ("create", "secrets"),
        ("patch", "secrets"),
        ("delete", "secrets"),
        ("create", "events.events.k8s.io"),
    ] {
        for (answer, places) in [("yes", &ours[..]), ("no", &others)] {
            for place in places {
                assert_eq!(may(verb, resource, place), answer, "{verb} {resource} {place}");
            }
        }
    }
    for verb in ["get", "create", "patch"] {
        assert_eq!(may(verb, "leases.coordination.k8s.io", "--namespace=team"), "yes", "{verb}");
    }
    for (verb, resource, place) in [
        ("update", "secrets", "--namespace=ours"),
        ("deletecollection", "secrets", "--namespace=ours"),
        ("create", "webhookendpoints.webhookoperator.dev", "--namespace=ours"),
        ("update", "webhookendpoints.webhookoperator.dev", "--namespace=ours"),
        ("operate", "webhookendpoints.webhookoperator.dev", "--namespace=ours"),
        ("get", "clusterwebhooknetworks.webhookoperator.dev", "--all-namespaces"),
        ("get", "namespaces", "--all-namespaces"),
        ("get", "leases.coordination.k8s.io", "--namespace=ours"),
        ("update", "leases.coordination.k8s.io", "--namespace=team"),
    ] {
        assert_eq!(may(verb, resource, place), "no", "{verb} {resource} {place}");
    }
}

fn may(verb: &str, resource: &str, place: &str) -> String {
    let operator = "system:serviceaccount:team:team-webhook-operator";
    let output = kubectl(&["auth", "can-i", verb, resource, place, "--as", operator]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
