//! Networks: credentials, tenancy, budgets, and what a tenant may try. On a real API server with real
//! rights, against the simulator.

mod admission;
mod attack;
mod budget;
mod canary;
mod conditions;
mod credentials;
mod document;
mod fixtures;
mod search;
#[path = "../operator/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the target `operator`, which uses the rest")]
mod support;
mod tenancy;
mod user;
