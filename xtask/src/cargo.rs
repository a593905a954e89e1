//! Runs cargo in this repository.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};

/// Why a command of cargo's brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CargoError {
    #[error("{what} can't be started: {source}")]
    Spawn { what: String, source: io::Error },
    #[error("{what} failed ({status}); its own message is above")]
    Failed { what: String, status: ExitStatus },
    #[error("the output of {what} can't be shown: {source}")]
    Output { what: String, source: io::Error },
    #[error("what {what} says can't be read: {source}")]
    Unreadable { what: String, source: io::Error },
}

/// The repository's top folder.
pub(crate) fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// `cargo`, in the repository's top folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command to its end with this process's streams.
pub(crate) fn run(command: &mut Command) -> Result<(), CargoError> {
    let what = called(command);
    match command.status() {
        Ok(status) => succeeded(what, status),
        Err(source) => Err(CargoError::Spawn { what, source }),
    }
}

/// Runs a command to its end, and hands over what it says, on both streams in one order, as it comes.
pub(crate) fn run_shown(
    command: &mut Command,
    mut show: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), CargoError> {
    let what = called(command);
    let pipe = || {
        let (reader, writer) = io::pipe()?;
        Ok((reader, writer.try_clone()?, writer))
    };
    let spawned =
        pipe().and_then(|(reader, one, two)| Ok((reader, command.stdout(one).stderr(two).spawn()?)));
    // The command keeps its ends of the pipe until it gets others.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let (mut reader, mut child) = match spawned {
        Ok(spawned) => spawned,
        Err(source) => return Err(CargoError::Spawn { what, source }),
    };
    let mut buffer = [0; 8192];
    let mut relay = || loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            read => show(&buffer[..read])?,
        }
    };
    match relay().and_then(|()| child.wait()) {
        Ok(status) => succeeded(what, status),
        Err(source) => Err(CargoError::Output { what, source }),
    }
}

/// Runs a command to its end, and has `read` read what it writes on stdout. What it complains of, the person sees.
pub(crate) fn run_read<T>(
    command: &mut Command,
    read: impl FnOnce(ChildStdout) -> io::Result<T>,
) -> Result<T, CargoError> {
    let what = called(command);
    let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(source) => return Err(CargoError::Spawn { what, source }),
    };
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("it has no stdout"));
    let read = stdout.and_then(read);
    match child.wait() {
        Ok(status) => succeeded(what.clone(), status)?,
        Err(source) => return Err(CargoError::Output { what, source }),
    }
    read.map_err(|source| CargoError::Unreadable { what, source })
}

fn called(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words: Vec<_> =
        std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}

fn succeeded(what: String, status: ExitStatus) -> Result<(), CargoError> {
    if status.success() { Ok(()) } else { Err(CargoError::Failed { what, status }) }
}
