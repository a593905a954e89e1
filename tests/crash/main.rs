//! Nothing leaked, nothing lost: the operator is killed around every call it makes, loses answers, sees
//! old views, and is denied its Secrets; each time it ends with one endpoint per resource and its true
//! secret in the Secret, or with a resource that says plainly what it needs.
//!
//! What is promised, and why, is in `docs/crash-safety.md`.

#![allow(
    clippy::expect_used,
    clippy::large_futures,
    clippy::similar_names,
    clippy::too_many_lines,
    clippy::trivially_copy_pass_by_ref,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test reads as a story, stops at what it does not expect, and says what it saw"
)]

mod clock;
mod denial;
mod end;
mod learnt;
mod matrix;
mod network;
mod pairs;
mod scenario;
mod scene;
mod single;
#[path = "../operator/support/mod.rs"]
mod support;
mod views;
mod worlds;
