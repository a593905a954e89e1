//! Signed deliveries to the registered URLs.

mod log;
mod send;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use log::{Attempt, Delivery, DeliveryId, DeliveryState, Outcome};
pub(crate) use log::{Consequence, DeliveryLog};
pub(crate) use send::{Letter, Sender};

use crate::endpoint::NetworkId;

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
