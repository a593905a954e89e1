//! The simulator against the API's page, and its faults against what they promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod admin;
mod binary;
mod deliveries;
mod faults;
mod habits;
mod lag;
mod page;
mod scale;
mod support;
