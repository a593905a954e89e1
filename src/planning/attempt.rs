//! The write-ahead record of a create.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::provider::{Endpoint, EndpointId, EndpointStatus, EndpointUrl, EventTypes, NewEndpoint};

/// A create that was about to be sent when this was written, kept on the resource.
///
/// It holds all that is needed to recognise the endpoint of a create whose answer was lost. Attempts
/// whose outcome was never learnt form a series: the next one carries on its `since` and its `posts`,
/// so that an endpoint that turns up late is still recognised as one of them.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The resource it was made for: a copy on another resource means nothing.
    pub uid: String,
    /// Counts up for the life of the resource; no record of a higher one than 2³² - 1 is believed.
    #[serde(deserialize_with = "believable")]
    pub number: u64,
    /// When the first attempt of the series began, by the API's clock.
    pub since: Timestamp,
    /// When this attempt began, by the API's clock.
    pub started_at: Timestamp,
    /// When the latest of the series before this one began that may have been sent; none when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many creates of the series may have taken effect, this one included.
    pub posts: u32,
    /// The URL that is sent.
    pub url: EndpointUrl,
    /// The events that are sent.
    pub enabled_events: EventTypes,
    /// The status that is sent.
    pub status: EndpointStatus,
    /// Endpoints with this URL that nobody held before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub known: BTreeSet<EndpointId>,
    /// What the endpoint is for.
    #[serde(default, skip_serializing_if = "is_first")]
    pub purpose: Purpose,
    /// The request for another secret that it answers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// What an endpoint is created for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// There is none: it becomes the current one.
    #[default]
    First,
    /// The secret of the current one has been used for as long as it is to be.
    Interval,
    /// Somebody asks for another secret.
    Requested,
    /// Another URL was declared.
    Url,
    /// The secret of the current one is lost.
    SecretLost,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_first(purpose: &Purpose) -> bool {
    *purpose == Purpose::First
}

/// No resource makes more creates than that, and one can always be added to it.
fn believable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    u32::deserialize(deserializer).map(u64::from)
}

impl Attempt {
    /// Whether its outcome is open, as seen by the resource with this uid of which the attempts up to number
    /// `resolved` are resolved.
    #[must_use]
    pub fn is_open(&self, uid: &str, resolved: u64) -> bool {
        self.uid == uid && self.number > resolved
    }

    /// Whether `endpoint` is what this attempt would have made, time and id aside.
    #[must_use]
    pub fn would_make(&self, endpoint: &Endpoint) -> bool {
        self.url == endpoint.url
            && endpoint.subscribes_to(&self.enabled_events)
            && self.status == endpoint.status
    }

    /// Whether `endpoint` is what this attempt would have made, but for having been set inactive since: the
    /// API does that by itself to an endpoint that it can't deliver to.
    #[must_use]
    pub fn would_make_disabled(&self, endpoint: &Endpoint) -> bool {
        self.url == endpoint.url
            && endpoint.subscribes_to(&self.enabled_events)
            && self.status == EndpointStatus::Active
            && endpoint.status == EndpointStatus::Inactive
    }

    /// Whether this attempt sends exactly `wanted`, its URL to the letter.
    #[must_use]
    pub fn sends(&self, wanted: &NewEndpoint) -> bool {
        self.url.as_str() == wanted.url.as_str()
            && self.enabled_events == wanted.enabled_events
            && self.status == wanted.status
    }

    /// Whether what `other` makes can't be told from what this attempt makes.
    #[must_use]
    pub fn resembles(&self, other: &Self) -> bool {
        self.url == other.url && self.enabled_events == other.enabled_events && self.status == other.status
    }

    /// The body of the create.
    #[must_use]
    pub fn request(&self) -> NewEndpoint {
        NewEndpoint {
            url: self.url.clone(),
            enabled_events: self.enabled_events.clone(),
            status: self.status.clone(),
        }
    }
}

/// What this process knows of the outcome of the recorded attempt.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Progress {
    /// Another process recorded it, or this one lost track.
    #[default]
    Unknown,
    /// This process recorded it and did not send it, or was told for certain that it had no effect.
    Unsent,
    /// This process sent it and learnt nothing certain, at this time by the API's clock.
    Unanswered(Timestamp),
    /// Every endpoint that it could have made was found and deleted, or it was refused for good.
    Undone,
}

/// A created endpoint whose secret is in memory and nowhere else.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct InHand {
    /// The attempt that made it.
    pub attempt: u64,
    /// Its id.
    pub id: EndpointId,
    /// What the API's answer showed.
    pub answer: Answer,
}

/// What the answer to a create showed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Answer {
    /// The secret.
    WithSecret,
    /// No secret: what the endpoint signs can't be verified.
    WithoutSecret,
    /// Another network than the known one, or perhaps another: the endpoint goes, and its secret is not stored.
    Elsewhere,
}
