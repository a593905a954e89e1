//! `kubectl apply -k deploy` on a real API server, the rights that it gives, and what `kubectl delete -k deploy` leaves.

#![expect(clippy::unwrap_used, reason = "what fails in a test should panic")]

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use controlplane::ControlPlane;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/samples");
const OPERATOR: &str = "system:serviceaccount:webhook-operator:webhook-operator";

fn kubectl(arguments: &[&str]) -> Command {
    let mut command = ControlPlane::shared().unwrap().kubectl_command();
    command.args(arguments);
    command
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What stays when the operator goes.
const SETUP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/setup");

/// What `kubectl apply` says of both, once for all tests.
fn deployed() -> &'static str {
    static DEPLOYED: OnceLock<String> = OnceLock::new();
    DEPLOYED.get_or_init(|| {
        let apply = |folder| output(&mut kubectl(&["apply", "--server-side", "-k", folder, "-o", "name"]));
        apply(SETUP) + &apply(DEPLOY)
    })
}

#[test]
fn every_object_is_accepted() {
    let mut names: Vec<&str> = deployed().lines().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "clusterrole.rbac.authorization.k8s.io/webhook-operator",
            "clusterrolebinding.rbac.authorization.k8s.io/webhook-operator",
            "customresourcedefinition.apiextensions.k8s.io/clusterwebhooknetworks.webhookoperator.dev",
            "customresourcedefinition.apiextensions.k8s.io/webhookendpoints.webhookoperator.dev",
            "customresourcedefinition.apiextensions.k8s.io/webhooknetworks.webhookoperator.dev",
            "deployment.apps/webhook-operator",
            "namespace/webhook-operator",
            "networkpolicy.networking.k8s.io/webhook-operator",
            "poddisruptionbudget.policy/webhook-operator",
            "role.rbac.authorization.k8s.io/webhook-operator-lease",
            "rolebinding.rbac.authorization.k8s.io/webhook-operator-lease",
            "service/webhook-operator-metrics",
            "serviceaccount/webhook-operator",
            "validatingadmissionpolicy.admissionregistration.k8s.io/webhook-operator-credentials",
            "validatingadmissionpolicy.admissionregistration.k8s.io/webhook-operator-marks",
            "validatingadmissionpolicy.admissionregistration.k8s.io/webhook-operator-signing-secrets",
            "validatingadmissionpolicybinding.admissionregistration.k8s.io/webhook-operator-credentials",
            "validatingadmissionpolicybinding.admissionregistration.k8s.io/webhook-operator-marks",
            "validatingadmissionpolicybinding.admissionregistration.k8s.io/webhook-operator-signing-secrets",
        ]
    );
}

#[test]
fn a_second_apply_is_accepted_under_strict_validation() {
    deployed();
    // Without --server-side, as a person types it.
    for folder in [SETUP, DEPLOY] {
        output(&mut kubectl(&["apply", "-k", folder, "--dry-run=server", "--validate=strict"]));
    }
}

/// To delete a custom resource definition deletes all that was declared, and to delete the namespace all credentials.
#[test]
fn what_deletes_the_operator_leaves_what_people_made() {
    deployed();
    let gone = output(&mut kubectl(&["delete", "-k", DEPLOY, "--dry-run=server", "-o", "name"]));
    assert!(gone.contains("deployment.apps/webhook-operator"), "{gone}");
    for stays in ["customresourcedefinition", "namespace/", "webhookendpoint", "secret/"] {
        assert!(!gone.contains(stays), "{gone}");
    }
}

