//! `cargo xtask soak`: receivers under way while everything is replaced.

use std::ffi::OsString;

use crate::test::{self, TestError};

/// Runs the soak test for so many minutes and endpoints.
pub(crate) fn run(minutes: u32, endpoints: u16, seed: Option<u64>) -> Result<(), TestError> {
    let arguments =
        ["--package", "webhook-operator", "--test", "soak", "--", "--nocapture"].map(OsString::from);
    let variables = [
        ("SOAK_SECONDS", (u64::from(minutes) * 60).to_string()),
        ("SOAK_ENDPOINTS", endpoints.to_string()),
        ("SOAK_SEED", seed.unwrap_or_else(rand::random).to_string()),
    ];
    test::run_with(&arguments, variables)
}
