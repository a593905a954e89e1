//! When it is believed that an endpoint is not there.
//!
//! One witness is not enough. A gateway answers 404 by itself, a list may leave something out, a copy to which the API
//! fails over is empty for a moment, and other credentials lead to another network. So a list that does not show an
//! endpoint, or a 404 to a change of it, is followed by a question for it by its id, and both are repeated a moment
//! later; and nothing of this counts while it is not certain that the known network is looked at.

use jiff::Timestamp;

use super::network::Identity;
use super::observed::{Observed, Presence};
use super::outcome::{Outcome, Reason};
use super::step::{Action, Step};
use super::timing::Timing;
use crate::provider::{Endpoint, EndpointId};

/// How an endpoint was found to be.
pub(super) enum Look<'a> {
    /// It is there.
    Seen(&'a Endpoint),
    /// It is gone for certain.
    Gone,
    /// What to do to find out.
    Step(Box<Step>),
}

/// Looks at an endpoint that the resource holds.
pub(super) fn look<'a>(observed: &'a Observed, id: &EndpointId, now: Timestamp) -> Look<'a> {
    let step = match observed.presence(id) {
        Some(Presence::Present(endpoint)) => return Look::Seen(endpoint),
        Some(Presence::Gone) => return Look::Gone,
        None => Step::End(Outcome::awaiting_list()),
        Some(Presence::Unlisted) => doubt(observed).unwrap_or(Step::Act(Action::Confirm { id: id.clone() })),
        Some(Presence::Missing { since }) => missing(observed, id, *since, now),
    };
    Look::Step(Box::new(step))
}

/// What follows once an endpoint was not found by its id.
pub(super) fn missing(observed: &Observed, id: &EndpointId, since: Timestamp, now: Timestamp) -> Step {
    if let Some(doubt) = doubt(observed) {
        return doubt;
    }
    let from = Timing::believed_from(since);
    if now >= from {
        return Step::Act(Action::List);
    }
    let message = format!("endpoint {id} was not found: lists again at {from} before it counts as deleted");
    Step::End(Outcome::reconciling(Reason::AwaitingList, message, Some(from)))
}

/// Why nothing that is missing counts as gone, if so.
pub(super) fn doubt(observed: &Observed) -> Option<Step> {
    (observed.identity() != Identity::Confirmed).then(|| Step::End(unconfirmed()))
}

/// Nobody knows yet what the network shows: the network's own condition says more.
pub(super) fn unconfirmed() -> Outcome {
    let message = "nothing shows yet that the network's credentials and apiUrl still lead to the network that is known, \
                   so nothing is taken for deleted: see the network's conditions";
    Outcome::reconciling(Reason::NetworkUnconfirmed, message.to_owned(), None)
}

/// The network's own condition names the two.
pub(super) fn changed() -> Outcome {
    let message = "the network's credentials or apiUrl lead to another network than before, so nothing is created, \
                   changed or deleted: see the network's conditions";
    Outcome::reconciling(Reason::NetworkChanged, message.to_owned(), None)
}
