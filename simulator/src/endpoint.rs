//! The API's object and its identifiers.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The event types that the API's page lists.
pub const EVENT_TYPES: [&str; 2] = ["ocpp.message", "asset.connectivity"];

/// The endpoint receives deliveries.
pub const ACTIVE: &str = "active";

/// The endpoint receives nothing.
pub const INACTIVE: &str = "inactive";

/// The opaque id of an endpoint (`wh_…` or `we_…`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndpointId(String);

/// The id of a network (`n_…`); the credentials of a call determine it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkId(String);

macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            /// The id as the API writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(EndpointId);
text_id!(NetworkId);

/// A webhook endpoint as the API shows it, without its secret.
///
/// Events, status and time are plain text, so that a test can make the API say what its page does
/// not list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Given by the API at creation; never reused.
    pub id: EndpointId,
    /// The network of the credentials that created it.
    pub network_id: NetworkId,
    /// Where deliveries go.
    pub url: String,
    /// The subscribed event types, in the order they were given.
    pub enabled_events: Vec<String>,
    /// [`ACTIVE`] or [`INACTIVE`], unless edited to something odd.
    pub status: String,
    /// RFC 3339 by the API's clock; absent only when edited away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Fields that the page does not list.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Endpoint {
    /// Whether deliveries of this event type go to the endpoint.
    #[must_use]
    pub fn receives(&self, event_type: &str) -> bool {
        self.status == ACTIVE && self.enabled_events.iter().any(|event| event == event_type)
    }
}

/// What an endpoint is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewEndpoint {
    /// Kept as it is, valid or not.
    pub url: String,
    /// Kept as they are, valid or not; every known event if absent from JSON.
    #[serde(default = "every_event")]
    pub enabled_events: Vec<String>,
    /// Kept as it is, valid or not; active if absent from JSON.
    #[serde(default = "active")]
    pub status: String,
}

impl NewEndpoint {
    /// An active endpoint for every event.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), enabled_events: every_event(), status: active() }
    }

    /// With these events instead.
    #[must_use]
    pub fn events<I: Into<String>>(mut self, events: impl IntoIterator<Item = I>) -> Self {
        self.enabled_events = events.into_iter().map(Into::into).collect();
        self
    }

    /// With this status instead.
    #[must_use]
    pub fn status(mut self, status: impl Into<String>) -> Self {
        self.status = status.into();
        self
    }
}

fn every_event() -> Vec<String> {
    EVENT_TYPES.map(str::to_owned).to_vec()
}

fn active() -> String {
    ACTIVE.to_owned()
}
