//! The chart, with the real Helm, on a real API server that is these tests' own: they change definitions that the other
//! tests use.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what fails in a test should panic")]

mod cluster;
mod helm;
mod lifecycle;
mod namespaces;
mod refused;
mod rendered;
