//! Networks: credentials, tenancy, budgets, and what a tenant may try. On a real API server with real
//! rights, against the simulator.

#![allow(
    clippy::expect_used,
    clippy::format_collect,
    clippy::large_futures,
    clippy::needless_pass_by_value,
    clippy::similar_names,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test reads as a story, stops at what it does not expect, and says what it saw"
)]

mod admission;
mod attack;
mod budget;
mod canary;
mod conditions;
mod credentials;
mod document;
mod fields;
mod lists;
mod oauth;
mod search;
mod tenancy;
mod user;
