//! Which chores there are.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::bench::run_bench;
use crate::cargo::CargoError;
use crate::codegen::{self, CodegenError, Mode};
use crate::controlplane::{self, ControlPlaneError};
use crate::crash_matrix;
use crate::demo::{self, Afterwards, DemoError};
use crate::deny::{self, DenyError};
use crate::fuzz;
use crate::image::{self, ImageError, Wanted};
use crate::lint::{self, LintError};
use crate::soak;
use crate::test::{self, TestError};

/// The repository's chores
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Show the operator at work: Kubernetes, a stand-in for the remote API, a receiver
    Demo {
        /// Leave everything running until Ctrl-C, to try things
        #[arg(long)]
        keep: bool,
    },
    /// Check format, lints, licences, sources, generated files, and that the repository is tidy
    Lint,
    /// Run every test against one control plane, and tell how long each program took
    Test {
        /// For `cargo test`, for example `-p controlplane` or `-- --nocapture`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },
    /// Kill the operator around every pair of its calls: what `test` does for every single one
    CrashMatrix {
        /// Such as `create` or `recovery` [default: all]
        #[arg(value_name = "SCENARIO")]
        scenarios: Vec<String>,
    },
    /// Have receivers take signed deliveries while secrets rotate, URLs change, Secrets are deleted and the operator is
    /// killed, for longer than `test` does
    Soak {
        /// How long, in minutes
        #[arg(long, default_value_t = 10)]
        minutes: u32,
        /// How many endpoints there are
        #[arg(long, default_value_t = 8)]
        endpoints: u16,
        /// That of an earlier run, to have the same done again [default: a random one]
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Measure what a fleet costs, from its declaration to its deletion, by its size
    Bench {
        /// For the benchmark: `-- --help` tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },
    /// Run the fuzz targets for longer than `test` does
    Fuzz {
        /// What a target's name begins with, such as `answers` [default: all]
        #[arg(value_name = "TARGET", default_value = "")]
        wanted: String,
        /// How long each of them runs, in seconds
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Write the generated files, or check that they are up to date
    Codegen {
        /// Change nothing, and fail when a file differs
        #[arg(long)]
        check: bool,
    },
    /// Make an OCI image without Docker: a static program and certificate authorities, nothing else
    Image {
        /// The program in it
        #[arg(long, value_enum, default_value = "operator")]
        program: Wanted,
        /// Where to put the archive, and beside it what the program consists of [default: target/image]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// As what cargo builds the program
        #[arg(long, default_value = "release")]
        profile: String,
    },
    /// Start a control plane and keep it until Ctrl-C
    Controlplane {
        /// A new or empty folder for its data and logs, kept afterwards [default: a temporary one]
        #[arg(long, value_name = "DIR")]
        state_dir: Option<PathBuf>,
    },
    /// Check the dependencies for known vulnerabilities; needs the Internet
    Advisories,
}

/// Why a chore failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XtaskError {
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error(transparent)]
    Lint(#[from] LintError),
    #[error(transparent)]
    Test(#[from] TestError),
    #[error(transparent)]
    Fuzz(#[from] CargoError),
    #[error(transparent)]
    Codegen(#[from] CodegenError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    #[error(transparent)]
    Deny(#[from] DenyError),
}

/// Does the chore that this process's arguments name.
pub(crate) fn run() -> Result<(), XtaskError> {
    match Arguments::parse().chore {
        Chore::Demo { keep: true } => Ok(demo::run(Afterwards::Keep)?),
        Chore::Demo { keep: false } => Ok(demo::run(Afterwards::Stop)?),
        Chore::Lint => Ok(lint::run()?),
        Chore::Test { .. } => Ok(test::run(&raw_arguments_of("test"))?),
        Chore::CrashMatrix { scenarios } => Ok(crash_matrix::run(&scenarios)?),
        Chore::Soak { minutes, endpoints, seed } => Ok(soak::run(minutes, endpoints, seed)?),
        Chore::Bench { arguments } => Ok(run_bench(&arguments)?),
        Chore::Fuzz { wanted, seconds } => Ok(fuzz::fuzz(&wanted, seconds)?),
        Chore::Codegen { check: true } => Ok(codegen::run(Mode::Check)?),
        Chore::Codegen { check: false } => Ok(codegen::run(Mode::Write)?),
        Chore::Image { program, out, profile } => Ok(image::run(program, out, &profile)?),
        Chore::Controlplane { state_dir } => Ok(controlplane::run(state_dir)?),
        Chore::Advisories => Ok(deny::advisories()?),
    }
}

/// What follows the chore's name. Clap would keep the first `--` to itself, which cargo has to see.
fn raw_arguments_of(chore: &str) -> Vec<OsString> {
    std::env::args_os().skip_while(|argument| argument != chore).skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_command_line_is_told_what_is_wrong() {
        for (arguments, complaint) in [
            (&["xtask"][..], "Usage: cargo xtask <COMMAND>"),
            (&["xtask", "dance"], "unrecognized subcommand 'dance'"),
            (&["xtask", "lint", "--fast"], "unexpected argument '--fast' found"),
            (
                &["xtask", "controlplane", "--state-dir"],
                "a value is required for '--state-dir <DIR>' but none was supplied",
            ),
        ] {
            let error = Arguments::try_parse_from(arguments).unwrap_err();
            let said = error.to_string();
            assert_eq!(error.exit_code(), 2, "{arguments:?}: {said}");
            assert!(said.contains(complaint), "{arguments:?}: {said}");
        }
    }
}
