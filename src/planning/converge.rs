//! Making the endpoint that is held equal to what is declared.

use std::time::Duration;

use jiff::Timestamp;

use super::absence::{Look, look};
use super::attempt::Answer;
use super::create;
use super::habit;
use super::intent::{Desired, Drift};
use super::observed::{Finalizer, FreshList, Observed, Presence, Record};
use super::outcome::{Outcome, Reason};
use super::secret::{HeldSecret, SecretState};
use super::step::{Action, PatchCause, Step};
use super::stored::{self, At};
use super::timing::later;
use crate::provider::{Endpoint, EndpointId, EndpointPatch, EndpointStatus};

pub(super) fn plan(desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    if let Some(hand) = &observed.in_hand {
        // Whatever is stored under that id, it is another endpoint's.
        if hand.answer == Answer::Elsewhere {
            return create::undo(hand, observed, now);
        }
        let writable = matches!(observed.secret, SecretState::Absent | SecretState::Held(_));
        if hand.answer == Answer::WithSecret && writable {
            match guarded(observed, &hand.id, now) {
                Look::Gone => {
                    if let Some(step) = stored::make_way(observed, Some(&hand.id)) {
                        return step;
                    }
                    let made = observed.present(&hand.id).map(|endpoint| &endpoint.url);
                    return Step::Act(Action::StoreSecret {
                        hand: hand.clone(),
                        url: made.unwrap_or(&desired.endpoint.url).clone(),
                        shape: desired.secret.clone(),
                    });
                }
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
        || (observed.finalizer == Finalizer::Absent && has_something_to_lose(desired, observed))
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
    if let Some(id) = &desired.adopt {
        return Step::End(adoption_not_supported(id));
    }
    match holding(observed) {
        Holding::Nothing => create::begin(desired, observed, now),
        Holding::Endpoint { id, secret, at } => held(desired, observed, id, secret, at, now),
        Holding::WithoutSecret(id) => without_secret(desired, observed, id, now),
    }
}

/// Whether an endpoint would be left behind if the resource were deleted now. A resource that came back from
/// a backup may have lost the finalizer.
fn has_something_to_lose(desired: &Desired, observed: &Observed) -> bool {
    observed.open_attempt().is_some()
        || observed.held().next().is_some()
        || stored::claimable(desired, observed).is_some()
}

/// The endpoint whose secret a Secret of this resource holds instead: a Secret that came back from a backup, or that
/// the cache showed late. It must not be overwritten while that endpoint may be there.
fn guarded<'a>(observed: &'a Observed, in_hand: &EndpointId, now: Timestamp) -> Look<'a> {
    let others = observed.stored().filter(|id| *id != in_hand);
    let looks = others.map(|id| look(observed, id, now));
    looks.fold(Look::Gone, |worst, look| if matches!(worst, Look::Gone) { look } else { worst })
}

enum Holding<'a> {
    Nothing,
    Endpoint { id: &'a EndpointId, secret: &'a HeldSecret, at: At<'a> },
    WithoutSecret(&'a EndpointId),
}

/// The Secret counts: it was written before the status. The status alone names an endpoint whose
/// secret is gone. Of several, one whose endpoint is not gone: its secret is the only copy.
fn holding(observed: &Observed) -> Holding<'_> {
    let declared = observed.held_secret().map(|secret| (secret, At::Declared));
    let former = observed.former_secrets.iter().map(|(name, secret)| (secret, At::Former(name)));
    let is_live = |secret: &HeldSecret| {
        secret.endpoint.as_ref().is_some_and(|id| observed.presence(id) != Some(&Presence::Gone))
    };
    let latest = declared.into_iter().chain(former).max_by_key(|(secret, at)| {
        (is_live(secret), secret.endpoint.is_some(), secret.attempt, matches!(at, At::Declared))
    });
    match (latest, observed.recorded.current()) {
        (Some((secret, at)), _) if let Some(id) = &secret.endpoint => Holding::Endpoint { id, secret, at },
        (_, Some(id)) => Holding::WithoutSecret(id),
        _ => Holding::Nothing,
    }
}

fn held(
    desired: &Desired,
    observed: &Observed,
    id: &EndpointId,
    secret: &HeldSecret,
    at: At<'_>,
    now: Timestamp,
) -> Step {
    if observed.is_contested(id) {
        return Step::End(contested(id));
    }
    // The status names another endpoint: the Secret was written and the status was not, or one of the
    // two comes from a backup.
    if let Some(recorded) = observed.recorded.current().filter(|recorded| *recorded != id) {
        match look(observed, recorded, now) {
            Look::Step(step) => return *step,
            Look::Seen(_) => return Step::End(stored::outdated(desired, id, recorded)),
            Look::Gone => {}
        }
    }
    let endpoint = match look_once_settled(observed, id, now) {
        Look::Seen(endpoint) => endpoint,
        Look::Step(step) => return *step,
        Look::Gone => return gone(desired, observed, id, now),
    };
    if let Some(step) = stored::as_declared(desired, observed, secret, at, now) {
        return step;
    }
    if let Some(outcome) = delivers_elsewhere(desired, observed, endpoint) {
        return Step::End(outcome);
    }
    correct(desired, observed, endpoint, now)
}

/// How a resource stands whose endpoint does not deliver to where it is declared to.
fn delivers_elsewhere(desired: &Desired, observed: &Observed, endpoint: &Endpoint) -> Option<Outcome> {
    let declared = &desired.endpoint.url;
    if endpoint.url.is_same_url(declared) {
        return None;
    }
    match habit::requested_url(observed, &endpoint.id) {
        Some(requested) if !requested.is_same_url(declared) => Some(replacement_not_supported(endpoint)),
        Some(requested) => (!habit::is_spelling_of(observed, endpoint, requested)).then(|| moved(endpoint)),
        None => (endpoint.url != *declared).then(|| replacement_not_supported(endpoint)),
    }
}

/// Looks at an endpoint, and believes that it is gone only after the settling time of its create. An
/// attempt that is open did not create it: it was begun because the endpoint is gone.
fn look_once_settled<'a>(observed: &'a Observed, id: &EndpointId, now: Timestamp) -> Look<'a> {
    let look = look(observed, id, now);
    let Some(attempt) = observed.attempt.as_ref().filter(|_| observed.open_attempt().is_none()) else {
        return look;
    };
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
    match desired.drift {
        Drift::Correct => create::begin(desired, observed, now),
        Drift::Report => Step::End(deleted_remotely(id)),
    }
}

