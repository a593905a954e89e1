//! What is not done again: what showed no effect, and what was done again and again of late.

use std::time::Duration;

use jiff::Timestamp;

use super::outcome::{Outcome, Reason};
use super::step::{Action, Step, StepKind};
use super::timing::later;

/// What it does that is not planned again once it is done; `None` when it may be.
fn lasting(action: &Action) -> Option<String> {
    match action {
        Action::Patch { id, .. } => Some(format!("the change of endpoint {id}")),
        Action::SyncSecretMetadata { .. } => Some("giving the Secret its owner and marks".to_owned()),
        Action::AcceptSecretMetadata(_) => Some("marking the Secret".to_owned()),
        Action::VerifySecret { name, .. } => Some(format!("taking over Secret {name:?}")),
        Action::CopySecret { from, .. } => Some(format!("moving the secret from Secret {from:?}")),
        Action::RewriteSecret { .. } => Some("taking secrets out of the Secret".to_owned()),
        Action::AdoptSecret { source, .. } => Some(format!("copying the secret of Secret {:?}", source.name)),
        _ => None,
    }
}

/// Does nothing over again that showed no effect.
pub(super) fn unless_without_effect(step: Step, previous: Option<&Action>) -> Step {
    match &step {
        Step::Act(action) if Some(action) == previous => match lasting(action) {
            Some(what) => Step::End(Outcome::stalled_unseen(
                Reason::Refused,
                format!(
                    "{what} has no effect: the API, an admission policy or somebody else decides otherwise"
                ),
            )),
            None => step,
        },
        Step::Act(_) | Step::End(_) => step,
    }
}

/// Does nothing yet that was done again and again of late, whatever came of it.
pub(super) fn unless_resting(step: Step, resting: &[(StepKind, Duration)], now: Timestamp) -> Step {
    let Step::Act(action) = &step else { return step };
    let Some((kind, left)) = resting.iter().find(|(kind, _)| action.kind().as_ref() == Some(kind)) else {
        return step;
    };
    let (reason, what) = match kind {
        StepKind::Look(_) | StepKind::List => (Reason::AwaitingList, "looking at the network"),
        StepKind::Create => (Reason::BackOff, "creating an endpoint"),
        StepKind::Change(_) => (Reason::BackOff, "changing the endpoint"),
        StepKind::Delete(_) => (Reason::BackOff, "deleting an endpoint"),
        StepKind::Prove | StepKind::Secret => (Reason::BackOff, "changing the Secret"),
        StepKind::Finalizer => (Reason::BackOff, "setting the finalizer"),
    };
    let message = format!(
        "{what} was tried again and again of late, and did not last: the API or somebody else decides otherwise; it \
         is tried again after a pause"
    );
    Step::End(Outcome::reconciling(reason, message, Some(later(now, *left))))
}
