//! The repository's chores: `cargo xtask …`.

mod bench;
mod cargo;
mod chart;
mod cli;
mod codegen;
mod controlplane;
mod crash_matrix;
mod demo;
mod deny;
mod fuzz;
mod image;
mod lint;
mod soak;
mod test;
mod tidy;

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without stderr there is nobody to tell.
            let _ = writeln!(io::stderr(), "xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
