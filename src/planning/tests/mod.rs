//! The planner in tables.

mod found;
mod given;
mod show;
