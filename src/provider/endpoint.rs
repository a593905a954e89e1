//! Webhook endpoints in the API's own terms.
//!
//! Requests are strict, answers are read with tolerance: extra fields are ignored, values that this
//! version does not know are kept as they are, and an optional field of an odd type counts as absent.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::endpoint_url::EndpointUrl;
use super::event_types::{EventType, EventTypes};
use super::ids::{EndpointId, NetworkId};

/// Whether the API delivers events to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum EndpointStatus {
    /// `active`: events are delivered.
    Active,
    /// `inactive`: nothing is delivered.
    Inactive,
    /// A status that the API knows and this version does not.
    Other(String),
}

impl EndpointStatus {
    /// The status as the API spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for EndpointStatus {
    fn from(name: String) -> Self {
        let known = [Self::Active, Self::Inactive];
        let known = known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(&name));
        known.unwrap_or(Self::Other(name))
    }
}

impl From<EndpointStatus> for String {
    fn from(status: EndpointStatus) -> Self {
        status.as_str().to_owned()
    }
}

impl fmt::Display for EndpointStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A webhook endpoint as the API reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The endpoint's id.
    pub id: EndpointId,
    /// The network that it belongs to.
    pub network_id: Option<NetworkId>,
    /// Where events are delivered.
    pub url: EndpointUrl,
    /// The events that it subscribes to.
    pub enabled_events: EventTypes,
    /// Whether events are delivered.
    pub status: EndpointStatus,
    /// When it was created, by the API's clock.
    pub created_at: Option<Timestamp>,
}

impl Endpoint {
    /// Whether it subscribes to these events, and beside them to none that this version knows.
    #[must_use]
    pub fn subscribes_to(&self, events: &EventTypes) -> bool {
        let mut others = self.enabled_events.difference(events);
        events.is_subset(&self.enabled_events) && others.all(|event| matches!(event, EventType::Other(_)))
    }
}

/// The body of a create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewEndpoint {
    /// Where events are to be delivered.
    pub url: EndpointUrl,
    /// The events to subscribe to.
    pub enabled_events: EventTypes,
    /// Whether to deliver events from the start.
    pub status: EndpointStatus,
}

/// The answer to a create: the only one that carries the signing secret.
#[derive(Clone, Debug)]
pub struct CreatedEndpoint {
    /// The endpoint; a field that the answer left out is as it was requested.
    pub endpoint: Endpoint,
    /// The signing secret, shown this once.
    pub secret: SecretString,
}

/// The body of an update; a field that is `None` is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPatch {
    /// The events to subscribe to from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled_events: Option<EventTypes>,
    /// Whether to deliver events from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<EndpointStatus>,
}

/// One page of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The endpoints that could be read, in the API's order.
    pub endpoints: Vec<Endpoint>,
    /// The ids of those that are there and could not be read.
    pub unreadable: Vec<EndpointId>,
    /// How many items did not even show an id.
    pub nameless: usize,
    /// The cursor of the page that follows, if one does: the last id of this one.
    pub next: Option<EndpointId>,
}

/// The whole list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The endpoints that could be read, each once.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// Those that are there and could not be read.
    pub unreadable: BTreeSet<EndpointId>,
    /// How many items did not even show an id: each may be any endpoint.
    pub nameless: usize,
}

impl Listing {
    /// The endpoints of a list, when none of them is known.
    #[must_use]
    pub fn unshared(endpoints: Vec<Endpoint>) -> Vec<Arc<Endpoint>> {
        endpoints.into_iter().map(Arc::new).collect()
    }
}

impl From<Vec<Endpoint>> for Listing {
    fn from(endpoints: Vec<Endpoint>) -> Self {
        Self { endpoints: Self::unshared(endpoints), ..Self::default() }
    }
}
