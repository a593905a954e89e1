//! The simulator as a program of its own: see `simulator --help`.

mod cli;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use simulator::{Handle, Simulator, StartError};
use tokio::signal::unix::{SignalKind, signal};

use cli::{Cli, CliError};

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
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without stderr there is nobody left to tell.
            let _ = writeln!(io::stderr(), "simulator: {error}");
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
