//! What the tests stand on: one control plane, one operator, and for each test a namespace, a network
//! and a simulator of its own.
#![allow(dead_code, unused_imports, reason = "several test targets stand on this, each on its part of it")]

pub mod audit;
mod expect;
pub mod operator;
pub mod world;

pub use expect::{condition, endpoint_id, message, texts};
pub use operator::{Operator, OperatorOptions, control_plane, operator_command};
pub use world::{NETWORK, OPERATORS, World, has_condition, merge};

use std::time::Duration;

/// Shows a line of a test that passes, too: what is printed otherwise is shown of those that fail.
pub fn tell(line: &str) {
    use std::io::Write as _;
    // A terminal that went away is no failure of the test.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// How long a test waits for what should take a moment; the machine may be busy.
pub const SOON: Duration = Duration::from_mins(1);
