//! Taking over an endpoint that exists, while none is held.

use jiff::Timestamp;

use super::absence::{Look, look};
use super::intent::{Adoption, Desired};
use super::observed::{Finalizer, Observed};
use super::outcome::{Outcome, Reason};
use super::secret::SecretState;
use super::step::{Action, Step};
use super::stored;
use crate::provider::EndpointId;

/// Takes over an endpoint. One whose secret nobody knows, and for which another one is asked, is taken over by
/// [`Roles`](super::roles::Roles).
pub(super) fn plan(adoption: &Adoption, desired: &Desired, observed: &Observed, now: Timestamp) -> Step {
    let Adoption { id, source } = adoption;
    if observed.is_contested(id) {
        return Step::End(contested(id));
    }
    if let Some(network) = &observed.claimed_elsewhere {
        return Step::End(elsewhere(id, network));
    }
    let endpoint = match look(observed, id, now) {
        Look::Seen(endpoint) => endpoint,
        Look::Step(step) => return *step,
        Look::Gone => return Step::End(not_found(id)),
    };
    if observed.finalizer == Finalizer::Absent {
        return Step::Act(Action::SetFinalizer(None));
    }
    // From then on no Secret tells of the attempt's outcome.
    if let Some(attempt) = observed.open_attempt() {
        return Step::Act(Action::RecordAnswered(attempt.number));
    }
    let Some(source) = source else { return Step::End(unknown(id)) };
    match &observed.secret {
        SecretState::Absent | SecretState::Held(_) => {}
        SecretState::Foreign => return Step::End(stored::not_ours(desired)),
        SecretState::Ownerless(found) | SecretState::OfFormerResource(found) => {
            return stored::unclaimed(desired, observed, found, now);
        }
    }
    Step::Act(Action::AdoptSecret {
        id: id.clone(),
        url: endpoint.url.clone(),
        source: source.clone(),
        shape: desired.secret.clone(),
    })
}

fn contested(id: &EndpointId) -> Outcome {
    Outcome::stalled(
        Reason::EndpointContested,
        format!(
            "endpoint {id} is held by another WebhookEndpoint, or one that is older declares to adopt it, too: remove \
             spec.adopt from one of the two"
        ),
    )
}

fn elsewhere(id: &EndpointId, network: &str) -> Outcome {
    Outcome::stalled(
        Reason::EndpointInAnotherNetwork,
        format!(
            "endpoint {id} is in {network}: set spec.adopt.endpointId to one of this network, or create the \
                 WebhookEndpoint with that network"
        ),
    )
}

fn not_found(id: &EndpointId) -> Outcome {
    Outcome::stalled(
        Reason::EndpointNotFound,
        format!(
            "the network has no endpoint {id}: correct spec.adopt.endpointId, or remove spec.adopt to have an endpoint \
             created"
        ),
    )
}

fn unknown(id: &EndpointId) -> Outcome {
    Outcome::stalled(
        Reason::SecretUnknown,
        format!(
            "the API does not show the signing secret of endpoint {id}: name the Secret that holds it in \
             spec.adopt.secretRef, or annotate the resource with webhookoperator.dev/rotate to have the endpoint \
             replaced by one whose secret is known"
        ),
    )
}
