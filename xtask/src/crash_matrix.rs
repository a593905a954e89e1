//! `cargo xtask crash-matrix`: the operator killed at every pair of points.

use std::ffi::OsString;

use crate::test::{self, TestError};

/// Which scenarios the test runs: names, separated by commas; all when it is empty.
const SCENARIOS: &str = "CRASH_SCENARIOS";

/// Runs the matrix for these scenarios, or for all when none is named.
pub(crate) fn run(scenarios: &[String]) -> Result<(), TestError> {
    let arguments = ["--package", "webhook-operator", "--test", "crash", "--", "pairs/"];
    test::run_with(&arguments.map(OsString::from), [(SCENARIOS, scenarios.join(","))])
}
