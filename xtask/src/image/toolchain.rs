//! What is on this machine to build with.

use std::path::PathBuf;
use std::process::Command;

use crate::cargo::{self, CargoError};

/// The compiler, and what a static program takes of it and of the system.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// The platform that it is on and builds for, such as `x86_64-unknown-linux-gnu`.
    pub(super) host: String,
    /// Where it is installed.
    pub(super) sysroot: PathBuf,
    /// That of the compiler and its standard library.
    pub(super) rust: String,
    /// That of the C library.
    pub(super) glibc: String,
}

/// Why images can't be built here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolchainError {
    #[error(transparent)]
    Command(#[from] CargoError),
    #[error("images are built on Linux with glibc, and this is {0}")]
    Platform(String),
}

impl Toolchain {
    /// Asks the compiler and the C library.
    pub(super) fn find() -> Result<Self, ToolchainError> {
        let host = rustc(&["--print", "host-tuple"])?;
        if !host.ends_with("-unknown-linux-gnu") {
            return Err(ToolchainError::Platform(host));
        }
        let release = rustc(&["--version"])?;
        let glibc = said(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
        Ok(Self {
            host,
            sysroot: rustc(&["--print", "sysroot"])?.into(),
            rust: version(&release),
            glibc: version(&glibc),
        })
    }
}

/// The second word of such as `rustc 1.95.0 (59807616e 2026-04-14)`.
fn version(said: &str) -> String {
    said.split_whitespace().nth(1).unwrap_or(said).to_owned()
}

fn rustc(arguments: &[&str]) -> Result<String, CargoError> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    said(Command::new(program).current_dir(cargo::root()).args(arguments))
}

fn said(command: &mut Command) -> Result<String, CargoError> {
    Ok(cargo::run_read(command, std::io::read_to_string)?.trim().to_owned())
}
