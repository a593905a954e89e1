//! The way out: what must be gone before the finalizer is.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::absence::{doubt, missing};
use super::attempt::{Answer, InHand};
use super::create;
use super::deadline::Reach;
use super::intent::Removal;
use super::observed::{Finalizer, Observed, Presence};
use super::outcome::{Outcome, Reason};
use super::replace;
use super::roles::Roles;
use super::secret::{HeldSecret, Ownership, SecretState};
use super::step::{Action, DeleteCause, Leftover, Step};
use crate::provider::EndpointId;

pub(super) fn plan(removal: Removal, observed: &Observed, now: Timestamp) -> Step {
    if observed.finalizer == Finalizer::Absent {
        return Step::End(Outcome::gone());
    }
    // Its secret is stored nowhere, so nobody can verify what it signs: it goes, whatever the policy.
    if let Some(hand) = unstored(observed)
        && !gives_up(removal, observed)
    {
        return create::undo(hand, observed, now);
    }
    match removal {
        Removal::Retain => retain(observed, now),
        Removal::Delete => delete(observed, now),
    }
}

/// The endpoint in hand, unless its secret is stored after all: the answer to that write may have been lost.
fn unstored(observed: &Observed) -> Option<&InHand> {
    let hand = observed.in_hand.as_ref().filter(|hand| hand.attempt > observed.recorded.resolved_attempt)?;
    (hand.answer == Answer::Elsewhere || !observed.is_stored(&hand.id)).then_some(hand)
}

/// Whether what the network can't be asked is left open: a resource that is to be retained is let go in the end.
fn gives_up(removal: Removal, observed: &Observed) -> bool {
    removal == Removal::Retain && observed.reach == Reach::Shut
}

/// Lets go of the endpoint and its Secret. What a lost answer may have left is found first, as if it were to
/// be deleted; where that can't be told, it is named instead.
fn retain(observed: &Observed, now: Timestamp) -> Step {
    let Some(attempt) = observed.open_attempt() else {
        let unready = without_next(observed, now).filter(|_| !gives_up(Removal::Retain, observed));
        return unready.unwrap_or_else(|| release(observed, Leftover::Nothing));
    };
    if unstored(observed).is_none() {
        match create::resolve(attempt, observed, now) {
            None => return release(observed, Leftover::Nothing),
            Some(step) if !gives_up(Removal::Retain, observed) && !is_uncertain(&step) => return step,
            Some(_) => {}
        }
    }
    release(observed, Leftover::OfAttempt(Box::new(attempt.clone())))
}

/// Gives up an endpoint that was to take the place of the one that is kept, and has the Secret say so.
fn without_next(observed: &Observed, now: Timestamp) -> Option<Step> {
    let roles = Roles::of(None, observed, now)?;
    match roles.next.or(roles.superseded) {
        Some(id) => take_along(observed, id, now),
        None if roles.retiring.is_empty() => replace::rewritten(observed, &roles),
        None => None,
    }
}

fn is_uncertain(step: &Step) -> bool {
    matches!(step, Step::End(outcome) if outcome.reason == Reason::CreateUncertain)
}

fn release(observed: &Observed, leftover: Leftover) -> Step {
    // Without the Secret that shows its answer, the attempt would look unanswered, and its endpoint like the
    // trace of a lost create.
    if let Some(number) = answered(observed) {
        return Step::Act(Action::RecordAnswered(number));
    }
    if let SecretState::Held(_) = observed.secret {
        return Step::Act(Action::ReleaseSecret { name: observed.secret_name.clone() });
    }
    if let Some(name) = observed.former_secrets.keys().next() {
        return Step::Act(Action::ReleaseSecret { name: name.clone() });
    }
    let leftover = match (leftover, without_secret(observed)) {
        (Leftover::Nothing, Some(id)) => Leftover::WithoutSecret(id.clone()),
        (Leftover::Nothing, None) => beside(observed),
        (leftover, _) => leftover,
    };
    Step::Act(Action::RemoveFinalizer(leftover))
}

/// The endpoint that is kept, if the secret of it is in no Secret any more.
fn without_secret(observed: &Observed) -> Option<&EndpointId> {
    let id = observed.recorded.current()?;
    let unowned = observed.unowned_secret().and_then(|found| found.endpoint.as_ref());
    let kept = observed.released.contains(id) || unowned == Some(id);
    (!kept && observed.presence(id) != Some(&Presence::Gone)).then_some(id)
}

/// The endpoints that are left beside the one that is kept.
fn beside(observed: &Observed) -> Leftover {
    let recorded = observed.recorded.endpoints.keys();
    let stored = observed.unowned_secret().into_iter().flat_map(HeldSecret::holds);
    let kept = observed.recorded.current();
    let others = recorded
        .chain(stored)
        .filter(|id| kept.is_some_and(|kept| kept != *id) && observed.presence(id) != Some(&Presence::Gone));
    let others = others.cloned().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    if others.is_empty() { Leftover::Nothing } else { Leftover::Beside(others) }
}

/// The number of the recorded attempt, while nothing but a Secret shows that it was answered.
fn answered(observed: &Observed) -> Option<u64> {
    let number = observed.attempt.as_ref()?.number;
    let shown = observed.held_secrets().any(|secret| secret.attempt >= number);
    (shown && number > observed.recorded.resolved_attempt).then_some(number)
}

fn delete(observed: &Observed, now: Timestamp) -> Step {
    if let Some(attempt) = observed.open_attempt()
        && let Some(step) = create::resolve(attempt, observed, now)
    {
        return step;
    }
    let mut held = observed.held().filter(|id| !observed.is_contested(id));
    if let Some(step) = held.find_map(|id| take_along(observed, id, now)) {
        return step;
    }
    match uncollected(observed) {
        Some(name) => Step::Act(Action::DeleteSecret { name: name.to_owned() }),
        None => Step::Act(Action::RemoveFinalizer(Leftover::Nothing)),
    }
}

/// What is left to do about an endpoint that goes with its resource.
fn take_along(observed: &Observed, id: &EndpointId, now: Timestamp) -> Option<Step> {
    Some(match observed.presence(id) {
        Some(Presence::Gone) => return None,
        Some(Presence::Missing { since }) => missing(observed, id, *since, now),
        // In another network, this id may be somebody else's.
        _ if let Some(doubt) = doubt(observed) => doubt,
        None | Some(Presence::Unlisted | Presence::Present(_)) => {
            Step::Act(Action::Delete { id: id.clone(), cause: DeleteCause::Removed })
        }
    })
}

/// A Secret of this resource that would outlive it.
fn uncollected(observed: &Observed) -> Option<&str> {
    let is_noted = |secret: &&HeldSecret| secret.ownership == Ownership::Note;
    let is_recorded = |found: &&HeldSecret| {
        found.endpoint.is_some() && found.endpoint.as_ref() == observed.recorded.current()
    };
    let held = observed.held_secret().filter(is_noted);
    let stripped = observed.unowned_secret().filter(is_recorded);
    let former = observed.former_secrets.iter().find(|(_, secret)| is_noted(secret));
    let declared = held.or(stripped).map(|_| observed.secret_name.as_str());
    declared.or(former.map(|(name, _)| name.as_str()))
}
