//! Receives events and tells of them, a line each.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use webhook_receiver::{Options, Receipt, serve};

/// How many events may wait to be dealt with.
const MOST_WAITING: usize = 1_000;

/// Receives the events of a WebhookEndpoint
#[derive(Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The folder that the WebhookEndpoint's Secret is mounted at
    #[arg(long, value_name = "FOLDER", env = "WEBHOOK_SECRET_DIR")]
    secret_dir: PathBuf,
    /// The URL at which this receiver is reached, for when it moves: deliveries that are here before the new Secret is
    /// are put off, and not refused
    #[arg(long)]
    url: Option<String>,
    /// For how many hours a secret is believed that is not in the folder any more
    #[arg(long, default_value_t = 96, value_name = "HOURS")]
    remember: u32,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let Arguments { listen, secret_dir, url, remember } = Arguments::parse();
    let listener = TcpListener::bind(listen).await?;
    tell(&format!("listening on http://{}", listener.local_addr()?));
    let options = Options { secret_dir, url, remember: Duration::from_hours(remember.into()) };
    let (sender, receipts) = mpsc::channel(MOST_WAITING);
    tokio::spawn(deal_with(receipts));
    serve(listener, options, sender).await
}

/// Your service would do something here.
async fn deal_with(mut receipts: mpsc::Receiver<Receipt>) {
    while let Some(receipt) = receipts.recv().await {
        tell(&receipt.to_string());
    }
}

#[expect(clippy::print_stdout, reason = "it is all that this program does")]
fn tell(line: &str) {
    println!("{line}");
}
