//! What `docs/operations.md` has people type, typed: on a control plane of its own, since it takes everything away.

#![expect(clippy::unwrap_used, reason = "what fails in a test should panic")]

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use controlplane::{ControlPlane, Options, bound_command};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use simulator::{Config, NetworkConfig, Simulator};
use tempfile::TempDir;
use testkit::service_account::{TOKEN_REQUEST, kubeconfig};

const NETWORK: &str = "n_1";

/// A cluster, and a shell whose `kubectl` leads there.
struct Cluster {
    plane: ControlPlane,
    folder: TempDir,
    operator: Option<Child>,
}

impl Cluster {
    fn new() -> Self {
        let plane = ControlPlane::start(&Options::with_crds()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        symlink(plane.kubectl(), folder.path().join("kubectl")).unwrap();
        Self { plane, folder, operator: None }
    }

    /// Runs a command as a person types it, at the top of the repository.
    fn run(&self, command: &str) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("timeout")
            .args(["120", "bash", "-o", "pipefail", "-e", "-u", "-c", command])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("PATH", format!("{}:{path}", self.folder.path().display()))
            .env("KUBECONFIG", self.plane.kubeconfig())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}\n{}", self.log());
        // Namespaced and other objects may be mixed: kubectl says so.
        let warned = said.lines().filter(|line| line.contains("Warning"));
        let unexpected = warned.filter(|line| !line.contains("deleting cluster-scoped resources"));
        assert_eq!(unexpected.collect::<Vec<_>>(), [""; 0], "{command}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Does what a section of the document says.
    fn follow(&self, section: &str) {
        let commands = commands(section);
        assert!(!commands.is_empty(), "there is a section {section:?} with commands");
        for command in commands {
            self.run(&command);
        }
    }

    /// Has `objects` applied.
    fn apply(&self, objects: &serde_json::Value) {
        let file = self.folder.path().join("objects.json");
        std::fs::write(&file, json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string())
            .unwrap();
        self.run(&format!("kubectl apply -f {}", file.display()));
    }

    /// What the kubelet does for a Deployment.
    fn start_operator(&mut self) {
        let token = self.run(&format!("kubectl {}", TOKEN_REQUEST.join(" ")));
        let config = self.folder.path().join("kubeconfig");
        std::fs::write(&config, kubeconfig(&self.plane, token.trim()).unwrap().to_string()).unwrap();
        let log = std::fs::File::create(self.log_file()).unwrap();
        let operator = bound_command(env!("CARGO_BIN_EXE_webhook-operator"))
            .unwrap()
            .args(["run", "--health-address", "127.0.0.1:0", "--leader-elect"])
            .args(["--lease-namespace", "webhook-operator", "--log-filter", "info,webhook_operator=debug"])
            .env("KUBECONFIG", config)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.operator = Some(operator);
    }

    fn stop_operator(&mut self) {
        let mut operator = self.operator.take().unwrap();
        kill_process(Pid::from_child(&operator), Signal::TERM).unwrap();
        assert!(operator.wait().unwrap().success(), "{}", self.log());
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn names(&self, kind: &str) -> BTreeSet<String> {
        let names = self.run(&format!("kubectl get {kind} --all-namespaces --ignore-not-found -o name"));
        names.lines().map(str::to_owned).collect()
    }

    /// The Secrets of type signing secret.
    fn secrets(&self) -> BTreeSet<String> {
        self.names("secrets --field-selector type=webhookoperator.dev/signing-secret")
    }

    fn declare(&self, names: &[&str]) {
        let endpoint = |name: &&str| {
            json!({
                "apiVersion": "webhookoperator.dev/v1alpha1",
                "kind": "WebhookEndpoint",
                "metadata": { "name": name, "namespace": "billing" },
                "spec": { "url": format!("https://hooks.example.com/{name}"), "enabledEvents": ["ocpp.message"] },
            })
        };
        self.apply(&names.iter().map(endpoint).collect());
        self.run("kubectl -n billing wait --for=condition=Ready webhookendpoints --all --timeout=60s");
    }

    fn connect(&self, simulator: &Simulator) {
        let key = |key: &str| json!({ "secretKeyRef": { "namespace": "webhook-operator", "name": "api", "key": key } });
        self.apply(&json!([
            { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "billing" } },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": { "name": "api", "namespace": "webhook-operator" },
                "stringData": { "clientId": "client-id", "clientSecret": "client-secret" },
            },
            {
                "apiVersion": "webhookoperator.dev/v1alpha1",
                "kind": "ClusterWebhookNetwork",
                "metadata": { "name": "default" },
                "spec": {
                    "apiUrl": simulator.base_url(),
                    "allowHttp": true,
                    "resyncInterval": "1s",
                    "auth": { "oauth2ClientCredentials": {
                        "tokenUrl": simulator.token_url(),
                        "audience": "https://api.lynkwell.com",
                        "clientId": key("clientId"),
                        "clientSecret": key("clientSecret"),
                    } },
                },
            },
        ]));
    }
}

