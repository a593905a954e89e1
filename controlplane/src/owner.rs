//! Starts a control plane from a test or a chore, and owns it.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::info::{Failure, Info};
use crate::stop::Stop;
use crate::version::Binary;

/// The environment variable by which a test run hands its control plane to every test: an [`Info`] in JSON.
pub const SHARED_VARIABLE: &str = "WEBHOOK_OPERATOR_CONTROLPLANE";

/// How long a control plane may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How often a wish to stop is looked for.
const POLL: Duration = Duration::from_millis(20);

/// How to start a control plane.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The `controlplane` program; without it, cargo builds it.
    pub program: Option<PathBuf>,
    /// A new or empty folder for its data and logs, kept afterwards; without it, a temporary one.
    pub state_dir: Option<PathBuf>,
    /// Files or folders of manifests that are applied before the controllers start. The garbage collector
    /// looks for new kinds only every half minute, so it is good to have the CRDs here.
    pub manifests: Vec<PathBuf>,
}

impl Options {
    /// A control plane that knows this repository's custom resources (`crds/`).
    #[must_use]
    pub fn with_crds() -> Self {
        let crds = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../crds"));
        Self { manifests: vec![crds], ..Self::default() }
    }
}

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Cargo can't build the program.
    #[error("the controlplane program can't be built with cargo: {0}")]
    Build(String),
    /// The program can't be started.
    #[error("{program} can't be started: {source}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The control plane said why it did not start.
    #[error("{0}")]
    Failed(String),
    /// It ended without a reason, for example killed.
    #[error("the control plane ended before it was ready ({0})")]
    Ended(ExitStatus),
    /// Somebody asked to stop.
    #[error("stopped before the control plane was ready")]
    Stopped,
    /// Something else was in the place of its [`Info`].
    #[error("what the control plane says about itself is not understood ({source}): {said}")]
    Info {
        /// What it said.
        said: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Its files can't be read.
    #[error("{path} can't be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A running control plane.
///
/// It runs as a process of its own whose stdin is a pipe held here. Dropping this stops it, and so does the
/// end of this process, even by SIGKILL.
#[derive(Debug)]
pub struct ControlPlane {
    info: Info,
    /// The process, unless somebody else owns it; held for what its end does.
    _process: Option<Process>,
}

/// The process of a control plane; dropping this stops it and waits until it has.
#[derive(Debug)]
struct Process(Child);

impl ControlPlane {
    /// Starts a control plane and waits until it is ready.
    ///
    /// Takes seconds, or minutes when its binaries have to be made first; tells so on stderr.
    ///
    /// # Errors
    ///
    /// When the program can't be built or started, or ends before it is ready.
    pub fn start(options: &Options) -> Result<Self, StartError> {
        Self::start_unless(&Stop::new(), options)
    }

    /// [`ControlPlane::start`] that gives up once `stop` is raised; nothing of it is left then.
    ///
    /// # Errors
    ///
    /// As above, and [`StartError::Stopped`].
    pub fn start_unless(stop: &Stop, options: &Options) -> Result<Self, StartError> {
        let program = match &options.program {
            Some(program) => program.clone(),
            None => program()?,
        };
        let failed = |source| StartError::Spawn { program: program.clone(), source };
        let mut process = Process(command(&program, options).spawn().map_err(failed)?);
        let said = match process.0.stdout.take() {
            Some(stdout) => first_line(stdout, stop).map_err(failed)?.ok_or(StartError::Stopped)?,
            None => String::new(),
        };
        if said.is_empty() {
            return Err(StartError::Ended(process.0.wait().map_err(failed)?));
        }
        if let Ok(Failure { error }) = serde_json::from_str(&said) {
            // What it still has to do is to end.
            let _ = process.0.wait();
            return Err(StartError::Failed(error));
        }
        Ok(Self { info: parse(&said)?, _process: Some(process) })
    }

    /// The control plane of this test run: the one that [`SHARED_VARIABLE`] names, else one that this process
    /// starts on first use, with this repository's custom resources, and that ends with it.
    ///
    /// # Errors
    ///
    /// The first failure to start one, again for every caller.
    pub fn shared() -> Result<&'static Self, &'static StartError> {
        static SHARED: OnceLock<Result<ControlPlane, StartError>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| match std::env::var(SHARED_VARIABLE) {
            Ok(said) => Ok(Self { info: parse(&said)?, _process: None }),
            Err(_) => Self::start(&Options::with_crds()),
        });
        shared.as_ref()
    }

    /// Where everything is.
    #[must_use]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The kubeconfig of an administrator (`system:masters`), with the certificates inside.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.info.kubeconfig
    }

    /// The audit log: one JSON object (`audit.k8s.io/v1` `Event`) a line for each completed request, written
    /// before the client has its answer.
    #[must_use]
    pub fn audit_log(&self) -> &Path {
        &self.info.audit_log
    }

    /// The API server's URL.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.info.server
    }

    /// The authority that signed the API server's certificate, in PEM.
    ///
    /// # Errors
    ///
    /// When the file can't be read.
    pub fn ca_pem(&self) -> Result<String, StartError> {
        std::fs::read_to_string(&self.info.ca_file)
            .map_err(|source| StartError::File { path: self.info.ca_file.clone(), source })
    }

    /// The folder with the executables.
    #[must_use]
    pub fn bin_dir(&self) -> &Path {
        &self.info.bin_dir
    }

    /// The path of `kubectl`, of the control plane's own version.
    #[must_use]
    pub fn kubectl(&self) -> PathBuf {
        self.info.bin_dir.join(Binary::Kubectl.name())
    }

    /// A `kubectl` command that speaks to this control plane as administrator.
    #[must_use]
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(self.kubectl());
        command.env("KUBECONFIG", &self.info.kubeconfig);
        command
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Self(process) = self;
        drop(process.stdin.take());
        let asked = Instant::now();
        while asked.elapsed() < STOP_LIMIT {
            if !matches!(process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(POLL);
        }
        // Its children die with it.
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// The first line that a process prints, empty when it prints none; `None` once `stop` is raised.
fn first_line(stdout: impl io::Read + Send + 'static, stop: &Stop) -> io::Result<Option<String>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // Whoever gave up does not want to hear it.
        let _ = sender.send(read.map(|_| line));
    });
    loop {
        match receiver.recv_timeout(POLL) {
            Ok(read) => return read.map(Some),
            Err(RecvTimeoutError::Disconnected) => return Ok(Some(String::new())),
            Err(RecvTimeoutError::Timeout) if stop.requested() => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn parse(said: &str) -> Result<Info, StartError> {
    serde_json::from_str(said).map_err(|source| StartError::Info { said: said.trim().to_owned(), source })
}

fn command(program: &Path, options: &Options) -> Command {
    let mut command = Command::new(program);
    command.args(["run", "--owned"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Some(state_dir) = &options.state_dir {
        command.arg("--state-dir").arg(state_dir);
    }
    for path in &options.manifests {
        command.arg("--apply").arg(path);
    }
    // Ctrl-C in a terminal reaches the owner alone, which may still need the control plane to clean up.
    command.process_group(0);
    command
}

/// A command that runs `bound` and ends, by SIGKILL, with the thread that spawns it, and so with this
/// process at the latest, however it ends (on Linux; elsewhere it is the plain command).
///
/// # Errors
///
/// When cargo can't build the `controlplane` program, which does this.
pub fn bound_command(bound: impl AsRef<OsStr>) -> Result<Command, StartError> {
    let mut command = Command::new(program()?);
    command.arg("exec").arg("--parent").arg(std::process::id().to_string()).arg("--").arg(bound);
    Ok(command)
}

/// The path of the `controlplane` program, which is built on first use.
fn program() -> Result<PathBuf, StartError> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    match BUILT.get() {
        Some(path) => Ok(path.clone()),
        None => build().map(|path| BUILT.get_or_init(|| path).clone()),
    }
}

/// Builds the `controlplane` program, unless it is up to date, and returns its path.
///
/// Cargo is asked even when the file is there: it may be older than its sources.
fn build() -> Result<PathBuf, StartError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(cargo)
        // Of the whole workspace, so that dependencies keep the features that the tests were built with.
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            "controlplane",
            "--message-format",
            "json-render-diagnostics",
        ])
        .args(["--manifest-path", manifest])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| StartError::Build(error.to_string()))?;
    if !output.status.success() {
        return Err(StartError::Build(output.status.to_string()));
    }
    executable(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| StartError::Build("cargo named no executable".to_owned()))
}

/// The executable among cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
}
