//! The operator's command line.

#![expect(clippy::doc_markdown, reason = "the comments of arguments are the help that a terminal shows")]

mod arguments;
mod logging;

use std::error::Error as _;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use ipnet::IpNet;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;
use webhook_operator::controller::Election;
use webhook_operator::reconcile::Settings;
use webhook_operator::{controller, resources};

use arguments::{duration, listen_address, log_filter, range};
use logging::LogFormat;

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
    #[arg(long, default_value = "0.0.0.0:8080", value_parser = listen_address, env = "HEALTH_ADDRESS")]
    health_address: SocketAddr,
    /// How lines of the log look.
    #[arg(long, value_enum, default_value = "text", env = "LOG_FORMAT")]
    log_format: LogFormat,
    /// What is logged, e.g. info or webhook_operator=debug.
    #[arg(long, default_value = "info", value_parser = log_filter, env = "LOG_FILTER")]
    log_filter: EnvFilter,
    /// How long after an unanswered create a list may fail to show its endpoint, e.g. 60s.
    #[arg(long, default_value = "60s", value_parser = duration, env = "CREATE_SETTLING_TIME")]
    create_settling_time: Duration,
    /// How long a Secret that was deleted or altered may be restored before its endpoint is replaced, e.g. 1m.
    #[arg(long, default_value = "1m", value_parser = duration, env = "SECRET_RECOVERY_GRACE")]
    secret_recovery_grace: Duration,
    /// A non-public address or range, e.g. 10.1.2.0/24, that WebhookNetworks may lead to nevertheless;
    /// may be given several times.
    #[arg(long = "allow-address", value_name = "CIDR", value_parser = range)]
    allowed_addresses: Vec<IpNet>,
    /// How many resources of each network are reconciled at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// Whether to act only while holding a Lease, so that one of several replicas does; default: in a Pod.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", env = "LEADER_ELECT")]
    leader_elect: Option<bool>,
    /// The namespace of that Lease; default: the Pod's, or the kubeconfig's.
    #[arg(long, env = "LEASE_NAMESPACE")]
    lease_namespace: Option<String>,
    /// The name of that Lease; another one for each of several deployments in one namespace.
    #[arg(long, default_value = "webhook-operator", env = "LEASE_NAME")]
    lease_name: String,
    /// Only look after this namespace, without any right in the rest of the cluster; may be given several times.
    /// ClusterWebhookNetworks do not exist then.
    #[arg(long = "watch-namespace", value_name = "NAMESPACE", value_delimiter = ',', value_parser = arguments::namespace, env = "WATCH_NAMESPACE")]
    watched_namespaces: Vec<String>,
    /// Only look after WebhookEndpoints and networks with these labels, e.g. region=eu; for several
    /// deployments side by side.
    #[arg(long, value_parser = arguments::selector)]
    selector: Option<String>,
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
        secret_recovery_grace,
        allowed_addresses,
        concurrency,
        leader_elect,
        lease_namespace,
        lease_name,
        mut watched_namespaces,
        selector,
    } = arguments;
    watched_namespaces.sort_unstable();
    watched_namespaces.dedup();
    let log = logging::subscriber(log_filter, log_format, wants_colour(), std::io::stderr);
    log.try_init().map_err(|error| format!("can't log: {error}"))?;
    let config = kube::Config::infer().await.map_err(|error| no_cluster(&error))?;
    let settings = Settings {
        settle: create_settling_time,
        recovery_grace: secret_recovery_grace,
        address_exceptions: allowed_addresses,
        concurrency,
        namespaces: watched_namespaces,
        selector,
        hurry: NonZeroU16::MIN,
    };
    let in_pod = || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let election = leader_elect.unwrap_or_else(in_pod).then(|| Election {
        namespace: lease_namespace.unwrap_or_else(|| config.default_namespace.clone()),
        name: lease_name,
    });
    let shutdown = stop_on_signal().map_err(|error| format!("can't listen for signals: {error}"))?;
    controller::run(config, settings, health_address, election, shutdown)
        .await
        .map_err(|error| error.to_string())
}

/// A file or a log collector would show the escape sequences of colours as they are.
fn wants_colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

/// Why there is no cluster to work with. The parser of a kubeconfig says more than one line.
fn no_cluster(error: &kube::config::InferConfigError) -> String {
    let why = match (std::env::var_os("KUBERNETES_SERVICE_HOST"), error.source()) {
        // Outside a Pod, that this is no Pod is no news.
        (None, Some(kubeconfig)) => kubeconfig.to_string(),
        _ => error.to_string(),
    };
    let why = why.lines().next().unwrap_or_default();
    format!(
        "found no Kubernetes cluster to work with: {why}; set KUBECONFIG to the path of a kubeconfig, or run in a Pod \
         with a ServiceAccount"
    )
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
