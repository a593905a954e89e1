//! The planner, explored by a model checker together with a model of the remote API and of Kubernetes.
//!
//! Every order of events is tried, up to a depth: steps, crashes of the process, lost requests and
//! answers, late effects, lists that lag, outdated caches, refused Secrets, and what people do. From
//! every state it is also followed where the resources come to rest once the faults stop.
//!
//! Each scenario is a test, and so is each deliberate mistake that has to be caught: `cargo test --test model --
//! "two creates"` runs some of them. `MODEL_DEPTH=2` goes two events deeper than usual; each takes about three times as long.

#![expect(clippy::expect_used, reason = "a model that meets what it does not know is wrong, and has to stop")]

mod api;
mod cluster;
mod deeds;
mod events;
mod exploration;
mod mistakes;
mod mutation;
mod perform;
mod planned;
mod process;
mod properties;
mod recovery;
mod replacing;
mod reporting;
mod scenarios;
mod secrets;
mod time;
mod world;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use libtest_mimic::{Arguments, Failed, Trial};
use stateright::Checker as _;

use exploration::{Found, Scenario, explore};
use mutation::Mutation;

fn main() -> ExitCode {
    let total = Arc::new(AtomicUsize::new(0));
    let all = scenarios::all().into_iter().chain(replacing::all());
    let scenarios = all.map(|(scenario, least)| {
        let total = Arc::clone(&total);
        let name = format!("nothing leaks and nothing is lost/{}", scenario.name);
        Trial::test(name, move || nothing_leaks(scenario, least, &total))
    });
    let mistakes = Mutation::ALL
        .iter()
        .map(|mutation| Trial::test(format!("each mistake is caught/{mutation:?}"), || is_caught(*mutation)));
    let conclusion = libtest_mimic::run(&Arguments::from_args(), scenarios.chain(mistakes).collect());
    let total = total.load(Ordering::Relaxed);
    if total > 0 {
        tell(&format!("model, {:>16}: {total:>8} states", "in all"));
    }
    conclusion.exit_code()
}

/// Events beyond each scenario's own depth.
fn more() -> usize {
    std::env::var("MODEL_DEPTH").ok().map_or(0, |more| more.parse().expect("MODEL_DEPTH is a number"))
}

fn nothing_leaks(scenario: Scenario, least: usize, total: &AtomicUsize) -> Result<(), Failed> {
    let started = Instant::now();
    let name = scenario.name;
    let checked = explore(deeper(scenario), None);
    let states = checked.unique_state_count();
    let (depth, took) = (checked.max_depth(), started.elapsed());
    tell(&format!("model, {name:>16}: {states:>8} states, {depth} events deep, {took:.1?}"));
    total.fetch_add(states, Ordering::Relaxed);
    if let Some(found) = Found::of(&checked) {
        return Err(format!("{name}: {found}").into());
    }
    if states < least {
        return Err(format!("{name}: only {states} states were visited; there were {least}").into());
    }
    Ok(())
}

fn is_caught(mutation: Mutation) -> Result<(), Failed> {
    let scenario = mistakes::of(mutation);
    let (started, name) = (Instant::now(), scenario.name);
    let Some(found) = Found::of(&explore(deeper(scenario), Some(mutation))) else {
        return Err(format!("no property notices {mutation:?} of {name:?}").into());
    };
    let Found { property, steps, .. } = found;
    let took = started.elapsed();
    tell(&format!(
        "{:>18} not always: {property}, after {steps} events of {name:?} ({took:.1?})",
        format!("{mutation:?}")
    ));
    Ok(())
}

/// Shows a line at once, also of a test that passes.
fn tell(line: &str) {
    // A terminal that went away is no failure of the test.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn deeper(scenario: Scenario) -> Scenario {
    Scenario { depth: scenario.depth + more(), ..scenario }
}
