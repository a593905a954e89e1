//! An operator whose pauses pass faster. The program that is delivered has no such option, so this test's
//! own program is started in its place.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::process::ExitCode;

use clap::Parser;
use testkit::OperatorOptions;
use tokio_util::sync::CancellationToken;
use webhook_operator::controller;
use webhook_operator::reconcile::Settings;

/// What makes this program an operator.
const HURRY: &str = "--hurry";

/// What operators in tests are started with, and how many times faster the pauses pass.
#[derive(Parser)]
struct Arguments {
    /// Which is always `run`.
    _command: String,
    #[arg(long)]
    health_address: SocketAddr,
    #[arg(long)]
    create_settling_time: kube::core::Duration,
    #[arg(long)]
    secret_recovery_grace: kube::core::Duration,
    #[arg(long)]
    allow_address: IpAddr,
    #[arg(long)]
    selector: String,
    #[arg(long)]
    log_filter: String,
    #[arg(long)]
    hurry: NonZeroU16,
}

/// Has an operator started so that pauses pass so many times faster.
pub fn hurry(options: &mut OperatorOptions, times: u16) {
    options.program = Some(std::env::current_exe().expect("this test has a path"));
    options.arguments.extend([HURRY.to_owned(), times.to_string()]);
}

/// Whether this process is to be an operator.
pub fn is_asked_for() -> bool {
    std::env::args().any(|argument| argument == HURRY)
}

/// Is an operator until it is killed.
#[tokio::main]
pub async fn run() -> ExitCode {
    let asked = Arguments::parse();
    // As the delivered one does, it never logs the answers of Kubernetes.
    let filter = format!("{},kube_client::client=off", asked.log_filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let config = kube::Config::infer().await.expect("a kubeconfig");
    let settings = Settings {
        settle: asked.create_settling_time.into(),
        recovery_grace: asked.secret_recovery_grace.into(),
        address_exceptions: vec![asked.allow_address.into()],
        concurrency: 16,
        namespaces: Vec::new(),
        selector: Some(asked.selector),
        hurry: asked.hurry,
    };
    let ended = controller::run(config, settings, asked.health_address, None, CancellationToken::new()).await;
    ended.expect("it runs until it is killed");
    ExitCode::SUCCESS
}
