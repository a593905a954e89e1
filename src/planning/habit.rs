//! What the API shows otherwise than it was sent, from the first answer on: that is its habit, and no drift.

use super::observed::{Observed, RecordedEndpoint};
use super::step::Action;
use crate::provider::{Endpoint, EndpointId, EndpointUrl, EventTypes};

/// The URL that an endpoint was created with, as far as it is on record.
pub(super) fn requested_url<'a>(observed: &'a Observed, id: &EndpointId) -> Option<&'a EndpointUrl> {
    let attempt = observed.attempt.as_ref().filter(|attempt| observed.made_by(attempt) == Some(id));
    let recorded = || seen(observed, id).map(|seen| seen.requested_url.as_ref().unwrap_or(&seen.url));
    attempt.map(|attempt| &attempt.url).or_else(recorded)
}

/// Whether an endpoint delivers to the URL that it was created with, as the API spells that one.
pub(super) fn is_spelling_of(observed: &Observed, endpoint: &Endpoint, requested: &EndpointUrl) -> bool {
    endpoint.url == *requested
        || seen(observed, &endpoint.id).is_none_or(|first| {
            let same = |url: &EndpointUrl| url.is_same_url(requested);
            first.requested_url.as_ref().is_some_and(same) && first.url == endpoint.url
        })
}

/// Whether an endpoint subscribes to these events, and to none beside them that the API does not add by itself:
/// it does so where the endpoint had them from the first answer on.
pub(super) fn subscribes_to(observed: &Observed, endpoint: &Endpoint, wanted: &EventTypes) -> bool {
    let first = !observed.is_applied()
        || matches!(&observed.previous, Some(Action::Patch { id, .. }) if *id == endpoint.id);
    let earlier = seen(observed, &endpoint.id).map(|seen| &seen.enabled_events);
    let mut added = endpoint.enabled_events.difference(wanted);
    endpoint.subscribes_to(wanted)
        && added.all(|event| first || earlier.is_none_or(|earlier| earlier.contains(event)))
}

/// What the status says of an endpoint.
fn seen<'a>(observed: &'a Observed, id: &EndpointId) -> Option<&'a RecordedEndpoint> {
    let recorded = &observed.recorded;
    let current = recorded.seen.as_deref().filter(|_| recorded.current() == Some(id));
    current.or_else(|| recorded.next.as_deref().filter(|_| recorded.next() == Some(id)))
}
