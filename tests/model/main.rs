//! The planner, explored by a model checker together with a model of the remote API and of Kubernetes.
//!
//! Every order of events is tried, up to a depth: steps, crashes of the process, lost requests and
//! answers, late effects, lists that lag, outdated caches, refused Secrets, and what people do. From
//! every state it is also followed where the resources come to rest once the faults stop.
//!
//! `MODEL_DEPTH=2` goes two events deeper than usual; each takes about three times as long.

#![expect(clippy::expect_used, reason = "a model that meets what it does not know is wrong, and has to stop")]
#![expect(clippy::print_stderr, reason = "how much was explored is what makes the result worth something")]

mod api;
mod cluster;
mod deeds;
mod events;
mod exploration;
mod mutation;
mod perform;
mod process;
mod properties;
mod recovery;
mod scenarios;
mod time;
mod world;

use std::io::Write as _;
use std::time::Instant;

use stateright::Checker as _;

use exploration::{Found, Scenario, explore};
use mutation::Mutation;

/// Events beyond each scenario's own depth.
fn more() -> usize {
    std::env::var("MODEL_DEPTH").ok().map_or(0, |more| more.parse().expect("MODEL_DEPTH is a number"))
}

#[test]
fn nothing_leaks_and_nothing_is_lost() {
    let mut total = 0;
    for (scenario, least) in scenarios::all() {
        let started = Instant::now();
        let name = scenario.name;
        let checked = explore(deeper(scenario), None);
        let states = checked.unique_state_count();
        let (depth, took) = (checked.max_depth(), started.elapsed());
        tell(&format!("model, {name:>16}: {states:>8} states, {depth} events deep, {took:.1?}"));
        if let Some(found) = Found::of(&checked) {
            panic!("{name}: {found}");
        }
        assert!(states >= least, "{name}: only {states} states were visited; there were {least}");
        total += states;
    }
    tell(&format!("model, {:>16}: {total:>8} states", "in all"));
}

#[test]
fn each_mistake_is_caught() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        let scenario = scenarios::of(*mutation);
        let (started, name) = (Instant::now(), scenario.name);
        let found = Found::of(&explore(deeper(scenario), Some(*mutation)));
        let told = if let Some(found) = found {
            format!("not always: {}, after {} events", found.property, found.steps)
        } else {
            missed.push(*mutation);
            "MISSED".to_owned()
        };
        eprintln!("{:>18} {told} of {name:?} ({:.1?})", format!("{mutation:?}"), started.elapsed());
    }
    tell(&format!("model: {} mistakes, {} not caught", Mutation::ALL.len(), missed.len()));
    assert!(missed.is_empty(), "no property notices {missed:?}");
}

/// Shows a line of a test that passes, too: what is printed otherwise is shown of those that fail.
fn tell(line: &str) {
    // A terminal that went away is no failure of the test.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn deeper(scenario: Scenario) -> Scenario {
    Scenario { depth: scenario.depth + more(), ..scenario }
}
