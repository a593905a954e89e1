//! The planner in tables, and in golden traces of whole stories.

mod create;
mod found;
mod given;
mod golden;
mod keep;
mod memory;
mod remove;
mod resolve;
mod show;
mod stage;
