//! What a fleet costs, from its declaration to its deletion, by its size: `cargo xtask bench`.
//!
//! As a test, which is how `cargo test` runs it, it has a hundred resources and counts; as a benchmark it measures too.

#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "figures for people, of what was built for them"
)]

mod bound;
mod counts;
mod measure;
mod meter;
mod options;
mod phases;
mod report;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use libtest_mimic::{Arguments, Trial};

use measure::Figures;
use options::Options;
use phases::Fleet;

/// How long the API is away.
const OUTAGE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        let small = || runtime().block_on(counts::check()).map_err(Into::into);
        let trial = Trial::test("a small fleet costs what it may", small);
        return libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code();
    }
    let options = Options::parse();
    if let [before, after] = &options.compare[..] {
        tell(&report::compare(&read(before), &read(after)));
        return ExitCode::SUCCESS;
    }
    let figures = runtime().block_on(measured(&options));
    let json = serde_json::to_string_pretty(&figures).expect("figures can be written");
    std::fs::write(&options.out, json).expect("the file can be written");
    report::plot(&figures, &options.plot);
    tell(&report::table(&figures));
    tell(&format!("written to {} and {}", options.out.display(), options.plot.display()));
    ExitCode::SUCCESS
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

fn read(path: &Path) -> Vec<Figures> {
    let json = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&json)
        .unwrap_or_else(|error| panic!("{} holds no figures: {error}", path.display()))
}

async fn measured(options: &Options) -> Vec<Figures> {
    let mut all = Vec::new();
    for &size in &options.sizes {
        tell(&format!("{size} resources are declared"));
        let mut fleet = Fleet::declare(size, options).await;
        let mut take = |figures: Figures| {
            tell(&format!("{}: {:.1} s", figures.phase, figures.seconds));
            all.push(figures);
        };
        take(fleet.create().await);
        take(fleet.bound().await);
        if options.creates_only {
            continue;
        }
        take(fleet.change().await);
        take(fleet.drift().await);
        take(fleet.converged().await);
        take(fleet.restart().await);
        take(fleet.strangers().await);
        take(fleet.renewal().await);
        take(fleet.outage(OUTAGE).await);
        take(fleet.rotation().await);
        take(fleet.deletion().await);
    }
    all
}

/// Shows a line.
pub fn tell(line: &str) {
    println!("{line}");
}
