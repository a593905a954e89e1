//! The API server, and the release that all tests find there.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use controlplane::{ControlPlane, Options};
use serde_json::Value;
use tempfile::TempDir;

use crate::helm::{copy_of_chart, helm, objects, quiet};

/// Where the release is, and its name.
pub const RELEASE: &str = "webhook-operator";
/// The values of the release; its definitions come with it.
pub const VALUES: &str = "--set=defaultNetwork.enabled=true,defaultNetwork.credentialsSecret.name=lynkwell";

fn plane() -> &'static ControlPlane {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    PLANE.get_or_init(|| {
        // The kinds of the Prometheus operator, and none of ours.
        let manifests = vec![concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/monitoring.yaml").into()];
        let started = ControlPlane::start(&Options { manifests, ..Options::default() });
        started.unwrap_or_else(|error| panic!("{error}"))
    })
}

/// `kubectl` with all rights.
pub fn kubectl(arguments: &[&str]) -> Command {
    let mut command = plane().kubectl_command();
    command.args(arguments);
    command
}

/// `helm` with all rights, once the release is there.
pub fn helm_in_cluster(arguments: &[&str]) -> Command {
    installed();
    with_all_rights(arguments)
}

fn with_all_rights(arguments: &[&str]) -> Command {
    let mut command = helm(arguments);
    command.env("KUBECONFIG", plane().kubeconfig());
    command
}

/// Sends a manifest to kubectl; gives what it prints and what it says on stderr.
pub fn feed(arguments: &[&str], manifest: &str) -> (String, String) {
    let mut command = kubectl(arguments);
    let mut process = command
        .args(["--filename=-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// Creates a namespace that enforces the Pod Security Standard `restricted`, and warns of what violates it.
pub fn restricted_namespace(name: &str) {
    let labels =
        "{pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}";
    let manifest =
        format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {labels}}}}}");
    assert_eq!(feed(&["create"], &manifest), (format!("namespace/{name} created\n"), String::new()));
    quiet(&mut kubectl(&["-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=60s"]));
}

/// Installs the previous chart, with its definitions and the default network, into an API server that has neither.
pub fn installed() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        restricted_namespace(RELEASE);
        let chart = previous_chart();
        let chart = chart.path().to_str().unwrap();
        let install = ["install", RELEASE, chart, "--namespace", RELEASE, VALUES];
        let output = with_all_rights(&install).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            assert_eq!(said, "", "{install:?}");
            return;
        }
        // The guide says what then helps.
        assert!(said.contains(r#"no matches for kind "ClusterWebhookNetwork""#), "{said}");
        quiet(&mut with_all_rights(&["upgrade", RELEASE, chart, "--namespace", RELEASE, VALUES]));
    });
}

/// A chart as it may have been before this one: another version, and a definition that lacks `spec.paused`.
fn previous_chart() -> TempDir {
    let folder = copy_of_chart();
    let chart = folder.path().join("Chart.yaml");
    let text = std::fs::read_to_string(&chart).unwrap();
    std::fs::write(&chart, text.replace("ersion: 0.1.0", "ersion: 0.0.9")).unwrap();
    let path = folder.path().join("files/crds/webhookendpoints.yaml");
    let mut definition = objects(&std::fs::read_to_string(&path).unwrap()).remove(0);
    let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let fields = schema["properties"]["spec"]["properties"].as_object_mut().unwrap();
    fields.remove("paused").expect("a field that may be missing");
    std::fs::write(&path, definition.to_string()).unwrap();
    folder
}

/// An object of the cluster, if it is there.
pub fn get(arguments: &[&str]) -> Option<Value> {
    let said = quiet(kubectl(&["get", "--ignore-not-found", "-o", "json"]).args(arguments));
    (!said.is_empty()).then(|| serde_json::from_str(&said).unwrap())
}
