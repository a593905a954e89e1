//! `cargo xtask bench`: what a fleet costs, by its size.

use std::ffi::OsString;

use crate::cargo::{CargoError, cargo, run};

/// Runs the benchmark of fleets with these arguments.
pub(crate) fn run_bench(arguments: &[OsString]) -> Result<(), CargoError> {
    let mut command = cargo();
    command.args(["bench", "--package", "webhook-operator", "--bench", "fleet", "--"]).args(arguments);
    run(&mut command)
}
