//! The planner in tables.

mod create;
mod found;
mod given;
mod keep;
mod memory;
mod remove;
mod resolve;
mod show;
