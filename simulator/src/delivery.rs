//! Signed deliveries to the registered URLs.

mod log;
mod send;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use log::DeliveryLog;
pub use log::{Attempt, Delivery, DeliveryId, DeliveryState, Outcome};
pub(crate) use send::{Sender, deliver};

use crate::endpoint::NetworkId;

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

/// Something that happened in a network, to be told to its endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// Where it happened.
    pub network: NetworkId,
    /// Which endpoints hear of it.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What they hear.
    #[serde(default)]
    pub data: Value,
}

impl Event {
    /// An event of a network.
    pub fn new(network: impl Into<NetworkId>, event_type: impl Into<String>, data: Value) -> Self {
        Self { network: network.into(), event_type: event_type.into(), data }
    }
}
