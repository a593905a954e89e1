//! What the tests stand on: one control plane, one operator, and for each test a namespace, a network
//! and a simulator of its own.

pub mod audit;
mod expect;
mod operator;
mod world;

pub use expect::{condition, endpoint_id, message, texts};
pub use operator::{Operator, OperatorOptions, control_plane, operator_command};
pub use world::{NETWORK, World, has_condition};

use std::time::Duration;

/// How long a test waits for what should take a moment; the machine may be busy.
pub const SOON: Duration = Duration::from_mins(1);
