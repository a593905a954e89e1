//! How a simulator is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::endpoint::NetworkId;
use crate::habits::Habits;

/// How a simulator is set up. The default listens on a free loopback port and has no network yet.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the API listens without TLS; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the API listens with TLS, by a certificate of its own authority; not at all if `None`.
    pub listen_tls: Option<SocketAddr>,
    /// Where `/_simulator/…` listens (always without TLS); not at all if `None`.
    pub listen_admin: Option<SocketAddr>,
    /// The networks and their credentials.
    pub networks: Vec<NetworkConfig>,
    /// The only audience for which tokens are given.
    pub audience: String,
    /// How long a token is good for, by the API's clock; whole seconds.
    pub token_lifetime: Duration,
    /// How the API behaves where its page is silent.
    pub habits: Habits,
    /// How far the API's clock is ahead of this machine's (behind, if negative).
    pub clock_skew: SignedDuration,
    /// How deliveries are sent.
    pub delivery: DeliveryConfig,
    /// Makes the ids the same in every run; taken at random if `None`.
    pub seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: loopback(),
            listen_tls: None,
            listen_admin: None,
            networks: Vec::new(),
            audience: "https://api.lynkwell.com".to_owned(),
            token_lifetime: Duration::from_hours(24),
            habits: Habits::default(),
            clock_skew: SignedDuration::ZERO,
            delivery: DeliveryConfig::default(),
            seed: None,
        }
    }
}

impl Config {
    /// Adds a network.
    #[must_use]
    pub fn network(mut self, network: NetworkConfig) -> Self {
        self.networks.push(network);
        self
    }

    /// Listens with TLS too, on a free loopback port.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.listen_tls = Some(loopback());
        self
    }

    /// Serves `/_simulator/…` on a free loopback port.
    #[must_use]
    pub fn admin(mut self) -> Self {
        self.listen_admin = Some(loopback());
        self
    }
}

/// How deliveries are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryConfig {
    /// How long after a failed attempt the next one comes, by the API's clock. The documented
    /// schedule: 1 h, 4 h, 12 h, 24 h, 48 h.
    pub retry_delays: Vec<Duration>,
    /// By what the delays are divided: 3600 makes an hour a second.
    pub time_divisor: u32,
    /// How long a receiver has to answer.
    pub timeout: Duration,
    /// After how many failed attempts in a row the vendor sets an endpoint inactive by itself; never
    /// if `None`.
    pub disable_after: Option<u32>,
    /// The only authorities that receivers' certificates are trusted from, as PEM; the system's if
    /// `None`.
    pub ca_pem: Option<String>,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            retry_delays: [1, 4, 12, 24, 48].map(Duration::from_hours).to_vec(),
            time_divisor: 1,
            timeout: Duration::from_secs(30),
            disable_after: None,
            ca_pem: None,
        }
    }
}

/// A free port of the loopback interface.
#[must_use]
pub fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// One network and the credentials that see it.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The network's id in the API.
    pub id: NetworkId,
    /// OAuth clients of the network.
    pub clients: Vec<ClientCredentials>,
    /// Tokens that are good for ever, for callers without OAuth.
    pub bearer_tokens: Vec<SecretString>,
    /// What the network's tokens may do; a token keeps what it was issued with.
    pub scopes: Scopes,
}

impl NetworkConfig {
    /// A network without credentials, whose future tokens may do everything.
    pub fn new(id: impl Into<NetworkId>) -> Self {
        Self { id: id.into(), clients: Vec::new(), bearer_tokens: Vec::new(), scopes: Scopes::All }
    }

    /// Adds an OAuth client.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        self.clients.push(ClientCredentials { id: id.into(), secret: secret.into() });
        self
    }

    /// Adds a static bearer token.
    #[must_use]
    pub fn bearer_token(mut self, token: impl Into<SecretString>) -> Self {
        self.bearer_tokens.push(token.into());
        self
    }

    /// Limits what the network's tokens may do.
    #[must_use]
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }
}

/// An OAuth client.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// `client_id`
    pub id: String,
    /// `client_secret`
    pub secret: SecretString,
}

/// What a token may do. The vendor does not publish its scopes' names; these are the simulator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scopes {
    /// Nothing: the vendor's support has not granted the webhook scopes yet.
    None,
    /// List and get.
    Read,
    /// Every operation.
    All,
}

impl Scopes {
    /// The token answer's `scope`.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Read => "read:webhook-endpoints",
            Self::All => "read:webhook-endpoints write:webhook-endpoints",
        }
    }
}