fn without_secret(desired: &Desired, observed: &Observed, id: &EndpointId, now: Timestamp) -> Step {
    match look_once_settled(observed, id, now) {
        Look::Seen(_) => Step::End(stored::lost(desired, observed, id)),
        Look::Step(step) => *step,
        Look::Gone => gone(desired, observed, id, now),
    }
}

/// Corrects, or reports, what differs in the endpoint.
fn correct(desired: &Desired, observed: &Observed, endpoint: &Endpoint, now: Timestamp) -> Step {
    let wanted = &desired.endpoint;
    let subscribes = habit::subscribes_to(observed, endpoint, &wanted.enabled_events);
    let events = (!subscribes).then(|| wanted.enabled_events.clone());
    let status = (endpoint.status != wanted.status).then(|| wanted.status.clone());
    if events.is_none() && status.is_none() {
        return Step::End(available(desired, endpoint));
    }
    let applied = observed.is_applied();
    if applied && desired.drift == Drift::Report {
        return Step::End(drifted(endpoint));
    }
    let reactivates = applied && status == Some(EndpointStatus::Active);
    let patient_until = if reactivates { patience(observed).filter(|until| now < *until) } else { None };
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

/// How long to leave an endpoint inactive that was reactivated before: somebody, perhaps the API
/// itself, keeps setting it inactive.
const PATIENCE: [Duration; 6] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
    Duration::from_hours(24),
];

fn patience(observed: &Observed) -> Option<Timestamp> {
    let earlier = observed.reactivation?;
    let step = (earlier.count as usize).checked_sub(1)?.min(PATIENCE.len() - 1);
    Some(later(earlier.at, PATIENCE[step]))
}

fn list_requested(due: Timestamp) -> Outcome {
    let message = "a fresh list was asked for, and is begun in a moment".to_owned();
    Outcome::reconciling(Reason::AwaitingList, message, Some(due))
}

fn available(desired: &Desired, endpoint: &Endpoint) -> Outcome {
    let message = format!("endpoint {} is as declared and its secret is stored", endpoint.id);
    Outcome::ready(match desired.ignored.as_slice() {
        [] => message,
        ignored => {
            format!("{message}; rotation is not supported yet, so {} has no effect", ignored.join(" and "))
        }
    })
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

fn replacement_not_supported(endpoint: &Endpoint) -> Outcome {
    Outcome::stalled(
        Reason::ReplacementNotSupported,
        format!(
            "endpoint {} delivers to {:?}, the API can't change a URL, and replacing an endpoint is not supported \
             yet: set spec.url back, or create a second WebhookEndpoint with the new URL and delete this one",
            endpoint.id,
            endpoint.url.as_str()
        ),
    )
}

fn moved(endpoint: &Endpoint) -> Outcome {
    Outcome::stalled(
        Reason::Drifted,
        format!(
            "endpoint {} delivers to {:?}, which is not what it was created with, and the API can't change a URL: \
             delete it from the network to have a new one created",
            endpoint.id,
            endpoint.url.as_str()
        ),
    )
}

fn adoption_not_supported(id: &EndpointId) -> Outcome {
    Outcome::stalled(
        Reason::AdoptionNotSupported,
        format!(
            "adopting endpoint {id} is not supported yet: remove spec.endpointId to have an endpoint created"
        ),
    )
}
