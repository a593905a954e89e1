//! The operator's command line.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing_subscriber::EnvFilter;
use webhook_operator::reconcile::Settings;
use webhook_operator::{controller, resources};

/// Keeps remote webhook endpoints as WebhookEndpoint manifests declare them.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator, with the usual kubeconfig or in-cluster configuration.
    Run(Box<Run>),
    /// Print the custom resource definitions: webhook-operator crds | kubectl apply -f -
    Crds,
}

#[derive(clap::Args)]
struct Run {
    /// Where health checks are served: /livez and /readyz.
    #[arg(long, default_value = "0.0.0.0:8080", env = "HEALTH_ADDRESS")]
    health_address: SocketAddr,
    /// How lines of the log look.
    #[arg(long, value_enum, default_value = "text", env = "LOG_FORMAT")]
    log_format: LogFormat,
    /// What is logged, e.g. info or webhook_operator=debug.
    #[arg(long, default_value = "info", env = "LOG_FILTER")]
    log_filter: EnvFilter,
    /// How long after an unanswered create a list may fail to show its endpoint, e.g. 60s.
    #[arg(long, default_value = "60s", value_parser = duration, env = "CREATE_SETTLING_TIME")]
    create_settling_time: Duration,
    /// A non-public address or range, e.g. 10.1.2.0/24, that WebhookNetworks may lead to nevertheless;
    /// may be given several times.
    #[arg(long = "allow-address", value_name = "CIDR", value_parser = address)]
    allowed_addresses: Vec<IpNet>,
    /// How many resources of each network are reconciled at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Only look after WebhookEndpoints and networks with these labels, e.g. region=eu; for several
    /// deployments side by side.
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    selector: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<kube::core::Duration>().map_err(|error| error.to_string())?;
    if duration.is_negative() {
        return Err("a duration can't be negative".to_owned());
    }
    Ok(duration.into())
}

fn address(text: &str) -> Result<IpNet, String> {
    let host = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address));
    text.parse()
        .or_else(|_| host())
        .map_err(|_| "expected an address or a range, e.g. 10.1.2.0/24".to_owned())
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(arguments) => run(*arguments),
        Command::Crds => print_crds(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            #[expect(clippy::print_stderr, reason = "this is the exit message")]
            {
                eprintln!("webhook-operator: {sentence}");
            }
            ExitCode::FAILURE
        }
    }
}

fn print_crds() -> Result<(), String> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": resources::crds() });
    writeln!(out, "{list:#}").map_err(|error| format!("can't print the definitions: {error}"))
}

#[tokio::main]
async fn run(arguments: Run) -> Result<(), String> {
    let Run {
        health_address,
        log_format,
        log_filter,
        create_settling_time,
        allowed_addresses,
        concurrency,
        selector,
    } = arguments;
    let log = tracing_subscriber::fmt()
        .with_env_filter(log_filter)
        .with_writer(std::io::stderr)
        .with_ansi(wants_colour());
    match log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    let config = kube::Config::infer().await.map_err(|error| {
        format!("found no Kubernetes cluster to work with: set KUBECONFIG, or run in a Pod with a ServiceAccount ({error})")
    })?;
    let settings = Settings {
        settle: create_settling_time,
        address_exceptions: allowed_addresses,
        concurrency,
        selector,
    };
    let shutdown = stop_on_signal().map_err(|error| format!("can't listen for signals: {error}"))?;
    controller::run(config, settings, health_address, shutdown).await.map_err(|error| error.to_string())
}

/// A file or a log collector would show the escape sequences of colours as they are.
fn wants_colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

/// A token that SIGTERM and SIGINT cancel.
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping: what is under way is finished first");
        stop.cancel();
    });
    Ok(token)
}
