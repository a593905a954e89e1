//! Runs cargo in this repository.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

/// Why a command of cargo's brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CargoError {
    #[error("{what} can't be started: {source}")]
    Spawn { what: String, source: io::Error },
    #[error("{what} failed ({status}); its own message is above")]
    Failed { what: String, status: ExitStatus },
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
    let what = || {
        let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
        let words: Vec<_> =
            std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect();
        format!("`{}`", words.join(" "))
    };
    let what = what();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CargoError::Failed { what, status }),
        Err(source) => Err(CargoError::Spawn { what, source }),
    }
}
