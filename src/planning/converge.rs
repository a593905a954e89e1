//! Making the endpoint that is held equal to what is declared.

use jiff::Timestamp;

use super::absence::{Look, look};
use super::adopt;
use super::attempt::{Answer, Attempt, InHand, Purpose};
use super::create::{self, Making};
use super::habit;
use super::intent::{Desired, Drift, Overlap};
use super::observed::{Finalizer, FreshList, Observed, Presence, Record};
use super::outcome::{Outcome, Reason};
use super::replace::{self, Need};
use super::roles::{self, Roles};
use super::secret::{HeldSecret, SecretState};
use super::step::{Action, PatchCause, Step};
use super::stored;
use crate::provider::{Endpoint, EndpointId, EndpointPatch, EndpointStatus};

pub(super) fn plan(desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    if let Some(hand) = &observed.in_hand {
        // Whatever is stored under that id, it is another endpoint's.
        if hand.answer == Answer::Elsewhere {
            return create::undo(hand, observed, now);
        }
        let writable = matches!(observed.secret, SecretState::Absent | SecretState::Held(_));
        if hand.answer == Answer::WithSecret && writable {
            match guarded(observed, hand, now) {
                Look::Gone => return store(desired, observed, hand, now),
                Look::Step(step) => return *step,
                Look::Seen(_) => {}
            }
        }
        if let Some(step) = stored::claimed_in_hand(desired, observed, hand) {
            return step;
        }
        if !observed.is_stored(&hand.id) {
            return create::undo(hand, observed, now);
        }
    }
    match observed.fresh_list {
        FreshList::NotRequested => {}
        FreshList::Requested(due) if now < due => return Step::End(list_requested(due)),
        FreshList::Requested(_) => return Step::Act(Action::List),
    }
    let removed = observed.open_attempt().filter(|_| observed.record == Record::Removed);
    if removed.is_some()
        || (observed.finalizer == Finalizer::Absent && has_something_to_lose(desired, observed, now))
    {
        return Step::Act(Action::SetFinalizer(removed.cloned().map(Box::new)));
    }
    if let Some(step) = stored::owned(desired, observed) {
        return step;
    }
    if let Some(attempt) = observed.open_attempt()
        && let Some(step) = create::resolve(attempt, observed, now)
    {
        return step;
    }
    if let Some(step) = stored::claimed(desired, observed) {
        return step;
    }
    match (Roles::of(Some(desired), observed, now), &desired.adopt) {
        (Some(roles), _) => held(desired, observed, &roles, now),
        (None, Some(adoption)) => adopt::plan(adoption, desired, observed, now),
        (None, None) => create::begin(&Making::first(desired), desired, observed, now),
    }
}

/// The endpoint whose secret a Secret of this resource holds instead, where none was known when another one was made: a
/// Secret that came back from a backup, or that the cache showed late. The new one is not needed while that may be there.
fn guarded<'a>(observed: &'a Observed, hand: &InHand, now: Timestamp) -> Look<'a> {
    let replaces = |attempt: &Attempt| attempt.number == hand.attempt && attempt.purpose != Purpose::First;
    if observed.attempt.as_ref().is_some_and(replaces) {
        return Look::Gone;
    }
    let others = observed.stored().filter(|id| **id != hand.id);
    let looks = others.map(|id| look(observed, id, now));
    looks.fold(Look::Gone, |worst, look| if matches!(worst, Look::Gone) { look } else { worst })
}

/// Stores the secret in hand, beside those of the other endpoints that may be there.
fn store(desired: &Desired, observed: &Observed, hand: &InHand, now: Timestamp) -> Step {
    if let Some(step) = stored::make_way(observed, Some(&hand.id)) {
        return step;
    }
    let roles = Roles::of(Some(desired), observed, now);
    let is_needed = |id: &EndpointId| {
        let given_up =
            roles.as_ref().is_some_and(|roles| roles.next == Some(id) || roles.superseded == Some(id));
        *id != hand.id && !given_up && observed.presence(id) != Some(&Presence::Gone)
    };
    let mut keep = Vec::new();
    for id in observed.held_secrets().flat_map(HeldSecret::holds).filter(|id| is_needed(id)) {
        if !keep.contains(id) {
            keep.push(id.clone());
        }
    }
    let made = observed.present(&hand.id).map(|endpoint| &endpoint.url);
    Step::Act(Action::StoreSecret {
        hand: hand.clone(),
        url: made.unwrap_or(&desired.endpoint.url).clone(),
        shape: desired.secret.clone(),
        keep,
    })
}

