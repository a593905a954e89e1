//! The planner in tables, and in golden traces of whole stories.

#![allow(clippy::large_stack_arrays, reason = "a table has as many rows as it takes")]

mod absence;
mod adopt;
mod arbitrary;
mod converge;
mod create;
mod finalize;
mod found;
mod given;
mod golden;
mod habit;
mod memory;
mod pause;
mod replace;
mod resolve;
mod show;
mod stage;
mod stored;
