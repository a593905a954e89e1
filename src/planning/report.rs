//! What the status is to say of how an activation ended.

use jiff::Timestamp;

use super::habit;
use super::intent::{Desired, Intent};
use super::observed::Observed;
use super::outcome::{Again, Current, Glance, Outcome, Reason, State};
use super::roles::{Roles, handled_rotation};
use super::step::Action;
use super::timing::later;
use crate::provider::{Endpoint, EndpointId, EndpointUrl};

/// What the status is to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Report<'a> {
    /// Whether the endpoint was as declared when it was last seen, and usable.
    pub ready: Condition<'a>,
    /// Whether the latest reconciliation left nothing to do.
    pub synced: Condition<'a>,
    /// What is told only while it holds, for the same reason as `synced`.
    pub abnormal: Option<Abnormal>,
    /// The endpoint that counts, as last seen; the status keeps the one that it names when `None`.
    pub endpoint: Option<&'a Endpoint>,
    /// The URL that it was created with, if it delivers there as far as can be told.
    pub requested_url: Option<&'a EndpointUrl>,
    /// Where the secret is stored; the status keeps what it says when `None`.
    pub secret: Option<StoredNote<'a>>,
    /// The endpoint that is to take the place of that one.
    pub next: Option<NextNote<'a>>,
    /// Those whose place was taken.
    pub retiring: Vec<RetiringNote<'a>>,
    /// The request for another secret that was answered last.
    pub handled_rotation: Option<&'a str>,
    /// The number of the latest attempt whose outcome is on record; 0 when there was none.
    pub resolved_attempt: u64,
    /// The latest generation that was reached.
    pub applied_generation: Option<i64>,
}

/// A condition that always is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Condition<'a> {
    /// Whether it holds.
    pub holds: bool,
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people.
    pub message: &'a str,
}

/// A condition that is there only while it holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Abnormal {
    /// Work is under way.
    Reconciling,
    /// Only a change by a person helps.
    Stalled,
}

/// Where a secret is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoredNote<'a> {
    /// The Secret's name.
    pub name: &'a str,
    /// Whose secret it holds.
    pub endpoint: &'a EndpointId,
}

/// An endpoint that is to take the place of the current one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextNote<'a> {
    /// Its id.
    pub id: &'a EndpointId,
    /// It, as last seen.
    pub endpoint: Option<&'a Endpoint>,
    /// The URL that it was created with.
    pub requested_url: Option<&'a EndpointUrl>,
    /// Since when its secret is stored, by the API's clock.
    pub since: Timestamp,
    /// When it takes the place of the current one, as far as can be told.
    pub takes_over_at: Option<Timestamp>,
}

/// An endpoint whose place was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetiringNote<'a> {
    /// Its id.
    pub id: &'a EndpointId,
    /// Since when, by the API's clock.
    pub since: Timestamp,
    /// When it is deleted, as far as can be told.
    pub until: Option<Timestamp>,
}

