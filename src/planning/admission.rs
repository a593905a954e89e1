//! What a resource may ask of its network.

use super::absence;
use super::attempt::Answer;
use super::intent::{Intent, Removal};
use super::network::{Admission, Identity, NetworkState, Openness, Refusal, Unavailable};
use super::observed::Observed;
use super::outcome::{Outcome, Reason, State};
use super::step::{Action, DeleteCause, Step};

/// What comes of a step, given what the network allows.
pub(super) fn admit(intent: &Intent, observed: &Observed, step: Step) -> Step {
    let refused = match &step {
        Step::End(outcome) if outcome.state == State::Gone => None,
        Step::End(_) => refusal(intent, observed),
        Step::Act(action) if undoes(action, observed) => None,
        Step::Act(action) if action.concerns_network() => {
            refusal(intent, observed).or_else(|| closed_to(action, observed))
        }
        Step::Act(_) => None,
    };
    match (refused, step) {
        (Some(outcome), _) => Step::End(outcome),
        (None, Step::End(outcome)) if outcome.reason == Reason::NetworkUnconfirmed => {
            Step::End(advised(intent, outcome))
        }
        (None, step) => step,
    }
}

/// Why nothing may be asked of the network, if so.
fn refusal(intent: &Intent, observed: &Observed) -> Option<Outcome> {
    let admission = match &observed.network {
        NetworkState::Available(admission) => admission,
        NetworkState::Unavailable(unavailable) => return Some(without_network(intent, unavailable)),
    };
    if admission.identity == Identity::Changed {
        return Some(advised(intent, absence::changed()));
    }
    // A resource that is being deleted may take its endpoint along, whoever is allowed by now.
    let (Intent::Converge(_) | Intent::Pause(_)) = intent else { return None };
    let refusal = admission.refusal.as_ref()?;
    let message = refusal.to_string();
    Some(match refusal {
        Refusal::UnknownNamespace { .. } => Outcome::reconciling(Reason::AwaitingList, message, None),
        // The network's rule, or the namespace's labels, may come with another commit.
        Refusal::Namespace { .. } => Outcome::reconciling(Reason::NamespaceNotAllowed, message, None),
        Refusal::Unreadable { .. } | Refusal::Http | Refusal::Host { .. } => {
            Outcome::stalled(Reason::UrlNotAllowed, message)
        }
    })
}

/// Whether it deletes an endpoint that was just made where none was to be made.
fn undoes(action: &Action, observed: &Observed) -> bool {
    let elsewhere = observed.in_hand.as_ref().is_some_and(|hand| hand.answer == Answer::Elsewhere);
    let available = matches!(observed.network, NetworkState::Available(_));
    elsewhere && available && matches!(action, Action::Delete { cause: DeleteCause::InHand, .. })
}

fn without_network(intent: &Intent, unavailable: &Unavailable) -> Outcome {
    // It may come with another commit, and then this goes on by itself.
    advised(intent, Outcome::reconciling(unavailable.reason, unavailable.message.clone(), None))
}

/// Says, too, what a resource that is being deleted can do without its network.
fn advised(intent: &Intent, mut outcome: Outcome) -> Outcome {
    outcome.message += match intent {
        // It is looked at in a moment.
        _ if outcome.reason == Reason::AwaitingList => "",
        Intent::Converge(_) | Intent::Pause(_) | Intent::PauseDeletion | Intent::Unreadable(_) => "",
        Intent::Finalize(Removal::Delete) => {
            "; to let go of the resource and leave its endpoint, set spec.deletionPolicy to Retain"
        }
        Intent::Finalize(Removal::Retain) => {
            "; a create that was not answered can't be looked into, so the resource is let go soon all the same"
        }
    };
    outcome
}

/// Why a network makes nothing new, if so.
fn closed_to(action: &Action, observed: &Observed) -> Option<Outcome> {
    let NetworkState::Available(Admission { openness, identity, .. }) = &observed.network else {
        return None;
    };
    let begins = matches!(action, Action::RecordAttempt(_) | Action::Create { .. });
    if begins && *openness == Openness::Closing {
        let message = "the network is being deleted: it takes no new endpoints".to_owned();
        return Some(Outcome::reconciling(Reason::NetworkNotReady, message, None));
    }
    (begins && *identity == Identity::Untold).then(absence::unconfirmed)
}