/// The commands of a section of the document.
fn commands(section: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("\n## ").find(|text| text.lines().next() == Some(section)).unwrap_or_default();
    let mut commands = Vec::<String>::new();
    for block in text.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push(command.to_owned()),
                (None, Some(command)) => {
                    command.push('\n');
                    command.push_str(line);
                }
                (None, None) => panic!("no command: {line}"),
            }
        }
    }
    commands
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_updated_taken_away_installed_again_and_removed_with_or_without_the_endpoints() {
    let network = NetworkConfig::new(NETWORK).client("client-id", "client-secret");
    let simulator = Simulator::start(Config::default().network(network)).await.unwrap();
    let mut cluster = Cluster::new();
    cluster.follow("Update");
    cluster.start_operator();
    cluster.connect(&simulator);
    cluster.declare(&["a", "b"]);
    let (endpoints, secrets) = (simulator.endpoints(NETWORK), cluster.secrets());
    assert_eq!((endpoints.len(), secrets.len()), (2, 2));

    // Without the operator, everything is as it was, and with it again, too.
    cluster.follow("Take the operator away");
    cluster.stop_operator();
    assert_eq!(cluster.names("webhookendpoints").len(), 2);
    assert_eq!(cluster.names("clusterwebhooknetworks").len(), 1);
    assert_eq!(cluster.secrets(), secrets);
    assert!(cluster.names("secrets -n webhook-operator").contains("secret/api"), "the credentials stay");
    let writes = simulator.ledger().writes();
    cluster.follow("Update");
    cluster.start_operator();
    let lists = simulator.ledger().count(simulator::Operation::List);
    simulator
        .wait_until(Duration::from_mins(1), |view| {
            view.ledger().count(simulator::Operation::List) > lists + 2
        })
        .await
        .unwrap();
    cluster.declare(&["a", "b"]);
    assert_eq!(simulator.ledger().writes(), writes, "nothing was to be done");
    assert_eq!(simulator.endpoints(NETWORK), endpoints);

    cluster.follow("Keep the endpoints and remove everything else");
    cluster.follow("Remove everything");
    cluster.stop_operator();
    assert_eq!(simulator.endpoints(NETWORK), endpoints);
    assert_eq!(cluster.secrets(), secrets, "nobody else has them");
    assert_eq!(cluster.names("customresourcedefinitions"), BTreeSet::new());
    gone(&cluster);

    // Who does not keep them has none left.
    cluster.run("kubectl -n billing delete secrets --all");
    cluster.follow("Update");
    cluster.start_operator();
    cluster.connect(&simulator);
    cluster.declare(&["c", "d"]);
    assert_eq!(simulator.endpoints(NETWORK).len(), 4);
    cluster.follow("Remove everything");
    cluster.stop_operator();
    assert_eq!(simulator.endpoints(NETWORK), endpoints, "those of nobody are left alone");
    assert_eq!(cluster.secrets(), BTreeSet::new());
    assert_eq!(cluster.names("customresourcedefinitions"), BTreeSet::new());
    gone(&cluster);
}

/// Nothing of the operator's is left.
fn gone(cluster: &Cluster) {
    let begun = Instant::now();
    for kind in ["namespaces", "clusterroles", "clusterrolebindings", "validatingadmissionpolicies"] {
        while cluster.names(kind).iter().any(|name| name.contains("webhook-operator")) {
            assert!(begun.elapsed() < Duration::from_mins(1), "{kind}: {:?}", cluster.names(kind));
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
