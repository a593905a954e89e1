//! Replacing an endpoint by another one, for whatever reason.
//!
//! The API can't change a secret or a URL. So another endpoint is made, inactive, and its secret stored beside that of
//! the current one; once consumers have had time to load it, the new one is activated and then the old one set
//! inactive, in this order: the reverse would lose what happens between. The old one is kept for a while, so that
//! what it could not deliver yet is tried again, and then deleted.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::absence::{Look, look};
use super::attempt::Purpose;
use super::create::{self, Making};
use super::habit;
use super::intent::{Desired, Drift, Overlap};
use super::observed::{Observed, Presence, Repetition};
use super::outcome::{Outcome, Reason};
use super::roles::{self, At, Roles};
use super::step::{Action, DeleteCause, PatchCause, Step};
use super::timing::{floor, later};
use crate::provider::{Endpoint, EndpointId, EndpointPatch, EndpointStatus, NewEndpoint};

/// How far an endpoint's `createdAt` may be from the time of its create, as we know it.
const PLAUSIBLE: SignedDuration = SignedDuration::from_hours(1);

const SECOND: Duration = Duration::from_secs(1);

/// Whether the current endpoint is to be replaced.
pub(super) enum Need {
    /// Now, for this reason.
    Now(Purpose),
    /// Not before this time.
    Later(Timestamp),
    /// Not, as far as can be told.
    None,
}

/// Whether the current endpoint is to be replaced.
pub(super) fn need(
    desired: &Desired,
    observed: &Observed,
    roles: &Roles<'_>,
    current: &Endpoint,
    now: Timestamp,
) -> Need {
    if delivers_elsewhere(desired, observed, current) {
        return Need::Now(Purpose::Url);
    }
    if roles::is_requested(desired, observed, &current.id) {
        return Need::Now(Purpose::Requested);
    }
    if !observed.has_secret_of(&current.id) {
        let patient = observed.recoveries.and_then(Repetition::patient_until);
        // In whole seconds, so that it is the same whenever it is told.
        let grace = observed.grace;
        let end = if grace.is_zero() { now } else { later(floor(later(now, grace)), SECOND) };
        let from = end.max(patient.unwrap_or(now));
        return if from <= now { Need::Now(Purpose::SecretLost) } else { Need::Later(from) };
    }
    match desired.rotation.interval.map(|interval| interval_ends(observed, current, interval, now)) {
        // Secrets would pile up, and endpoints with them.
        Some(_) if !roles.retiring.is_empty() => Need::None,
        Some(end) if end <= now => Need::Now(Purpose::Interval),
        Some(end) => Need::Later(end),
        None => Need::None,
    }
}

/// Whether an endpoint was made to deliver to another URL than is declared by now.
pub(super) fn delivers_elsewhere(desired: &Desired, observed: &Observed, endpoint: &Endpoint) -> bool {
    let declared = &desired.endpoint.url;
    !endpoint.url.is_same_url(declared)
        && habit::requested_url(observed, &endpoint.id)
            .map_or(endpoint.url != *declared, |requested| !requested.is_same_url(declared))
}

/// When the secret of an endpoint has been used for as long as it is to be, or up to a tenth earlier: a fleet that was
/// made at once is not replaced at once.
fn interval_ends(observed: &Observed, endpoint: &Endpoint, interval: Duration, now: Timestamp) -> Timestamp {
    let mut hasher = DefaultHasher::new();
    (&observed.uid, &endpoint.id).hash(&mut hasher);
    let early = interval / 10 * u32::try_from(hasher.finish() % 1000).unwrap_or(0) / 1000;
    later(created_at(observed, endpoint).min(now), interval.saturating_sub(early))
}

