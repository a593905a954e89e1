//! The way out: what must be gone before the finalizer is.

use jiff::Timestamp;

use super::create;
use super::intent::Removal;
use super::observed::{Observed, Presence, SecretState};
use super::rest::Rest;
use super::step::{Action, DeleteCause, Step, Timing};

pub(super) fn plan(removal: Removal, observed: &Observed, now: Timestamp, timing: &Timing) -> Step {
    if !observed.finalizer {
        return Step::Rest(Rest::gone());
    }
    // Its secret is stored nowhere, so nobody can verify what it signs: it goes, whatever the policy.
    if let Some(hand) = &observed.in_hand {
        return Step::Act(Action::Delete { id: hand.id.clone(), cause: DeleteCause::InHand });
    }
    match removal {
        Removal::Retain => release(observed),
        Removal::Delete => delete(observed, now, timing),
    }
}

fn release(observed: &Observed) -> Step {
    if let SecretState::Held(_) = observed.secret {
        return Step::Act(Action::ReleaseSecret { name: None });
    }
    if let Some(name) = observed.former_secrets.keys().next() {
        return Step::Act(Action::ReleaseSecret { name: Some(name.clone()) });
    }
    Step::Act(Action::RemoveFinalizer)
}

fn delete(observed: &Observed, now: Timestamp, timing: &Timing) -> Step {
    if let Some(attempt) = observed.open_attempt()
        && let Some(step) = create::resolve(attempt, observed, now, timing)
    {
        return step;
    }
    let stored = observed.held_secrets().filter_map(|secret| secret.endpoint.as_ref());
    let mut held = observed.recorded.iter().chain(stored);
    let left = held.find(|id| {
        !observed.contested.contains(*id) && !matches!(observed.remote.get(*id), Some(Presence::Gone))
    });
    match left {
        Some(id) => Step::Act(Action::Delete { id: id.clone(), cause: DeleteCause::Removed }),
        None => Step::Act(Action::RemoveFinalizer),
    }
}
