//! The planner in tables, and in golden traces of whole stories.

mod absence;
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
mod resolve;
mod show;
mod stage;
mod stored;