/// Whether an endpoint would be left behind if the resource were deleted now. A resource that came back from
/// a backup may have lost the finalizer.
fn has_something_to_lose(desired: &Desired, observed: &Observed, now: Timestamp) -> bool {
    observed.open_attempt().is_some()
        || observed.held().next().is_some()
        || Roles::of(Some(desired), observed, now).is_some()
        || stored::claimable(desired, observed).is_some()
}

fn held(desired: &Desired, observed: &Observed, roles: &Roles<'_>, now: Timestamp) -> Step {
    if observed.is_contested(roles.current) {
        return Step::End(contested(roles.current));
    }
    let current = match look_once_settled(observed, roles.current, now) {
        Look::Seen(endpoint) => endpoint,
        Look::Step(step) => return *step,
        Look::Gone => return gone(desired, observed, roles.current, now),
    };
    if let Some((secret, at)) = roles::counting(observed)
        && let Some(step) = stored::as_declared(desired, observed, secret, at, now)
    {
        return step;
    }
    if let Some(step) = replace::tidy(desired, observed, roles, now) {
        return step;
    }
    let next = match roles.next.map(|id| look_once_settled(observed, id, now)) {
        Some(Look::Seen(next)) => Some(next),
        Some(Look::Step(step)) => return *step,
        Some(Look::Gone) | None => None,
    };
    let retires_at = replace::retires_at(desired, roles);
    let correct = || correct(desired, observed, current, now);
    let (step, rewritten) = match next {
        Some(next) => {
            let step = replace::go_on(desired, observed, roles, (current, next), correct, now);
            (step, replace::rewritten(observed, roles))
        }
        None => (alone(desired, observed, roles, current, now), None),
    };
    match (step, rewritten) {
        (Step::End(_), Some(rewritten)) => rewritten,
        (Step::End(outcome), None) => Step::End(outcome.by(retires_at)),
        (step, _) => step,
    }
}

/// Goes on with an endpoint that no other one is to take the place of yet.
fn alone(
    desired: &Desired,
    observed: &Observed,
    roles: &Roles<'_>,
    current: &Endpoint,
    now: Timestamp,
) -> Step {
    let need = replace::need(desired, observed, roles, current, now);
    if is_moved(observed, current) && !matches!(need, Need::Now(_)) {
        return Step::End(moved(current));
    }
    let step = correct(desired, observed, current, now);
    let Step::End(outcome) = step else { return step };
    if let Need::None | Need::Later(_) = need
        && let Some(step) = replace::rewritten(observed, roles)
    {
        return step;
    }
    match need {
        Need::Now(purpose) => match replace::begin(desired, observed, current, purpose, now) {
            Step::End(outcome) if outcome.reason == Reason::SecretNotOurs => {
                let message = format!("{}; endpoint {} is replaced then", outcome.message, current.id);
                Step::End(Outcome { message, ..outcome })
            }
            step => step,
        },
        Need::Later(at) if observed.has_secret_of(&current.id) => Step::End(outcome.by(Some(at))),
        Need::Later(at) => Step::End(stored::lost(desired, observed, &current.id, at)),
        Need::None => Step::End(outcome),
    }
}

/// Whether an endpoint delivers to another URL than the one it was created with.
fn is_moved(observed: &Observed, endpoint: &Endpoint) -> bool {
    let requested = habit::requested_url(observed, &endpoint.id);
    requested.is_some_and(|requested| {
        !endpoint.url.is_same_url(requested) && !habit::is_spelling_of(observed, endpoint, requested)
    })
}

/// Looks at an endpoint, and believes that it is gone only after the settling time of its create. An attempt that is
/// open, or made another one, did not create it.
fn look_once_settled<'a>(observed: &'a Observed, id: &EndpointId, now: Timestamp) -> Look<'a> {
    let look = look(observed, id, now);
    let made_it = |attempt: &&Attempt| observed.made_by(attempt).is_none_or(|made| made == id);
    let attempt = observed.attempt.as_ref().filter(|_| observed.open_attempt().is_none());
    let Some(attempt) = attempt.filter(made_it) else { return look };
    let settled = observed.timing.settled(attempt.started_at);
    if !matches!(look, Look::Gone) || observed.listed_at >= Some(settled) {
        return look;
    }
    if now >= settled {
        return Look::Step(Box::new(Step::Act(Action::List)));
    }
    Look::Step(Box::new(Step::End(Outcome::reconciling(
        Reason::AwaitingList,
        format!("endpoint {id} was created a moment ago and does not show yet: listing again at {settled}"),
        Some(settled),
    ))))
}

