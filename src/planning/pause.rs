//! A pause: the endpoint is looked at, and nothing is changed. A secret in hand is stored nevertheless: it is in memory
//! and nowhere else, and its endpoint may sign with it.

use super::outcome::{Current, Glance, Outcome, Reason, State};
use super::step::{Action, Step};

/// What is left of the step that would come next without the pause.
pub(super) fn hold(step: Step) -> Step {
    let outcome = match step {
        Step::Act(action) => match action {
            Action::List | Action::Confirm { .. } | Action::StoreSecret { .. } => return Step::Act(action),
            _ => return Step::End(Outcome::paused(Glance::Different)),
        },
        Step::End(outcome) => outcome,
    };
    Step::End(match outcome {
        Outcome { state: State::Ready | State::Replacing(Current::AsDeclared), .. } => {
            Outcome::paused(Glance::AsDeclared)
        }
        // What the list shows is what there is to tell.
        Outcome { reason: Reason::AwaitingList, .. } => outcome,
        Outcome { reason, .. } if reason.leaves_what_was_seen() => Outcome::paused(Glance::Nothing),
        _ => Outcome::paused(Glance::Different),
    })
}
