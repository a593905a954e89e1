//! The command line. Secrets never stand on it: they come from files or from the environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use jiff::SignedDuration;
use secrecy::SecretString;
use simulator::{Config, DeliveryConfig, Habits, NetworkConfig};

/// A stand-in for the remote webhook-endpoint API. Once it listens, it prints one line of JSON with
/// its addresses; SIGTERM or Ctrl-C ends it.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// Where the API listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the API listens with TLS too, by an authority of its own.
    #[arg(long, value_name = "ADDRESS")]
    listen_tls: Option<SocketAddr>,
    /// Where /_simulator (faults, ledger, deliveries …) listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen_admin: SocketAddr,
    /// A network and the OAuth client that sees it; may be repeated.
    #[arg(long = "network", value_name = "NAME:CLIENT_ID", required = true)]
    networks: Vec<NetworkArgument>,
    /// The file with a network's client secret; else the environment variable
    /// `SIMULATOR_CLIENT_SECRET_<NAME>` has it.
    #[arg(long = "client-secret-file", value_name = "NAME=PATH")]
    client_secret_files: Vec<FileArgument>,
    /// The file with a static bearer token for a network; else the environment variable
    /// `SIMULATOR_BEARER_TOKEN_<NAME>` may have one.
    #[arg(long = "bearer-token-file", value_name = "NAME=PATH")]
    bearer_token_files: Vec<FileArgument>,
    /// The only audience for which tokens are given.
    #[arg(long, value_name = "AUDIENCE", default_value = "https://api.lynkwell.com")]
    audience: String,
    /// How long a token is good for.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    token_lifetime: u64,
    /// How far the API's clock is ahead (behind, if negative).
    #[arg(long, value_name = "SECONDS", default_value_t = 0, allow_negative_numbers = true)]
    clock_skew: i64,
    /// How the API behaves where its page is silent, for example `{"listOrder": "newest-first"}`.
    #[arg(long, value_name = "JSON", value_parser = parse_habits)]
    habits: Option<Habits>,
    /// By what the waits between attempts to deliver (1, 4, 12, 24 and 48 hours) are divided.
    #[arg(long, value_name = "DIVISOR", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    retry_divisor: u32,
    /// After how many failed attempts in a row an endpoint is set inactive.
    #[arg(long, value_name = "ATTEMPTS", value_parser = clap::value_parser!(u32).range(1..))]
    disable_after: Option<u32>,
    /// Makes ids the same in every run.
    #[arg(long)]
    seed: Option<u64>,
}

/// Why the command line makes no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A file names a network that is not there.
    #[error("--{option} names the network {name}, but there is no --network {name}:CLIENT_ID")]
    UnknownNetwork { option: &'static str, name: String },
    /// A network is named twice.
    #[error("the network {0} is named twice; give each --network a name of its own")]
    RepeatedNetwork(String),
    /// A client has no secret.
    #[error(
        "the network {name} has no client secret: give --client-secret-file {name}=PATH or set {variable}"
    )]
    NoSecret { name: String, variable: String },
    /// A file cannot be read.
    #[error("the file {} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// A file has nothing in it.
    #[error("the file {} is empty, but must hold a secret", .0.display())]
    Empty(PathBuf),
}

/// `NAME:CLIENT_ID`
#[derive(Clone, Debug)]
struct NetworkArgument {
    name: String,
    client_id: String,
}

/// `NAME=PATH`
#[derive(Clone, Debug)]
struct FileArgument {
    name: String,
    path: PathBuf,
}

impl FromStr for NetworkArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, client_id) = split(text, ':').ok_or("write NAME:CLIENT_ID, such as n_1:my-client")?;
        Ok(Self { name: name.to_owned(), client_id: client_id.to_owned() })
    }
}

impl FromStr for FileArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, path) = split(text, '=').ok_or("write NAME=PATH, such as n_1=/run/secrets/n_1")?;
        Ok(Self { name: name.to_owned(), path: path.into() })
    }
}

fn split(text: &str, separator: char) -> Option<(&str, &str)> {
    text.split_once(separator).filter(|(left, right)| !left.is_empty() && !right.is_empty())
}

fn parse_habits(text: &str) -> Result<Habits, serde_json::Error> {
    serde_json::from_str(text)
}

impl Cli {
    /// The configuration asked for; `variable` reads the environment.
    pub(crate) fn config(self, variable: impl Fn(&str) -> Option<String>) -> Result<Config, CliError> {
        let networks = self.network_configs(variable)?;
        Ok(Config {
            listen: self.listen,
            listen_tls: self.listen_tls,
            listen_admin: Some(self.listen_admin),
            networks,
            audience: self.audience,
            token_lifetime: Duration::from_secs(self.token_lifetime),
            habits: self.habits.unwrap_or_default(),
            clock_skew: SignedDuration::from_secs(self.clock_skew),
            delivery: DeliveryConfig {
                time_divisor: self.retry_divisor,
                disable_after: self.disable_after,
                ..DeliveryConfig::default()
            },
            seed: self.seed,
        })
    }

    fn network_configs(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<NetworkConfig>, CliError> {
        let secret_files = ("client-secret-file", &self.client_secret_files);
        let token_files = ("bearer-token-file", &self.bearer_token_files);
        for (option, files) in [secret_files, token_files] {
            let known = |name: &str| self.networks.iter().any(|network| network.name == name);
            if let Some(file) = files.iter().find(|file| !known(&file.name)) {
                return Err(CliError::UnknownNetwork { option, name: file.name.clone() });
            }
        }
        let mut configs: Vec<NetworkConfig> = Vec::new();
        for NetworkArgument { name, client_id } in &self.networks {
            if configs.iter().any(|config| config.id.as_str() == name) {
                return Err(CliError::RepeatedNetwork(name.clone()));
            }
            let secret_variable = variable_name("SIMULATOR_CLIENT_SECRET_", name);
            let client_secret = read(&self.client_secret_files, name, variable(&secret_variable))?
                .ok_or_else(|| CliError::NoSecret { name: name.clone(), variable: secret_variable })?;
            let mut config = NetworkConfig::new(name.as_str()).client(client_id, client_secret);
            let token_variable = variable_name("SIMULATOR_BEARER_TOKEN_", name);
            if let Some(token) = read(&self.bearer_token_files, name, variable(&token_variable))? {
                config = config.bearer_token(token);
            }
            configs.push(config);
        }
        Ok(configs)
    }
}

/// The secret of a network: from its file, else from the environment.
fn read(
    files: &[FileArgument],
    name: &str,
    variable: Option<String>,
) -> Result<Option<SecretString>, CliError> {
    match files.iter().find(|file| file.name == name) {
        Some(file) => read_file(&file.path).map(Some),
        None => Ok(variable.filter(|value| !value.is_empty()).map(SecretString::from)),
    }
}

fn read_file(path: &Path) -> Result<SecretString, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CliError::Unreadable { path: path.to_owned(), source })?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(CliError::Empty(path.to_owned()));
    }
    Ok(secret.into())
}

/// The environment variable for a network: its name in capitals, with `_` for all but letters and
/// digits.
fn variable_name(prefix: &str, network: &str) -> String {
    let name = network.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    prefix.chars().chain(name).collect()
}
