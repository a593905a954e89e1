//! `cargo xtask test`: every test, against one control plane.

use std::ffi::OsString;

use controlplane::{ControlPlane, Options, SHARED_VARIABLE, StartError};

use crate::cargo::{self, CargoError, cargo};

/// Why the tests did not pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    #[error("{0}")]
    Tests(#[from] CargoError),
    #[error(transparent)]
    ControlPlane(#[from] StartError),
    #[error("the control plane can't be handed to the tests: {0}")]
    Info(#[from] serde_json::Error),
}

/// Builds the tests, starts a control plane, and runs `cargo test` with `arguments`.
pub(crate) fn run(arguments: &[OsString]) -> Result<(), TestError> {
    run_with(arguments, [])
}

/// The same, with more variables in the tests' environment.
pub(crate) fn run_with<const N: usize>(
    arguments: &[OsString],
    variables: [(&str, String); N],
) -> Result<(), TestError> {
    let control_plane = ControlPlane::start(&Options::with_crds())?;
    let info = serde_json::to_string(control_plane.info())?;
    let mut command = cargo();
    command.arg("test");
    if !arguments.iter().any(selects_packages) {
        command.arg("--workspace");
    }
    command.args(arguments).env(SHARED_VARIABLE, info).envs(variables);
    Ok(cargo::run(&mut command)?)
}

fn selects_packages(argument: &OsString) -> bool {
    let argument = argument.to_string_lossy();
    argument.starts_with("-p") || argument.starts_with("--package")
}
