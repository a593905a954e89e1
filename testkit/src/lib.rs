//! What the tests stand on: one control plane, one operator that they share, and for each test a
//! namespace, a network and a simulator of its own, which go when the test ends.
//!
//! Everything panics at what it does not expect, as tests do. What the demo shares gives its errors instead.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "it is called by tests, which stop at what they do not expect"
)]

pub mod audit;
mod conditions;
mod denial;
mod expect;
mod kstatus;
mod mount;
mod networks;
mod object;
mod oidc;
mod operator;
mod plane;
pub mod service_account;
mod stored;
mod teardown;
mod wait;
mod world;

use std::time::Duration;

pub use conditions::{Conditioned, condition, has_condition, message};
pub use expect::{endpoint_id, texts};
pub use kstatus::{Health, Kstatus, kstatus};
pub use mount::Mount;
pub use object::{Object, delete, patch};
pub use oidc::OidcServer;
pub use operator::{Operator, OperatorOptions, Usage};
pub use plane::{client_of, client_of_user, control_plane, service_account_kubeconfig};
pub use wait::eventually;
pub use world::{NETWORK, OPERATORS, World, merge};

/// How long a test waits for what should take a moment; the machine may be busy.
pub const SOON: Duration = Duration::from_mins(1);
