//! What nobody thought of: arbitrary answers of the API, and arbitrary texts where the operator reads what a
//! person, an API or a backup wrote.
//!
//! Each target runs for some seconds here, and for as long as is wanted with `cargo xtask fuzz`; a failure names
//! the seed that brings it back. How planning fares from arbitrary observations is in `src/planning/tests`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect"
)]

mod answers;
mod json;
mod records;
mod server;
mod texts;

use std::panic::RefUnwindSafe;
use std::time::Duration;

use arbitrary::Unstructured;
use bolero::{DefaultEngine, TestTarget};

/// What `bolero::check!()` gives.
type Check = TestTarget<bolero::ByteSliceGenerator, DefaultEngine, bolero::BorrowedInput>;

/// Runs a target, `bolero::check!()`, on what a fuzzer makes up.
///
/// `BOLERO_RANDOM_TEST_TIME_MS` says how long, in milliseconds, and `BOLERO_RANDOM_SEED` brings one run back.
fn fuzz(check: Check, target: impl Fn(&mut Unstructured<'_>) + RefUnwindSafe) {
    check
        .with_test_time(Duration::from_secs(8))
        .with_max_len(4096)
        .for_each(|made_up: &[u8]| target(&mut Unstructured::new(made_up)));
}
