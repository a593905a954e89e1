//! What became of deliveries.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::DeliveryConfig;
use crate::endpoint::EndpointId;

/// Identifies a delivery: one event to one endpoint, with all its attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// As the header has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Also in the header `X-Webhook-Delivery-Id`.
    pub id: DeliveryId,
    /// Where it goes.
    pub endpoint: EndpointId,
    /// The body's `id`, shared by every endpoint that hears of the event.
    pub event_id: String,
    /// The body's `type`.
    pub event_type: String,
    /// Oldest first.
    pub attempts: Vec<Attempt>,
    /// How it stands.
    pub state: DeliveryState,
}

/// One attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it began, by the API's clock; the signature bears the same second.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// With this status.
    Answered(u16),
    /// Without an answer.
    Unanswered(String),
}

impl Outcome {
    /// Whether the delivery arrived: any 2xx.
    #[must_use]
    pub fn arrived(&self) -> bool {
        matches!(self, Self::Answered(200..=299))
    }
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// An attempt is under way or to come.
    Pending,
    /// The receiver took it.
    Delivered,
    /// No attempt is left.
    Exhausted,
    /// The endpoint was deleted before it arrived.
    Cancelled,
}

/// Every delivery so far, in the order they were made.
#[derive(Debug)]
pub(crate) struct DeliveryLog {
    deliveries: Vec<Delivery>,
    /// Where a delivery stands in the log.
    places: BTreeMap<DeliveryId, usize>,
    /// Failed attempts in a row.
    failures: HashMap<EndpointId, u32>,
    disable_after: Option<u32>,
}

/// What an attempt means for the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    None,
    /// The vendor has seen enough failures.
    Disable,
}

impl DeliveryLog {
    pub(crate) fn new(config: &DeliveryConfig) -> Self {
        Self {
            deliveries: Vec::new(),
            places: BTreeMap::new(),
            failures: HashMap::new(),
            disable_after: config.disable_after,
        }
    }

    pub(crate) fn all(&self) -> &[Delivery] {
        &self.deliveries
    }

    pub(crate) fn set_disable_after(&mut self, failures: Option<u32>) {
        self.disable_after = failures;
    }

    pub(crate) fn open(&mut self, endpoint: EndpointId, event_id: &str, event_type: &str) -> DeliveryId {
        let id = DeliveryId(format!("dlv_{:08}", self.deliveries.len() + 1));
        self.places.insert(id.clone(), self.deliveries.len());
        self.deliveries.push(Delivery {
            id: id.clone(),
            endpoint,
            event_id: event_id.to_owned(),
            event_type: event_type.to_owned(),
            attempts: Vec::new(),
            state: DeliveryState::Pending,
        });
        id
    }

    pub(crate) fn attempted(&mut self, id: &DeliveryId, attempt: Attempt) -> Consequence {
        let Some(delivery) = self.delivery(id) else { return Consequence::None };
        let arrived = attempt.outcome.arrived();
        let endpoint = delivery.endpoint.clone();
        delivery.attempts.push(attempt);
        if arrived {
            delivery.state = DeliveryState::Delivered;
            self.failures.remove(&endpoint);
            return Consequence::None;
        }
        let failures = self.failures.entry(endpoint).or_default();
        *failures += 1;
        if self.disable_after.is_some_and(|limit| *failures >= limit) {
            *failures = 0;
            return Consequence::Disable;
        }
        Consequence::None
    }

    pub(crate) fn close(&mut self, id: &DeliveryId, state: DeliveryState) {
        if let Some(delivery) = self.delivery(id) {
            delivery.state = state;
        }
    }

    fn delivery(&mut self, id: &DeliveryId) -> Option<&mut Delivery> {
        self.places.get(id).and_then(|place| self.deliveries.get_mut(*place))
    }
}
