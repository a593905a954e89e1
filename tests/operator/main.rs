//! The operator, as a process of its own with its service account's rights, against a real control
//! plane and the simulator.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "what fails in a test should panic and say why"
)]

mod change;
mod cli;
mod counts;
mod create;
mod delete;
mod drift;
mod manifests;
mod networks;
mod restart;
mod same_url;
mod scale;
mod secrets;
mod support;
mod unsupported;
