//! `cargo xtask image`: a program of this repository as an OCI image, made without Docker and of nothing that is
//! downloaded.
//!
//! The program is static, so the image holds it, certificate authorities, and nothing of a system.
//! [`layout::archive`] is a pure function of the executable and of what the image tells of itself: the same input makes
//! the same bytes.

mod blob;
mod build;
mod elf;
mod layer;
mod layout;
mod program;
mod revision;
mod sbom;
mod tarball;
mod toolchain;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};
use oci_spec::OciSpecError;
use oci_spec::image::Arch;

use self::build::{BuildError, Built, build};
use self::elf::{NotStatic, check_static};
use self::layout::{Archive, Contents, archive};
use self::program::Program;
use self::sbom::{Linked, sbom};
use self::toolchain::{Toolchain, ToolchainError};
use crate::cargo::root;

pub(crate) use self::program::Wanted;

/// The time of whatever is built, in seconds since 1970 (<https://reproducible-builds.org/specs/source-date-epoch/>).
const TIME: &str = "SOURCE_DATE_EPOCH";

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    #[error("cargo does not tell what the workspace consists of: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("the workspace has no package {0}")]
    NoPackage(&'static str),
    #[error("{path} can't be in an image: {why}")]
    NotStatic { path: PathBuf, why: NotStatic },
    #[error("{TIME} is {0:?}, and should be a number of seconds since 1970")]
    Time(OsString),
    #[error("the archive can't be made: {0}")]
    Archive(#[from] OciSpecError),
    #[error("the bill of materials can't be made: {0}")]
    Sbom(#[from] serde_json::Error),
    #[error("{path} can't be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} can't be written: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// Makes the images of `wanted`, and beside each a bill of materials, in `out` or in cargo's target folder, and tells
/// how to load them.
pub(crate) fn run(wanted: Wanted, out: Option<PathBuf>, profile: &str) -> Result<(), ImageError> {
    let time = time(env::var_os(TIME))?;
    let toolchain = Toolchain::find()?;
    let metadata = metadata(&toolchain.host)?;
    let out = out.unwrap_or_else(|| metadata.target_directory.join("image").into());
    for &program in wanted.programs() {
        let made = make(program, &metadata, &toolchain, profile, time)?;
        fs::create_dir_all(&out).map_err(|source| ImageError::Write { path: out.clone(), source })?;
        let path = made.write(&out)?;
        // A reader that went away is not an error.
        let _ = made.tell(&path, &mut anstream::stdout());
    }
    Ok(())
}

/// What cargo says of this workspace, and of what it needs on a platform.
fn metadata(platform: &str) -> Result<Metadata, cargo_metadata::Error> {
    let options = ["--locked", "--filter-platform", platform].map(str::to_owned);
    MetadataCommand::new().current_dir(root()).other_options(options).exec()
}

fn time(set: Option<OsString>) -> Result<u64, ImageError> {
    let Some(set) = set else { return Ok(0) };
    set.to_str().and_then(|text| text.parse().ok()).ok_or(ImageError::Time(set))
}

/// An image that is not written yet.
struct Made {
    archive: Archive,
    sbom: Vec<u8>,
    /// What its files are called, without an ending.
    name: String,
}

fn make(
    program: Program,
    metadata: &Metadata,
    toolchain: &Toolchain,
    profile: &str,
    time: u64,
) -> Result<Made, ImageError> {
    let mut packages = metadata.workspace_packages().into_iter();
    let package = packages.find(|package| package.name == program.name());
    let package = package.ok_or(ImageError::NoPackage(program.name()))?;
    let version = package.version.to_string();
    let Built { executable: path, packages } =
        build(program, profile, toolchain, metadata.target_directory.as_std_path())?;
    let executable = fs::read(&path).map_err(|source| ImageError::Read { path: path.clone(), source })?;
    check_static(&executable).map_err(|why| ImageError::NotStatic { path, why })?;
    let archive = archive(&Contents {
        program,
        executable: &executable,
        architecture: Arch::default(),
        version: &version,
        description: package.description.as_deref().unwrap_or_default(),
        licenses: package.license.as_deref().unwrap_or_default(),
        revision: revision::revision().as_deref(),
        time,
    })?;
    let sbom = sbom(
        metadata,
        &Linked {
            package,
            sha256: &blob::sha256(&executable),
            packages: &packages,
            rust: &toolchain.rust,
            glibc: &toolchain.glibc,
        },
    )?;
    Ok(Made { archive, sbom, name: format!("{}-{version}", program.name()) })
}

impl Made {
    /// Writes the archive and the bill of materials, and returns the path of the archive.
    fn write(&self, out: &Path) -> Result<PathBuf, ImageError> {
        let write = |ending: &str, content: &[u8]| {
            let path = out.join(format!("{}.{ending}", self.name));
            match fs::write(&path, content) {
                Ok(()) => Ok(path),
                Err(source) => Err(ImageError::Write { path, source }),
            }
        };
        write("cdx.json", &self.sbom)?;
        write("tar", &self.archive.content)
    }

    fn tell(&self, path: &Path, out: &mut impl Write) -> io::Result<()> {
        let Archive { digest, name, content } = &self.archive;
        let here = env::current_dir().unwrap_or_default();
        let path = path.strip_prefix(here).unwrap_or(path).display();
        let megabytes = content.len().div_ceil(1_000_000);
        writeln!(out, "{name}\n{digest}\n{path} ({megabytes} MB)\n\nLoad it with one of these:")?;
        writeln!(out, "  kind load image-archive {path}")?;
        writeln!(out, "  ctr --namespace k8s.io images import {path}")?;
        writeln!(out, "  skopeo copy oci-archive:{path} docker://{name}")
    }
}