/// When an endpoint was created, as far as what the API says of that can be believed.
fn created_at(observed: &Observed, endpoint: &Endpoint) -> Timestamp {
    let seen =
        observed.recorded.seen.as_deref().filter(|_| observed.recorded.current() == Some(&endpoint.id));
    let told = endpoint.created_at.or(seen.and_then(|seen| seen.created_at));
    let attempt = observed.attempt.as_ref();
    let attempt = attempt.filter(|attempt| observed.made_by(attempt) == Some(&endpoint.id));
    let known = attempt.map(|attempt| attempt.started_at);
    match (told, known) {
        (Some(told), Some(known)) if told.duration_since(known).abs() <= PLAUSIBLE => told,
        (_, Some(known)) => known,
        (Some(told), None) => told,
        (None, None) => Timestamp::MAX,
    }
}

/// Begins a replacement.
pub(super) fn begin(
    desired: &Desired,
    observed: &Observed,
    current: &Endpoint,
    purpose: Purpose,
    now: Timestamp,
) -> Step {
    // What is made from now on is told from this one by the status.
    if observed.recorded.current() != Some(&current.id) {
        let usable = observed.has_secret_of(&current.id) && purpose != Purpose::Url;
        let message = format!("endpoint {} is put on record before it is replaced", current.id);
        return Step::End(Outcome::replacing(Reason::Replacing, usable, message, now));
    }
    let making = |status: EndpointStatus| Making {
        endpoint: NewEndpoint { status, ..desired.endpoint.clone() },
        purpose,
    };
    if desired.rotation.overlap == Overlap::Full {
        return create::begin(&making(EndpointStatus::Inactive), desired, observed, now);
    }
    let step = create::begin(&making(desired.endpoint.status.clone()), desired, observed, now);
    match step {
        Step::Act(Action::Create { .. }) => {
            Step::Act(Action::Delete { id: current.id.clone(), cause: DeleteCause::Replaced })
        }
        step => step,
    }
}

/// What is left to do about endpoints whose place was taken, and about what the Secret holds of those that are gone.
pub(super) fn tidy(
    desired: &Desired,
    observed: &Observed,
    roles: &Roles<'_>,
    now: Timestamp,
) -> Option<Step> {
    if let Some(id) = roles.superseded {
        return Some(superseded(observed, id, now));
    }
    for (id, since) in &roles.retiring {
        if observed.is_contested(id) {
            continue;
        }
        let due = later(*since, desired.rotation.retire_after) <= now;
        match observed.presence(id)? {
            Presence::Present(endpoint) if due => {
                return Some(Step::Act(Action::Delete {
                    id: endpoint.id.clone(),
                    cause: DeleteCause::Retired,
                }));
            }
            Presence::Present(endpoint)
                if endpoint.status == EndpointStatus::Active && desired.drift == Drift::Correct =>
            {
                return Some(retirement(&endpoint.id));
            }
            Presence::Unlisted | Presence::Missing { .. } => match look(observed, id, now) {
                Look::Step(step) => return Some(*step),
                Look::Seen(_) | Look::Gone => {}
            },
            Presence::Present(_) | Presence::Gone => {}
        }
    }
    None
}

fn retirement(id: &EndpointId) -> Step {
    let patch = EndpointPatch { enabled_events: None, status: Some(EndpointStatus::Inactive) };
    Step::Act(Action::Patch { id: id.clone(), patch, cause: PatchCause::Retirement })
}

/// When an endpoint whose place was taken is deleted next.
pub(super) fn retires_at(desired: &Desired, roles: &Roles<'_>) -> Option<Timestamp> {
    roles.retiring.iter().map(|(_, since)| later(*since, desired.rotation.retire_after)).min()
}

