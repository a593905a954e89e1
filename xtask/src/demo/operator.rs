//! The operator, as a process of its own with the rights of its `ServiceAccount`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use controlplane::{ControlPlane, bound_command};
use rustix::process::{Pid, Signal, kill_process};
use testkit::service_account::{self, TOKEN_REQUEST};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::timeout;

use super::error::{DemoError, Problem, io};
use super::kubectl::Kubectl;

/// The file with the operator's credentials, in the demo's folder.
pub(crate) const KUBECONFIG: &str = "operator.kubeconfig";
/// How long it may take to finish what it is doing.
const GRACE: Duration = Duration::from_secs(5);
/// How many of the log's last lines are shown.
const TAIL: usize = 15;

/// A running operator; it dies with this process at the latest.
pub(crate) struct Operator {
    process: Option<Pid>,
    ended: watch::Receiver<Option<ExitStatus>>,
    log: PathBuf,
    /// Stays readable when the folder is gone.
    reader: File,
}

impl Operator {
    /// Starts the operator with a token of its `ServiceAccount`, in `folder`.
    ///
    /// To be called from the main thread: the system ties a child's life to the thread that started it.
    pub(crate) async fn start(
        program: &Path,
        control_plane: &ControlPlane,
        kubectl: &Kubectl,
        folder: &Path,
    ) -> Result<Self, Problem> {
        let token = kubectl.run(&TOKEN_REQUEST).await?;
        let content = service_account::kubeconfig(control_plane, token.trim()).map_err(DemoError::from)?;
        let kubeconfig = folder.join(KUBECONFIG);
        write_private(&kubeconfig, &content.to_string())?;

        let log = folder.join("operator.log");
        let writer = File::create(&log).map_err(io("making the operator's log"))?;
        let reader = File::open(&log).map_err(io("reading the operator's log"))?;
        let mut child = Command::from(bound_command(program).map_err(DemoError::from)?)
            .args(["run", "--health-address", "127.0.0.1:0"])
            .env("KUBECONFIG", &kubeconfig)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(writer)
            // Ctrl-C in a terminal reaches this process, which then ends it in order.
            .process_group(0)
            .spawn()
            .map_err(io("starting the operator"))?;
        let process = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let (sender, ended) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await;
            sender.send_replace(status.ok());
        });
        Ok(Self { process, ended, log, reader })
    }

    /// Resolves when the operator ends.
    pub(crate) fn end(&self) -> impl Future<Output = ExitStatus> + use<> {
        let mut ended = self.ended.clone();
        async move {
            match ended.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(status)) => *status,
                // The task that waits for the process was dropped with the runtime.
                _ => std::future::pending().await,
            }
        }
    }

    /// Asks it to stop, and kills it when it does not.
    pub(crate) async fn stop(self) {
        for signal in [Signal::TERM, Signal::KILL] {
            if self.ended.borrow().is_some() {
                return;
            }
            if let Some(process) = self.process {
                // It may have ended by itself.
                let _ = kill_process(process, signal);
            }
            if timeout(GRACE, self.end()).await.is_ok() {
                return;
            }
        }
    }

    /// Where it logs.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of the log.
    pub(crate) fn tail(&mut self) -> String {
        let mut log = Vec::new();
        let read = self.reader.seek(SeekFrom::Start(0)).and_then(|_| self.reader.read_to_end(&mut log));
        if let Err(error) = read {
            return format!("(it can't be read: {error})");
        }
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n")
    }
}

/// Writes a file that nobody else may read.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<(), DemoError> {
    use std::io::Write;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content.as_bytes())).map_err(io("writing credentials"))
}
