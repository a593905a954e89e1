//! Builds a static program.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use cargo_metadata::{Artifact, Message, PackageId};

use super::program::Program;
use super::toolchain::Toolchain;
use crate::cargo::{self, CargoError, cargo};

/// Flags for the compiler, in one variable that lets them have spaces.
const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";

/// A built program.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) executable: PathBuf,
    /// The packages of which libraries were compiled for it: neither build scripts, nor macros, nor what only those use.
    pub(super) packages: BTreeSet<PackageId>,
}

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Cargo(#[from] CargoError),
    #[error("cargo named no executable {0}")]
    NoExecutable(&'static str),
}

/// Has cargo build the program for this machine's platform, statically, with this profile. `target` is its folder.
pub(super) fn build(
    program: Program,
    profile: &str,
    toolchain: &Toolchain,
    target: &Path,
) -> Result<Built, BuildError> {
    let name = program.name();
    let mut command = cargo();
    command
        .args(["build", "--locked", "--package", name, "--bin", name, "--profile", profile])
        // Flags are then for the program only: what runs at build time must not be static, as macros can't be.
        .args(["--target", &toolchain.host])
        .args(["--message-format", "json-render-diagnostics"])
        .env(FLAGS, flags(toolchain, target));
    let messages = cargo::run_read(&mut command, |stdout| {
        Message::parse_stream(BufReader::new(stdout)).collect::<Result<Vec<_>, _>>()
    })?;
    let artifacts = messages.into_iter().filter_map(|message| match message {
        Message::CompilerArtifact(artifact) if is_for(&artifact, &toolchain.host) => Some(artifact),
        _ => None,
    });
    let mut executable = None;
    let mut packages = BTreeSet::new();
    for artifact in artifacts {
        executable = artifact.executable.map(PathBuf::from).or(executable);
        packages.insert(artifact.package_id);
    }
    Ok(Built { executable: executable.ok_or(BuildError::NoExecutable(name))?, packages })
}

/// What is compiled for a platform by name, cargo keeps in a folder of that name, apart from what runs at build time.
fn is_for(artifact: &Artifact, platform: &str) -> bool {
    artifact.filenames.iter().any(|file| file.components().any(|part| part.as_str() == platform))
}

/// What makes a program static.
///
/// getrandom looks up at run time whether the C library has the call it is named after. In a static program it would
/// find nothing, and read `/dev/urandom`; it is told that the call is there.
const STATIC: &str = "-Ctarget-feature=+crt-static\x1f--cfg=getrandom_backend=\"linux_getrandom\"";

/// For a static program, with no paths of this machine in it.
fn flags(toolchain: &Toolchain, target: &Path) -> OsString {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let mut renamed = vec![
        (cargo::root(), "webhook-operator"),
        (target.to_owned(), "target"),
        (toolchain.sysroot.clone(), "rust"),
    ];
    renamed.extend(cargo_home.map(|folder| (folder, "cargo")));
    // The last one that fits is taken, and should be the innermost folder.
    renamed.sort_by_key(|(folder, _)| folder.components().count());
    let mut flags = OsString::from(STATIC);
    for (folder, name) in renamed {
        flags.push("\x1f--remap-path-prefix=");
        flags.push(folder);
        flags.push("=");
        flags.push(name);
    }
    flags
}
