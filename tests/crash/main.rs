//! Nothing leaked, nothing lost: the operator is killed around every call it makes, loses answers, sees
//! old views, and is denied its Secrets; each time it ends with one endpoint per resource and its true
//! secret in the Secret, or with a resource that says plainly what it needs.
//!
//! What is promised, and why, is in `docs/crash-safety.md`.

mod clock;
mod end;
mod matrix;
mod network;
mod pairs;
mod scenario;
mod scene;
mod single;
#[allow(dead_code, unused_imports, reason = "shared with the target `operator`, which uses the rest")]
#[path = "../operator/support/mod.rs"]
mod support;
