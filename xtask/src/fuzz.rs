//! `cargo xtask fuzz`: every fuzz target for longer than the tests have time for.

use crate::cargo::{CargoError, cargo, run};

/// How long a target runs, in milliseconds: bolero's own variable.
const TIME: &str = "BOLERO_RANDOM_TEST_TIME_MS";

/// Runs the targets whose names hold `wanted`, each for so many seconds.
pub(crate) fn fuzz(wanted: &str, seconds: u64) -> Result<(), CargoError> {
    let mut command = cargo();
    command.args(["test", "--package", "webhook-operator", "--lib", "--test", "fuzz", "--", "--nocapture"]);
    command.arg(format!("fuzz_{wanted}"));
    command.env(TIME, seconds.saturating_mul(1000).to_string());
    run(&mut command)
}
