//! What is measured.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// What a fleet costs, by its size.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub struct Options {
    /// How many resources there are
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    pub sizes: Vec<usize>,
    /// How long the API takes to answer, in milliseconds
    #[arg(long, default_value_t = 12)]
    pub latency: u64,
    /// How many resources are reconciled at once, and requests of the bare client under way
    #[arg(long, default_value_t = 16)]
    pub concurrency: u16,
    /// How many of a hundred creates the API answers with 503
    #[arg(long, default_value_t = 0)]
    pub errors: usize,
    /// Only the create and the bound
    #[arg(long)]
    pub creates_only: bool,
    /// Where the figures are written to, as JSON
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    pub out: PathBuf,
    /// Where cost is drawn against size, as SVG
    #[arg(long, value_name = "FILE", default_value = "target/bench.svg")]
    pub plot: PathBuf,
    /// Measure nothing, and show how the figures of the second file differ from those of the first
    #[arg(long, num_args = 2, value_names = ["A.json", "B.json"])]
    pub compare: Vec<PathBuf>,
    /// What cargo says to a benchmark
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Options {
    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.latency)
    }
}
