//! The operator process.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::control_plane;
use crate::plane::service_account_kubeconfig;
use crate::service_account::credential_id;

/// The settling time of operators in tests.
const SETTLING: &str = "1s";
/// The label of what an operator looks after; its value says which operator.
const LABEL: &str = "test.webhookoperator.dev/operator";

/// How long an operator has to stop: Kubernetes' grace period.
const GRACE: Duration = Duration::from_secs(30);

/// How much of its operator's log a failed test shows.
const LAST_LINES: usize = 40;

/// How an operator is started.
#[derive(Clone, Default)]
pub struct OperatorOptions {
    /// The program; the one that is delivered, when `None`.
    pub program: Option<PathBuf>,
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

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Processor time, of the user and the system.
    pub cpu: Duration,
    /// Resident memory now, in bytes.
    pub memory: u64,
    /// The most resident memory there was, in bytes.
    pub peak: u64,
}

/// The labels of what the operator of this name looks after.
pub(crate) fn labels(name: &str) -> Value {
    json!({ LABEL: name })
}

impl Operator {
    /// The operator that the tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Operator> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&Self::shared_name(), &OperatorOptions::default()))
    }

    /// What distinguishes it from those of other test targets, which use the same API server.
    pub(crate) fn shared_name() -> String {
        format!("shared-{}", std::process::id())
    }

    /// Starts an operator that looks after what its name is on.
    pub(crate) fn start(name: &str, options: &OperatorOptions) -> Self {
        control_plane();
        let directory = tempfile::tempdir().expect("a directory for the operator");
        let kubeconfig = directory.path().join("kubeconfig");
        let config = options.kubeconfig.clone().unwrap_or_else(service_account_kubeconfig);
        std::fs::write(&kubeconfig, config.to_string()).expect("the kubeconfig is written");
        let log = directory.path().join("log");
        let output = std::fs::File::create(&log).expect("the log can be written");
        let program = options.program.clone().unwrap_or_else(delivered);
        let mut command = controlplane::bound_command(program).expect("the shim is there");
        command
            .arg("run")
            .args(["--health-address", "127.0.0.1:0", "--create-settling-time", SETTLING])
            // Where the simulators are: WebhookNetworks lead to public addresses only.
            .args(["--allow-address", options.allowed_address.as_deref().unwrap_or("127.0.0.1")])
            .args(["--selector", &format!("{LABEL}={name}"), "--log-filter"])
            .arg(options.log_filter.as_deref().unwrap_or("info,webhook_operator=debug"))
            .args(&options.arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        let (started, child) = mpsc::channel();
        // Linux ends a process with the thread that started it, when asked to end it with its parent.
        // A test's thread ends early, so a thread of its own starts the operator and stays.
        let (lease, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let child = command.spawn().expect("the operator starts");
            started.send(child).expect("somebody waits for the operator");
            // Nothing is ever sent: this returns when the operator's other end is dropped.
            let _ = ended.recv();
        });
        let child = Mutex::new(child.recv().expect("the operator was started"));
        let credential = credential_id(&config);
        Self { child, credential, log, _lease: lease, _directory: directory }
    }

    /// How the API server's audit log names its token.
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// What the operator has used since it was started.
    pub fn usage(&self) -> Usage {
        let pid = self.child.lock().expect("no test panicked while it used the operator").id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the operator runs");
        // The name of the program, which may hold anything, ends at the last parenthesis.
        let fields = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect::<Vec<_>>();
        let ticks = |field: usize| fields[field].parse::<u64>().expect("a number of ticks");
        // Linux tells processor time in hundredths of a second, whatever its own clock.
        let cpu = Duration::from_millis(10 * (ticks(11) + ticks(12)));
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the operator runs");
        let bytes = |field: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(field)).expect("its memory");
            1024 * value.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number of KiB")
        };
        Usage { cpu, memory: bytes("VmRSS:"), peak: bytes("VmHWM:") }
    }

    /// Where it serves health checks, once it does.
    pub fn health_address(&self) -> Option<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("serving health checks"))?;
        Some(line.split_once("address=")?.1.split_whitespace().next()?.to_owned())
    }

    /// What the operator has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Has it stand still, as a machine does that is out of memory or asleep.
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// Has it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.lock().expect("no test panicked while it used the operator");
        kill_process(Pid::from_child(&child), signal).expect("the operator runs");
    }

    /// Kills the operator, as a crash would.
    pub fn kill(&self) {
        let mut child = self.child.lock().expect("no test panicked while it killed the operator");
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Asks the operator to stop and waits until it has; tells whether it said success. One that does not stop in
    /// time is killed, as Kubernetes does.
    pub fn stop(&self) -> bool {
        let mut child = self.child.lock().expect("no test panicked while it stopped the operator");
        kill_process(Pid::from_child(&child), Signal::TERM).expect("the operator can be asked to stop");
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            if let Some(status) = child.try_wait().expect("the operator can be waited for") {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }
}

/// The program that is delivered: cargo builds it beside the tests of its package.
fn delivered() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let folder = test.ancestors().nth(2).expect("tests are in a folder beside the programs");
    folder.join("webhook-operator")
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
