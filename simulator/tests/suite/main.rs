//! The simulator against the API's page, and its faults against what they promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod page;
mod support;