/// Has the Secret hold what is still needed, and no more; the secret of the current endpoint first.
pub(super) fn rewritten(observed: &Observed, roles: &Roles<'_>) -> Option<Step> {
    let (secret, at) = roles::counting(observed)?;
    let of_next = roles.next.filter(|_| secret.endpoint.as_ref() == roles.next);
    let first = of_next.unwrap_or(roles.current);
    if !secret.holds().any(|id| id == first) {
        return None;
    }
    let needed = |id: &&EndpointId| {
        *id != first && (*id == roles.current || roles.retiring.iter().any(|(retiring, _)| retiring == id))
    };
    let keep = secret.holds().filter(needed).cloned().collect::<Vec<_>>();
    let same = secret.endpoint.as_ref() == Some(first);
    if same && keep == secret.previous {
        return None;
    }
    // The Secret shows that the attempt was answered, and would not do so any more.
    if !same && secret.attempt > observed.recorded.resolved_attempt {
        return Some(Step::Act(Action::RecordAnswered(secret.attempt)));
    }
    Some(Step::Act(Action::RewriteSecret {
        name: match at {
            At::Declared => observed.secret_name.clone(),
            At::Former(name) => name.to_owned(),
        },
        first: first.clone(),
        url: observed.present(first).map(|endpoint| endpoint.url.clone()),
        attempt: if same { secret.attempt } else { 0 },
        keep,
    }))
}

/// Deletes an endpoint that was to be the next one.
pub(super) fn superseded(observed: &Observed, id: &EndpointId, now: Timestamp) -> Step {
    match look(observed, id, now) {
        Look::Step(step) => *step,
        Look::Seen(_) | Look::Gone => {
            Step::Act(Action::Delete { id: id.clone(), cause: DeleteCause::Superseded })
        }
    }
}

/// Has the next endpoint take the place of the current one, step by step. `correct` is what is to be done for the current one
/// as long as it has its place.
pub(super) fn go_on(
    desired: &Desired,
    observed: &Observed,
    roles: &Roles<'_>,
    (current, next): (&Endpoint, &Endpoint),
    correct: impl FnOnce() -> Step,
    now: Timestamp,
) -> Step {
    if !roles::fits(desired, observed, &next.id) {
        return superseded(observed, &next.id, now);
    }
    let due_at = roles.takes_over_at(desired, observed, now);
    let is_due = due_at <= now;
    let is_moved = delivers_elsewhere(desired, observed, current);
    let wanted = desired.endpoint.status == EndpointStatus::Active && (is_due || is_moved);
    let is_active = next.status == EndpointStatus::Active;
    let takes_over = is_due && is_active == wanted;
    let corrected = if takes_over { None } else { Some(correct()) };
    if let Some(step @ Step::Act(_)) = corrected {
        return step;
    }
    let subscribes = habit::subscribes_to(observed, next, &desired.endpoint.enabled_events);
    let events = (!subscribes).then(|| desired.endpoint.enabled_events.clone());
    let status = match (wanted, is_active) {
        (true, false) => Some(EndpointStatus::Active),
        // Where it is the only one whose deliveries can be verified, it goes on.
        (false, true) if desired.drift == Drift::Correct && observed.has_secret_of(&current.id) => {
            Some(EndpointStatus::Inactive)
        }
        _ => None,
    };
    let usable = observed.has_secret_of(&current.id) && !is_moved;
    let patient_until = observed.patience(&next.id).filter(|until| now < *until);
    if let Some(until) = patient_until.filter(|_| status == Some(EndpointStatus::Active)) {
        return Step::End(disabled(&next.id, usable, until));
    }
    if events.is_some() || status.is_some() {
        let cause = if status.is_some() && wanted { PatchCause::Activation } else { PatchCause::Difference };
        let patch = EndpointPatch { enabled_events: events, status };
        return Step::Act(Action::Patch { id: next.id.clone(), patch, cause });
    }
    if takes_over && current.status == EndpointStatus::Active {
        return retirement(&current.id);
    }
    let message = format!(
        "endpoint {} takes the place of {} at {due_at}: until then whoever uses the Secret is to load its secret",
        next.id, current.id
    );
    Step::End(Outcome::replacing(Reason::Replacing, usable, message, due_at))
}

fn disabled(id: &EndpointId, usable: bool, until: Timestamp) -> Outcome {
    let message = format!(
        "endpoint {id}, which is to take the place of the current one, was set inactive again by somebody else, or by \
         the API: check the receiver; it is activated at {until}"
    );
    Outcome::replacing(Reason::Deactivated, usable, message, until)
}
