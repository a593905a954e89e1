//! Runs the components as child processes that can't outlive this one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::stop::Stop;
use crate::version::Binary;

/// How often conditions and children are looked at.
const POLL: Duration = Duration::from_millis(50);
/// How many lines of a log are shown when its process ended.
const TAIL: usize = 12;

/// Why the components are not all running.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// A process could not be started.
    #[error("{binary} can't be started: {source}")]
    Spawn {
        /// Which one.
        binary: Binary,
        /// What the system said.
        source: io::Error,
    },
    /// A process ended by itself.
    #[error("{binary} ended unexpectedly ({status}); its log ended with:\n{tail}")]
    Ended {
        /// Which one.
        binary: Binary,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        tail: String,
    },
    /// Something did not happen in time.
    #[error("{what} took longer than {limit:?}; the logs of the components are in {logs}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        limit: Duration,
        /// Where the logs are.
        logs: PathBuf,
    },
    /// Somebody asked to stop.
    #[error("stopped before the control plane was ready")]
    Stopped,
}

/// The running components; dropping it kills them.
#[derive(Debug)]
pub(crate) struct Supervisor {
    /// This program, which becomes each component through its `exec` command.
    shim: PathBuf,
    /// The components' working directory.
    folder: PathBuf,
    logs: PathBuf,
    stop: Stop,
    components: Vec<Component>,
}

#[derive(Debug)]
struct Component {
    binary: Binary,
    process: Child,
    log: PathBuf,
}

impl Supervisor {
    /// Nothing runs yet. Components will run in `folder` and write to its folder `logs`.
    pub(crate) fn new(shim: PathBuf, folder: &Path, stop: Stop) -> io::Result<Self> {
        let logs = folder.join("logs");
        fs::create_dir(&logs)?;
        Ok(Self { shim, folder: folder.to_owned(), logs, stop, components: Vec::new() })
    }

    /// Starts a component.
    ///
    /// To be called from the main thread: the system ties a child's life to the thread that started it.
    pub(crate) fn start<A: AsRef<OsStr>>(
        &mut self,
        binary: Binary,
        path: &Path,
        arguments: &[A],
    ) -> Result<(), SupervisorError> {
        let log = self.logs.join(format!("{binary}.log"));
        let process =
            self.spawn(path, arguments, &log).map_err(|source| SupervisorError::Spawn { binary, source })?;
        self.components.push(Component { binary, process, log });
        Ok(())
    }

    fn spawn<A: AsRef<OsStr>>(&self, path: &Path, arguments: &[A], log: &Path) -> io::Result<Child> {
        let log = File::options().create(true).append(true).open(log)?;
        tethered(&self.shim, path.as_os_str())
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in a terminal reaches this process, which then ends them in order.
            .process_group(0)
            .spawn()
    }

    /// Waits until `happened`, at most `limit`, as long as every component lives and nobody asks to stop.
    pub(crate) fn wait_until(
        &mut self,
        what: &'static str,
        limit: Duration,
        mut happened: impl FnMut() -> bool,
    ) -> Result<(), SupervisorError> {
        let started = Instant::now();
        while !happened() {
            if self.stop.requested() {
                return Err(SupervisorError::Stopped);
            }
            self.check()?;
            if started.elapsed() > limit {
                return Err(SupervisorError::Timeout { what, limit, logs: self.logs.clone() });
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until somebody asks to stop.
    pub(crate) fn supervise(&mut self) -> Result<(), SupervisorError> {
        while !self.stop.requested() {
            self.check()?;
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Fails when a component has ended, and forgets that one.
    fn check(&mut self) -> Result<(), SupervisorError> {
        let ended = self.components.iter_mut().enumerate().find_map(|(index, component)| {
            let status = component.process.try_wait().ok().flatten()?;
            Some((index, status))
        });
        let Some((index, status)) = ended else { return Ok(()) };
        let Component { binary, log, .. } = self.components.remove(index);
        Err(SupervisorError::Ended { binary, status, tail: tail(&log) })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Killed, not asked: the data is either thrown away or safe in etcd's log, and it can't hang.
        for component in &mut self.components {
            let _ = component.process.kill();
        }
        for component in &mut self.components {
            let _ = component.process.wait();
        }
    }
}

/// A command that runs `program`, and dies with the thread that starts it. `shim` is the `controlplane`
/// program, which becomes the other one.
pub(crate) fn tethered(shim: &Path, program: &OsStr) -> Command {
    let mut command = Command::new(shim);
    command.args(["exec", "--parent", &std::process::id().to_string(), "--"]).arg(program);
    command
}

/// Becomes `program`, once sure that the process dies when `parent` does.
///
/// Only Linux has such a tie; elsewhere a `SIGKILL` of the parent leaves its children running.
///
/// Returns only on failure.
pub(crate) fn become_child(parent: u32, program: &OsStr, arguments: &[OsString]) -> io::Error {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
    {
        return error.into();
    }
    // A parent that died before the tie was made can't be noticed by it.
    let actual = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if actual != Some(parent) {
        return io::Error::other("the process that started this one is gone");
    }
    Command::new(program).args(arguments).exec()
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n")
}
