//! The operator, as a process of its own with the rights of its `ServiceAccount`, against a real control
//! plane and the simulator.

#![allow(
    clippy::expect_used,
    clippy::large_futures,
    clippy::similar_names,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test reads as a story, stops at what it does not expect, and says what it saw"
)]

mod absence;
mod another_network;
mod answers;
mod at_once;
mod awkward;
mod bounded;
mod cases;
mod change;
mod cli;
mod counts;
mod create;
mod delete;
mod drift;
mod events;
mod extremes;
mod fairness;
mod habits;
mod health;
mod leaving;
mod manifests;
mod metrics;
mod namespaced;
mod networks;
mod paused;
mod replacement;
mod restart;
mod retain;
mod same_url;
mod scale;
mod secrets;
mod term;
mod tomorrow;
mod worlds;
mod writers;
