//! The operator, as a process of its own with its ServiceAccount's rights, against a real control
//! plane and the simulator.

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
