//! The programs that the demo runs, built by cargo.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use controlplane::Progress;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep_until};

use super::error::DemoError;
use super::interrupt::Interrupt;
use crate::cargo::cargo;

/// A build that takes less is not worth a word.
const SILENT: Duration = Duration::from_secs(1);

/// Where the executables are.
pub(crate) struct Programs {
    pub(crate) operator: PathBuf,
    pub(crate) controlplane: PathBuf,
    pub(crate) receiver: PathBuf,
}

/// One line of cargo's report.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds what is not up to date, and tells how far it is once it takes a while.
pub(crate) async fn build(interrupt: &Interrupt) -> Result<Programs, DemoError> {
    let failed = |error: std::io::Error| DemoError::Build(error.to_string());
    // Of the whole workspace, as the tests build it, so that nothing is compiled twice.
    let mut child = Command::from(cargo())
        .args(["build", "--quiet", "--workspace"])
        .args(["--bin", "webhook-operator", "--bin", "controlplane", "--bin", "webhook-receiver"])
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Its compilers end with it only when all of them are asked.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let stdout = child.stdout.take();
    let built = tokio::select! {
        built = follow(stdout) => built.map_err(failed)?,
        () = interrupt.wait() => {
            end(&mut child).await;
            return Err(DemoError::Interrupted);
        }
    };
    let status: ExitStatus = child.wait().await.map_err(failed)?;
    if !status.success() {
        return Err(DemoError::Build(status.to_string()));
    }
    let program = |name: &str| {
        let missing = || DemoError::Build(format!("it named no executable {name}"));
        built.get(name).cloned().ok_or_else(missing)
    };
    Ok(Programs {
        operator: program("webhook-operator")?,
        controlplane: program("controlplane")?,
        receiver: program("webhook-receiver")?,
    })
}

async fn follow(stdout: Option<ChildStdout>) -> std::io::Result<BTreeMap<String, PathBuf>> {
    let mut built = BTreeMap::new();
    let Some(stdout) = stdout else { return Ok(built) };
    let mut lines = BufReader::new(stdout).lines();
    let mut crates = 0;
    let mut progress = None;
    let patience = Instant::now() + SILENT;
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line?,
            () = sleep_until(patience), if progress.is_none() => {
                progress = Some(Progress::begin("building the operator"));
                continue;
            }
        };
        let Some(line) = line else { return Ok(built) };
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        let Some(target) = message.target else { continue };
        if !message.fresh {
            crates += 1;
            if let Some(progress) = &progress {
                progress.detail(format!("{crates} crates compiled"));
            }
        }
        if let Some(executable) = message.executable {
            built.insert(target.name, executable);
        }
    }
}

/// Ends cargo and its compilers.
async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if let Some(group) = group {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::TERM);
    }
    let _ = child.wait().await;
}
