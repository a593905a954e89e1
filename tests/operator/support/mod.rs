//! What the tests stand on: one control plane, one operator, and for each test a namespace, a network
//! and a simulator of its own.

pub mod operator;
pub mod world;

pub use operator::{Operator, OperatorOptions};
pub use world::World;

use std::time::Duration;

/// How long a test waits for what should take a moment; the machine may be busy.
pub const SOON: Duration = Duration::from_secs(60);