#[test]
fn its_pod_passes_the_restricted_pod_security_standard() {
    deployed();
    let deployment =
        output(&mut kubectl(&["-n", "webhook-operator", "get", "deployment/webhook-operator", "-o", "json"]));
    let mut pod = serde_json::from_str::<serde_json::Value>(&deployment).unwrap()["spec"]["template"].take();
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"]["name"] = "operator".into();
    let accepted = create_dry_run(&pod);
    assert_eq!(accepted, Ok("pod/operator".to_owned()));

    // The namespace does refuse: otherwise the above would show nothing.
    pod["spec"]["containers"][0]["securityContext"] = serde_json::json!({"privileged": true});
    let refused = create_dry_run(&pod).unwrap_err();
    assert!(refused.contains(r#"violates PodSecurity "restricted:latest": privileged"#), "{refused}");
}

#[test]
fn every_sample_is_accepted_as_it_is() {
    deployed();
    // An earlier run may have left it; without it, the samples are refused.
    kubectl(&["create", "namespace", "billing"]).output().unwrap();
    let mut accepted = Vec::new();
    for file in std::fs::read_dir(SAMPLES).unwrap() {
        let path = file.unwrap().path();
        let arguments =
            ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-o", "name", "-f"];
        let said = output(kubectl(&arguments).arg(&path));
        accepted.push((path.file_name().unwrap().to_str().unwrap().to_owned(), said.trim().to_owned()));
    }
    accepted.sort_unstable();
    let expected = [
        ("endpoint.yaml", "webhookendpoint.webhookoperator.dev/charge-events"),
        ("network.yaml", "clusterwebhooknetwork.webhookoperator.dev/default"),
        ("receiver.yaml", "deployment.apps/charging"),
        ("team-network.yaml", "webhooknetwork.webhookoperator.dev/billing"),
    ];
    assert_eq!(accepted, expected.map(|(file, name)| (file.to_owned(), name.to_owned())));
}

fn create_dry_run(object: &serde_json::Value) -> Result<String, String> {
    let mut process =
        kubectl(&["-n", "webhook-operator", "create", "--dry-run=server", "-o", "name", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    process.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_operator_may_do_what_it_needs_and_no_more() {
    deployed();
    let everywhere = "--all-namespaces";
    let own = "--namespace=webhook-operator";
    for (allowed, verb, resource, place) in [
        (true, "watch", "webhookendpoints.webhookoperator.dev", everywhere),
        (true, "patch", "webhookendpoints.webhookoperator.dev", everywhere),
        (true, "patch", "webhookendpoints.webhookoperator.dev/status", everywhere),
        (false, "update", "webhookendpoints.webhookoperator.dev", everywhere),
        (false, "update", "webhookendpoints.webhookoperator.dev/status", everywhere),
        (false, "update", "secrets", everywhere),
        (false, "get", "namespaces", everywhere),
        (true, "list", "webhooknetworks.webhookoperator.dev", everywhere),
        (true, "patch", "webhooknetworks.webhookoperator.dev/status", everywhere),
        (true, "watch", "clusterwebhooknetworks.webhookoperator.dev", everywhere),
        (true, "patch", "clusterwebhooknetworks.webhookoperator.dev/status", everywhere),
        (true, "operate", "webhookendpoints.webhookoperator.dev", everywhere),
        (true, "get", "secrets", everywhere),
        (true, "create", "secrets", everywhere),
        (true, "delete", "secrets", everywhere),
        (true, "watch", "namespaces", everywhere),
        (true, "create", "events.events.k8s.io", everywhere),
        (false, "patch", "events.events.k8s.io", everywhere),
        (true, "get", "leases.coordination.k8s.io", own),
        (true, "create", "leases.coordination.k8s.io", own),
        (true, "patch", "leases.coordination.k8s.io", own),
        (false, "create", "webhookendpoints.webhookoperator.dev", everywhere),
        (false, "update", "webhookendpoints.webhookoperator.dev", everywhere),
        (false, "update", "webhookendpoints.webhookoperator.dev/status", everywhere),
        (false, "update", "webhookendpoints.webhookoperator.dev/finalizers", everywhere),
        (false, "update", "secrets", everywhere),
        (false, "update", "leases.coordination.k8s.io", own),
        (false, "delete", "webhookendpoints.webhookoperator.dev", everywhere),
        (false, "delete", "clusterwebhooknetworks.webhookoperator.dev", everywhere),
        (false, "deletecollection", "secrets", everywhere),
        (false, "delete", "namespaces", everywhere),
        (false, "get", "events.events.k8s.io", everywhere),
        (false, "get", "configmaps", everywhere),
        (false, "get", "pods", own),
        (false, "create", "serviceaccounts/token", own),
        (false, "patch", "clusterroles.rbac.authorization.k8s.io", everywhere),
        (false, "patch", "customresourcedefinitions.apiextensions.k8s.io", everywhere),
        (false, "get", "leases.coordination.k8s.io", "--namespace=default"),
        (false, "delete", "leases.coordination.k8s.io", own),
    ] {
        let mut question = kubectl(&["auth", "can-i", verb, resource, place, "--as", OPERATOR]);
        let answer = question.output().unwrap();
        let answer = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        assert_eq!(answer, if allowed { "yes" } else { "no" }, "{verb} {resource} {place}");
    }
}