fn gone(desired: &Desired, observed: &Observed, id: &EndpointId, now: Timestamp) -> Step {
    // It was deleted for the one that is made now.
    let purpose = observed.open_attempt().map(|attempt| attempt.purpose);
    let purpose = purpose.filter(|_| desired.rotation.overlap == Overlap::None).unwrap_or_default();
    if desired.drift == Drift::Report && purpose == Purpose::First {
        return Step::End(deleted_remotely(id));
    }
    create::begin(&Making { purpose, ..Making::first(desired) }, desired, observed, now)
}

/// Corrects, or reports, what differs in the endpoint.
fn correct(desired: &Desired, observed: &Observed, endpoint: &Endpoint, now: Timestamp) -> Step {
    let wanted = &desired.endpoint;
    let subscribes = habit::subscribes_to(observed, endpoint, &wanted.enabled_events);
    let events = (!subscribes).then(|| wanted.enabled_events.clone());
    let status = (endpoint.status != wanted.status).then(|| wanted.status.clone());
    if events.is_none() && status.is_none() {
        return Step::End(available(endpoint));
    }
    let applied = observed.is_applied();
    if applied && desired.drift == Drift::Report {
        return Step::End(drifted(endpoint));
    }
    let reactivates = applied && status == Some(EndpointStatus::Active);
    let patient_until =
        if reactivates { observed.patience(&endpoint.id).filter(|until| now < *until) } else { None };
    let cause = if reactivates && patient_until.is_none() {
        PatchCause::Reactivation
    } else {
        PatchCause::Difference
    };
    let patch = EndpointPatch { enabled_events: events, status: status.filter(|_| patient_until.is_none()) };
    match patient_until {
        Some(until) if patch.enabled_events.is_none() => Step::End(deactivated(endpoint, until)),
        _ => Step::Act(Action::Patch { id: endpoint.id.clone(), patch, cause }),
    }
}

fn list_requested(due: Timestamp) -> Outcome {
    let message = "a fresh list was asked for, and is begun in a moment".to_owned();
    Outcome::reconciling(Reason::AwaitingList, message, Some(due))
}

fn available(endpoint: &Endpoint) -> Outcome {
    Outcome::ready(format!("endpoint {} is as declared and its secret is stored", endpoint.id))
}

fn drifted(endpoint: &Endpoint) -> Outcome {
    Outcome::drifted(
        Reason::Drifted,
        format!(
            "endpoint {} differs from what is declared, and driftPolicy is Report: set it to Correct to undo the \
             change",
            endpoint.id
        ),
        None,
    )
}

fn deactivated(endpoint: &Endpoint, until: Timestamp) -> Outcome {
    Outcome::drifted(
        Reason::Deactivated,
        format!(
            "endpoint {} was set inactive again by somebody else, or by the API for want of successful deliveries: \
             check the receiver; it is reactivated at {until}",
            endpoint.id
        ),
        Some(until),
    )
}

fn deleted_remotely(id: &EndpointId) -> Outcome {
    Outcome::drifted(
        Reason::DeletedRemotely,
        format!(
            "endpoint {id} was deleted remotely, and driftPolicy is Report: set it to Correct to create it again"
        ),
        None,
    )
}

fn contested(id: &EndpointId) -> Outcome {
    Outcome::stalled(
        Reason::EndpointContested,
        format!(
            "endpoint {id} is held by another WebhookEndpoint too: delete one of the two with deletionPolicy Retain"
        ),
    )
}

fn moved(endpoint: &Endpoint) -> Outcome {
    Outcome::stalled(
        Reason::Drifted,
        format!(
            "endpoint {} delivers to {:?}, which is not what it was created with, and the API can't change a URL: \
             annotate the resource with webhookoperator.dev/rotate to have it replaced",
            endpoint.id,
            endpoint.url.as_str()
        ),
    )
}
