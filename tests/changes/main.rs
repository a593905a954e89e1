//! Thousands of random changes by several users of one fleet, while the API, Kubernetes and the operator
//! itself fail; then the faults end, and everything stands as the manifests alone would have it.
//!
//! `CHANGES_SEED` gives the seed of an earlier run, `CHANGES` how many changes there are.

#![allow(
    clippy::expect_used,
    clippy::large_futures,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test reads as a story, stops at what it does not expect, and says what it saw"
)]

mod advice;
mod change;
mod fleet;
mod manifest;
mod owner;
mod standing;
mod story;
mod trouble;
mod users;
mod witness;

use std::fmt::Debug;
use std::str::FromStr;

use story::Story;

/// How many changes there are, unless `CHANGES` says otherwise.
const CHANGES: usize = 10_000;
/// How often, in the course of them, the faults end and all is looked at.
const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn after_random_changes_all_is_as_declared() {
    let seed = variable("CHANGES_SEED").unwrap_or_else(rand::random);
    let changes = variable("CHANGES").unwrap_or(CHANGES);
    eprintln!("{changes} changes; CHANGES_SEED={seed} makes the same ones again");
    let mut story = Story::begin(seed).await;
    for _ in 0..ROUNDS {
        story.go_on(changes / ROUNDS).await;
        story.settle().await;
    }
    story.costs_nothing_more().await;
    story.is_as_from_nothing().await;
    story.end().await;
}

fn variable<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error:?}")))
}
