//! The command line of the `controlplane` program.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::binaries::{self, Sources};
use crate::info::Failure;
use crate::progress::note;
use crate::run::{self, RunError};
use crate::supervisor::become_child;
use crate::version::Binary;

/// A real Kubernetes control plane on loopback, for tests and the demo
#[derive(Debug, Parser)]
#[command(name = "controlplane", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a control plane, print where it is as one line of JSON, and run until stdin ends or Ctrl-C
    Run {
        /// A new or empty folder for its data and logs, kept afterwards [default: a temporary one]
        #[arg(long, value_name = "DIR")]
        state_dir: Option<PathBuf>,
        /// Manifests to apply before the controllers start, a file or a folder; may be repeated
        #[arg(long = "apply", value_name = "PATH")]
        manifests: Vec<PathBuf>,
        /// Tell an owner that reads stdout why it did not start, as one line of JSON
        #[arg(long, hide = true)]
        owned: bool,
    },
    /// Make sure that the binaries are there: build or download what is missing
    Build,
    /// Tell where the binaries are, without building any
    Which,
    /// Become another program that dies when its parent does
    #[command(hide = true)]
    Exec {
        /// The parent's process id
        #[arg(long)]
        parent: u32,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// Runs the `controlplane` program with this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run { state_dir, manifests, owned } => match run::run(state_dir.as_deref(), &manifests) {
            Err(error) if owned && tell_owner(&error).is_ok() => return ExitCode::FAILURE,
            done => done,
        },
        Command::Build => build(),
        Command::Which => return which(),
        Command::Exec { parent, command } => return exec(parent, &command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(message: &str) -> ExitCode {
    note(&format!("controlplane: {message}"));
    ExitCode::FAILURE
}

/// Fails when the owner no longer reads, which is so once it was told that the control plane is ready.
fn tell_owner(error: &RunError) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, &Failure { error: error.to_string() })?;
    writeln!(stdout)?;
    stdout.flush()
}

fn build() -> Result<(), RunError> {
    for (_, path) in run::build()?.all() {
        print(&path.display().to_string());
    }
    Ok(())
}

fn which() -> ExitCode {
    let found = match Sources::from_env() {
        Ok(sources) => binaries::find(&sources),
        Err(error) => return fail(&error.to_string()),
    };
    for path in found.values() {
        print(&path.display().to_string());
    }
    let missing: Vec<&str> =
        Binary::ALL.iter().filter(|binary| !found.contains_key(binary)).map(|binary| binary.name()).collect();
    if missing.is_empty() {
        return ExitCode::SUCCESS;
    }
    fail(&format!("not there yet: {}; `controlplane build` makes them", missing.join(", ")))
}

fn exec(parent: u32, command: &[OsString]) -> ExitCode {
    let Some((program, arguments)) = command.split_first() else {
        return fail("exec needs a program");
    };
    let error = become_child(parent, program, arguments);
    fail(&format!("{} can't be run: {error}", program.display()))
}

/// A line on stdout; a reader that went away is not an error.
fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
