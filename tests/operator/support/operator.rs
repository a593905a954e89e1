//! The operator process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};

use controlplane::ControlPlane;
use serde_json::{Value, json};

/// The settling time of operators in tests.
pub const SETTLING: &str = "1s";
/// The label of what a test's own operator looks after; the shared one leaves it alone.
pub const OWN: &str = "test.webhookoperator.dev/operator";

/// How much of its operator's log a failed test shows.
const LAST_LINES: usize = 40;

/// The one control plane of the run, with what `deploy/` sets up: namespace, service account, rights.
pub fn control_plane() -> &'static ControlPlane {
    static READY: OnceLock<&'static ControlPlane> = OnceLock::new();
    READY.get_or_init(|| {
        let plane = ControlPlane::shared().unwrap_or_else(|error| panic!("{error}"));
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
        kubectl(
            plane,
            ["apply", "--server-side", "--force-conflicts", "-k"],
            Some(&deploy.to_string_lossy()),
        );
        plane
    })
}

fn kubectl<const N: usize>(plane: &ControlPlane, arguments: [&str; N], last: Option<&str>) -> String {
    let output = plane.kubectl_command().args(arguments).args(last).output().expect("kubectl runs");
    assert!(
        output.status.success(),
        "kubectl {arguments:?} {last:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("kubectl prints text")
}

/// A kubeconfig with exactly the rights of the operator's service account.
pub fn service_account_kubeconfig() -> Value {
    let plane = control_plane();
    let token = kubectl(
        plane,
        ["-n", "webhook-operator", "create", "token", "webhook-operator", "--duration=4h"],
        None,
    );
    let ca = plane.ca_pem().expect("the CA can be read");
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {
            "server": plane.server(),
            "certificate-authority-data": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, ca),
        }}],
        "users": [{"name": "operator", "user": {"token": token.trim()}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "operator"}}],
        "current-context": "test",
    })
}

/// The `jti` of the kubeconfig's token, as the audit log spells it.
fn credential_id(kubeconfig: &Value) -> String {
    let token = kubeconfig["users"][0]["user"]["token"].as_str().expect("a token");
    let payload = token.split('.').nth(1).expect("a JSON web token");
    let engine = &base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = base64::Engine::decode(engine, payload).expect("a JSON web token");
    let claims = serde_json::from_slice::<Value>(&claims).expect("a JSON web token");
    format!("JTI={}", claims["jti"].as_str().expect("a token with an id"))
}

/// The operator's program, which ends with the thread that starts it.
pub fn operator_command() -> Command {
    static BOUND: OnceLock<Command> = OnceLock::new();
    let bound = BOUND.get_or_init(|| {
        controlplane::bound_command(env!("CARGO_BIN_EXE_webhook-operator")).expect("the shim is there")
    });
    let mut command = Command::new(bound.get_program());
    command.args(bound.get_args());
    command
}

/// How an operator is started.
#[derive(Default)]
pub struct OperatorOptions {
    /// The label value of the resources it looks after; the shared one's, when `None`.
    pub own: Option<String>,
    /// A kubeconfig to use instead of the service account's.
    pub kubeconfig: Option<Value>,
    /// More arguments.
    pub arguments: Vec<String>,
    /// The non-public address that a `WebhookNetwork` may lead to; where the simulators are, when `None`.
    pub allowed_address: Option<String>,
    /// What it logs; the operator's own doings, when `None`.
    pub log_filter: Option<String>,
}

/// A running operator; killed when dropped.
pub struct Operator {
    child: Mutex<Child>,
    /// How the API server's audit log names its token.
    credential: String,
    log: PathBuf,
    /// Keeps the thread that started the process.
    _lease: mpsc::Sender<()>,
    _directory: tempfile::TempDir,
}

impl Operator {
    /// The operator that the tests share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Operator> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(OperatorOptions::default()))
    }

    /// Starts an operator.
    pub fn start(options: OperatorOptions) -> Self {
        control_plane();
        let directory = tempfile::tempdir().expect("a directory for the operator");
        let kubeconfig = directory.path().join("kubeconfig");
        let config = options.kubeconfig.unwrap_or_else(service_account_kubeconfig);
        let credential = credential_id(&config);
        std::fs::write(&kubeconfig, config.to_string()).expect("the kubeconfig is written");
        let log = directory.path().join("log");
        let output = std::fs::File::create(&log).expect("the log can be written");
        let selector = match options.own {
            Some(own) => format!("{OWN}={own}"),
            None => format!("!{OWN}"),
        };
        let mut command = operator_command();
        let (started, child) = mpsc::channel();
        // Linux ends a process with the thread that started it, when asked to end it with its parent.
        // A test's thread ends early, so a thread of its own starts the operator and stays.
        let (lease, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let child = command
                .arg("run")
                .args(["--health-address", "127.0.0.1:0", "--create-settling-time", SETTLING])
                // Where the simulators are: WebhookNetworks lead to public addresses only.
                .args(["--allow-address", options.allowed_address.as_deref().unwrap_or("127.0.0.1")])
                .args(["--selector", &selector, "--log-filter"])
                .arg(options.log_filter.as_deref().unwrap_or("info,webhook_operator=debug"))
                .args(options.arguments)
                .env("KUBECONFIG", kubeconfig)
                .env("NO_COLOR", "1")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(output)
                .spawn()
                .expect("the operator starts");
            started.send(child).expect("somebody waits for the operator");
            // Nothing is ever sent: this returns when the operator's other end is dropped.
            let _ = ended.recv();
        });
        let child = Mutex::new(child.recv().expect("the operator was started"));
        Self { child, credential, log, _lease: lease, _directory: directory }
    }

    /// How the API server's audit log names its token.
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// What the operator has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills the operator, as a crash would.
    pub fn kill(&self) {
        let mut child = self.child.lock().expect("no test panicked while it killed the operator");
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Asks the operator to stop and waits until it has; tells whether it said success.
    pub fn stop(&self) -> bool {
        let mut child = self.child.lock().expect("no test panicked while it stopped the operator");
        let id = child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(asked.success());
        child.wait().expect("the operator can be waited for").success()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines = log.lines().rev().take(LAST_LINES).collect::<Vec<_>>();
            eprintln!("--- the end of the operator's log ---");
            lines.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}
