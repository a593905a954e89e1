//! What the dependencies may be, checked by cargo-deny against `deny.toml`.

use std::path::PathBuf;
use std::process::Command;

use controlplane::Progress;
use controlplane::binaries::{BinariesError, cache_dir};

use crate::cargo::{self, CargoError, cargo};

/// The release of cargo-deny that reads this repository's `deny.toml`.
const VERSION: &str = "0.20.2";

/// Why the dependencies were not found good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DenyError {
    #[error(transparent)]
    Cache(#[from] BinariesError),
    #[error("cargo-deny {VERSION} can't be installed: {0}")]
    Install(#[source] CargoError),
    #[error("cargo-deny has complaints about the dependencies")]
    Complaints(#[source] CargoError),
}

/// Checks licences, sources, bans and duplicates.
pub(crate) fn policies() -> Result<(), DenyError> {
    check(&["bans", "licenses", "sources"])
}

/// Checks for known vulnerabilities. Separate from the rest, as it needs the advisory database of today.
pub(crate) fn advisories() -> Result<(), DenyError> {
    check(&["advisories"])
}

fn check(what: &[&str]) -> Result<(), DenyError> {
    let mut command = Command::new(installed()?);
    command
        .current_dir(cargo::root())
        .args(["--workspace", "--log-level", "warn", "check", "--hide-inclusion-graph"])
        .args(what);
    cargo::run(&mut command).map_err(DenyError::Complaints)
}

/// The pinned cargo-deny, installed in the user's cache on first use.
fn installed() -> Result<PathBuf, DenyError> {
    let folder = cache_dir()?.join("tools").join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(program);
    }
    let _progress = Progress::begin(format!("installing cargo-deny {VERSION} (only once; takes minutes)"));
    let mut command = cargo();
    command
        .args(["install", "cargo-deny", "--locked", "--quiet", "--version", VERSION, "--root"])
        .arg(&folder);
    cargo::run(&mut command).map_err(DenyError::Install)?;
    Ok(program)
}
