//! The simulator as a program of its own: see `simulator --help`.

mod cli;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::json;
use simulator::{Handle, Simulator, StartError};
use tokio::signal::unix::{SignalKind, signal};

use cli::{Cli, CliError};

/// The exit code for wrong arguments, as clap has it.
const USAGE: u8 = 2;

/// Why the program ends early.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Cli(#[from] CliError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the readiness line cannot be written: {0}")]
    Announce(#[source] io::Error),
    #[error("signals cannot be waited for: {0}")]
    Signals(#[source] io::Error),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return error.print().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
        }
        Err(error) => {
            complain(&usage::sentence(&error));
            return ExitCode::from(USAGE);
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(cli: Cli) -> Result<(), RunError> {
    let config = cli.config(|name| std::env::var(name).ok())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let simulator = Simulator::start(config).await?;
    announce(&simulator).map_err(RunError::Announce)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulator.stop().await;
    Ok(())
}

/// Tells, in one line of JSON, that and where the simulator listens.
fn announce(simulator: &Handle) -> io::Result<()> {
    let https = simulator.https().map(
        |https| json!({ "baseUrl": https.base_url, "tokenUrl": https.token_url, "caPem": https.ca_pem }),
    );
    let ready = json!({
        "baseUrl": simulator.base_url(),
        "tokenUrl": simulator.token_url(),
        "adminUrl": simulator.admin_url(),
        "https": https,
    });
    let mut out = io::stdout().lock();
    writeln!(out, "{ready}")?;
    out.flush()
}

fn complain(sentence: &str) {
    // Without stderr there is nobody left to tell.
    let _ = writeln!(io::stderr(), "simulator: {sentence}");
}