/// What the status is to say of an outcome; `None` when there is nothing to tell that it does not say better.
#[must_use]
pub fn report<'a>(
    intent: &Intent,
    outcome: &'a Outcome,
    observed: &'a Observed,
    now: Timestamp,
) -> Option<Report<'a>> {
    // After a start, while a network's client is replaced, and while the budget is short: a fleet that is as declared
    // stays unwritten.
    let waits = matches!(outcome.reason, Reason::AwaitingList | Reason::BudgetSpent);
    if waits && observed.recorded.generation == observed.generation {
        return None;
    }
    // What the status says of why it is not ready tells more.
    let claims_ready = observed.recorded.ready_generation == observed.generation;
    if outcome.reason == Reason::BackOff
        && observed.recorded.generation == observed.generation
        && !claims_ready
    {
        return None;
    }
    let Outcome { state, reason, message, again } = outcome;
    let condition = |holds| Condition { holds, reason: *reason, message };
    let (ready, abnormal) = match state {
        State::Ready => (true, None),
        State::Paused(_) | State::Gone => (false, None),
        State::Reconciling | State::Replacing(_) => (false, Some(Abnormal::Reconciling)),
        State::Drifted if matches!(again, Again::At(_)) => (false, Some(Abnormal::Reconciling)),
        State::Drifted | State::Stalled => (false, Some(Abnormal::Stalled)),
    };
    let was_ready =
        observed.generation.is_some() && observed.recorded.ready_generation == observed.generation;
    // What is tried now was seen to be needed.
    let differs = observed.previous.as_ref().is_some_and(Action::shows_a_difference);
    let rotates = observed.previous.as_ref().is_some_and(Action::is_of_rotation);
    let keeps_ready = match state {
        State::Paused(Glance::AsDeclared) | State::Replacing(Current::AsDeclared) => true,
        State::Paused(Glance::Nothing) => was_ready,
        State::Reconciling => was_ready && !differs && (rotates || reason.leaves_what_was_seen()),
        // The current endpoint is as good as it was.
        State::Stalled => was_ready && rotates,
        _ => false,
    };
    // The network tells it: ten thousand resources need not, and one that was as declared is left so.
    if keeps_ready && *reason == Reason::NetworkNotReady {
        return None;
    }
    let reached = matches!(
        state,
        State::Ready
            | State::Drifted
            | State::Paused(Glance::AsDeclared)
            | State::Replacing(Current::AsDeclared)
    );
    let desired = match intent {
        Intent::Converge(desired) | Intent::Pause(desired) => Some(desired),
        Intent::Finalize(_) | Intent::PauseDeletion | Intent::Unreadable(_) => None,
    };
    let roles = Roles::of(desired, observed, now);
    let endpoint = roles.as_ref().and_then(|roles| observed.present(roles.current));
    let requested_url = endpoint.and_then(|endpoint| {
        let requested = habit::requested_url(observed, &endpoint.id);
        requested.filter(|url| habit::is_spelling_of(observed, endpoint, url))
    });
    Some(Report {
        ready: if keeps_ready { last_seen_ready() } else { condition(ready) },
        synced: condition(ready),
        abnormal: abnormal.filter(|_| !keeps_ready || matches!(state, State::Replacing(_) | State::Stalled)),
        endpoint,
        requested_url,
        secret: observed
            .held_secret()
            .and_then(|secret| secret.endpoint.as_ref())
            .map(|endpoint| StoredNote { name: &observed.secret_name, endpoint }),
        next: roles.as_ref().and_then(|roles| next_note(desired, observed, roles, now)),
        retiring: roles.iter().flat_map(|roles| retiring_notes(desired, roles)).collect(),
        handled_rotation: match &roles {
            Some(roles) => handled_rotation(observed, roles.current),
            None => observed.recorded.handled_rotation.as_ref(),
        }
        .map(String::as_str),
        resolved_attempt: observed.resolved(),
        applied_generation: if reached { observed.generation } else { observed.recorded.applied_generation },
    })
}

fn last_seen_ready() -> Condition<'static> {
    Condition {
        holds: true,
        reason: Reason::Available,
        message: "the endpoint was as declared when it was last seen, and its secret is stored",
    }
}

fn next_note<'a>(
    desired: Option<&Desired>,
    observed: &'a Observed,
    roles: &Roles<'a>,
    now: Timestamp,
) -> Option<NextNote<'a>> {
    let id = roles.next.or(roles.superseded)?;
    Some(NextNote {
        id,
        endpoint: observed.present(id),
        requested_url: habit::requested_url(observed, id),
        since: roles.next_since(observed, now),
        takes_over_at: desired.map(|desired| roles.takes_over_at(desired, observed, now)),
    })
}

fn retiring_notes<'a>(
    desired: Option<&Desired>,
    roles: &Roles<'a>,
) -> impl Iterator<Item = RetiringNote<'a>> {
    let after = desired.map(|desired| desired.rotation.retire_after);
    roles.retiring.iter().map(move |(id, since)| {
        let until = after.map(|after| later(*since, after));
        RetiringNote { id, since: *since, until }
    })
}
