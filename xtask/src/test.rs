//! `cargo xtask test`: every test, against one control plane.

mod rights;
mod times;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::process::Command;
use std::time::Instant;

use controlplane::{ControlPlane, Options, SHARED_VARIABLE, StartError};

use self::rights::RightsError;
use self::times::Times;
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
    #[error(transparent)]
    Rights(#[from] RightsError),
    #[error("the tests' times can't be shown: {0}")]
    Times(#[from] io::Error),
}

/// Starts a control plane, runs `cargo test` with `arguments`, and tells how long each of its programs took. After a whole
/// run it is known which rights the operator needs.
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
    // Tests of the operator mostly wait: two share a processor.
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        command.env("RUST_TEST_THREADS", (2 * processors).to_string());
    }
    as_on_a_terminal(&mut command);
    let mut times = Times::new(io::stdout(), Instant::now());
    let outcome = cargo::run_shown(&mut command, |said| times.show(said, Instant::now()));
    times.end(Instant::now())?;
    outcome?;
    if arguments.is_empty() {
        rights::check(&control_plane)?;
    }
    Ok(())
}

/// Cargo writes into a pipe; where that leads to a terminal, it should look as if it had written there.
fn as_on_a_terminal(command: &mut Command) {
    if !io::stdout().is_terminal() {
        return;
    }
    command.envs([("CARGO_TERM_PROGRESS_WHEN", "always"), ("CARGO_TERM_PROGRESS_WIDTH", "80")]);
    if std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()) {
        command.env("CARGO_TERM_COLOR", "always");
    }
}

fn selects_packages(argument: &OsString) -> bool {
    let argument = argument.to_string_lossy();
    argument.starts_with("-p") || argument.starts_with("--package")
}
