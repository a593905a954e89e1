//! Nothing leaked, nothing lost: the operator is killed around every call it makes, loses answers, sees
//! old views, and is denied its Secrets; each time it ends with one endpoint per resource and its true
//! secret in the Secret, or with a resource that says plainly what it needs.
//!
//! What is promised, and why, is in `docs/crash-safety.md`. Each cell of a matrix is a test:
//! `cargo test --test crash -- single/create` runs some of them again.

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
mod faults;
mod harness;
mod learnt;
mod matrix;
mod network;
mod pairs;
mod scenario;
mod scene;
mod single;
mod views;

use std::process::ExitCode;

use harness::{Asked, Matrix};

fn main() -> ExitCode {
    if denial::hurried::is_asked_for() {
        return denial::hurried::run();
    }
    harness::run(matrices, pairs::summary)
}

async fn matrices(asked: &Asked) -> Vec<Matrix> {
    // There are thousands of pairs, so they are run by `cargo xtask crash-matrix` only.
    if asked.wants_only("pairs/") {
        return pairs::matrices(asked).await;
    }
    let mut matrices = vec![clock::matrix(), denial::matrix(), network::lag::matrix(), learnt::matrix()];
    matrices.extend(network::matrices());
    matrices.extend(faults::matrices(asked).await);
    matrices.extend(single::matrices(asked).await);
    matrices.extend(views::matrices(asked).await);
    matrices
}
