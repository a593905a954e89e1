//! The Secret: whose it is, where it goes, and whether what it holds is believed.

use jiff::Timestamp;

use super::absence::{Look, look};
use super::attempt::InHand;
use super::intent::Desired;
use super::observed::{Holders, Observed, Presence};
use super::outcome::{Outcome, Reason};
use super::roles::At;
use super::secret::{HeldSecret, Mutability, SecretData, SecretState};
use super::step::{Action, Step};
use crate::provider::{Endpoint, EndpointId};

/// Has the resource's Secret show whose it is in the way that is declared, and what it holds.
pub(super) fn owned(desired: &Desired, observed: &Observed) -> Option<Step> {
    let secret = observed.held_secret()?;
    if secret.ownership != desired.secret.ownership {
        return Some(synced(desired, secret, None));
    }
    // It may be the only one that holds the secret of a live endpoint.
    let telling = secret.endpoint.is_some() || secret.data == SecretData::Altered;
    (!telling).then(|| verified(observed, &observed.secret_name, None))
}

/// Makes a Secret that belongs to nobody who is there this resource's, if it holds what is.
///
/// The caller has made sure that no endpoint of an earlier attempt is left: the Secret may come from an earlier
/// resource, which counted its own.
pub(super) fn claimed(desired: &Desired, observed: &Observed) -> Option<Step> {
    claimable(desired, observed)?;
    let unowned = observed.unowned_secret()?;
    if let Some(attempt) = observed.open_attempt().filter(|attempt| attempt.number > unowned.attempt) {
        return Some(Step::Act(Action::RecordAnswered(attempt.number)));
    }
    Some(synced(desired, unowned, None))
}

/// Makes the Secret this resource's that holds what is in hand, and lost its owner before the answer to its write
/// was in.
pub(super) fn claimed_in_hand(desired: &Desired, observed: &Observed, hand: &InHand) -> Option<Step> {
    let unowned = observed.unowned_secret().filter(|found| found.endpoint.as_ref() == Some(&hand.id))?;
    Some(synced(desired, unowned, Some(hand.attempt)))
}

/// The endpoint of a Secret that belongs to nobody who is there, if both are this resource's: the status names it,
/// or it delivers to the declared URL, and no other resource holds it. Whoever may declare the URL may have such
/// an endpoint anyway.
pub(super) fn claimable<'a>(desired: &Desired, observed: &'a Observed) -> Option<&'a EndpointId> {
    let id = observed.unowned_secret()?.endpoint.as_ref()?;
    let remote = observed.remote.get(id).filter(|remote| remote.holders == Holders::Sole)?;
    let is_adopted = desired.adopt.as_ref().is_some_and(|adopted| adopted.id == *id);
    let has_url = |presence: &Presence| match presence {
        Presence::Present(endpoint) => endpoint.url == desired.endpoint.url,
        Presence::Unlisted | Presence::Missing { .. } | Presence::Gone => false,
    };
    (observed.recorded.current() == Some(id) || is_adopted || has_url(&remote.presence)).then_some(id)
}

/// What becomes of a create while the Secret under the declared name has our type and no owner that is there, and
/// is not this resource's either.
pub(super) fn unclaimed(desired: &Desired, observed: &Observed, found: &HeldSecret, now: Timestamp) -> Step {
    let Some(id) = &found.endpoint else { return Step::End(left_alone(desired, observed)) };
    match look(observed, id, now) {
        Look::Step(step) => *step,
        Look::Seen(endpoint) if !observed.is_contested(id) => Step::End(of_another_url(desired, endpoint)),
        Look::Seen(_) | Look::Gone => Step::End(left_alone(desired, observed)),
    }
}

fn left_alone(desired: &Desired, observed: &Observed) -> Outcome {
    match observed.secret {
        SecretState::OfFormerResource(_) => of_former_resource(desired),
        _ => not_ours(desired),
    }
}

/// Deletes this resource's Secret, of whose endpoints nothing is left, where it can't be overwritten.
pub(super) fn make_way(observed: &Observed, for_endpoint: Option<&EndpointId>) -> Option<Step> {
    let secret = observed.held_secret().filter(|secret| secret.mutability == Mutability::Immutable)?;
    let is_gone = |id: &EndpointId| observed.presence(id) == Some(&Presence::Gone);
    let outdated = secret.holds().all(|id| Some(id) != for_endpoint && is_gone(id));
    outdated.then(|| Step::Act(Action::DeleteSecret { name: observed.secret_name.clone() }))
}

/// Brings the Secret to its declared name and looks; `None` when it is as declared, and what it holds is believed.
pub(super) fn as_declared(
    desired: &Desired,
    observed: &Observed,
    secret: &HeldSecret,
    at: At<'_>,
    now: Timestamp,
) -> Option<Step> {
    let name = match at {
        At::Declared => &desired.secret.name,
        At::Former(name) => name,
    };
    match secret.data {
        SecretData::AsWritten => {}
        SecretData::Restored => return Some(verified(observed, name, secret.endpoint.as_ref())),
        // It is replaced where it is, as one that is lost.
        SecretData::Altered => return None,
    }
    if let At::Former(from) = at {
        let copy = || Action::CopySecret { from: from.to_owned(), shape: desired.secret.clone() };
        return Some(match &observed.secret {
            SecretState::Absent => Step::Act(copy()),
            SecretState::Held(declared) => {
                let way = make_way(observed, secret.endpoint.as_ref());
                let free = way.unwrap_or_else(|| Step::Act(copy()));
                unless_needed(observed, secret, declared, free, now)
            }
            SecretState::Foreign => Step::End(not_ours(desired)),
            SecretState::Ownerless(found) | SecretState::OfFormerResource(found) => {
                unclaimed(desired, observed, found, now)
            }
        });
    }
    if let Some((name, former)) = observed.former_secrets.iter().next() {
        let free = Step::Act(Action::DeleteSecret { name: name.clone() });
        return Some(unless_needed(observed, secret, former, free, now));
    }
    if secret.labels == desired.secret.labels && secret.annotations == desired.secret.annotations {
        return None;
    }
    match &observed.previous {
        // It was written just now, and somebody made something else of it.
        Some(Action::SyncSecretMetadata { shape, .. }) if *shape == desired.secret => {
            Some(Step::Act(Action::AcceptSecretMetadata(desired.secret.clone())))
        }
        // Even of that.
        Some(Action::AcceptSecretMetadata(_)) => None,
        _ => Some(synced(desired, secret, None)),
    }
}

/// Gives up what another Secret of this resource holds, by this step, unless it is the secret of another endpoint that
/// is there: it may be the only copy, and is taken over before.
fn unless_needed(
    observed: &Observed,
    secret: &HeldSecret,
    other: &HeldSecret,
    step: Step,
    now: Timestamp,
) -> Step {
    for id in other.holds().filter(|id| secret.holds().all(|held| held != *id)) {
        match look(observed, id, now) {
            Look::Gone => {}
            Look::Step(step) => return *step,
            Look::Seen(_) => return merged(observed, secret, other).unwrap_or(step),
        }
    }
    step
}

/// Has the Secret under the declared name hold what both of these do.
fn merged(observed: &Observed, secret: &HeldSecret, other: &HeldSecret) -> Option<Step> {
    let first = secret.endpoint.clone()?;
    let mut keep = Vec::new();
    for id in secret.previous.iter().chain(other.holds()) {
        if *id != first && !keep.contains(id) && observed.presence(id) != Some(&Presence::Gone) {
            keep.push(id.clone());
        }
    }
    let url = observed.present(&first).map(|endpoint| endpoint.url.clone());
    let name = observed.secret_name.clone();
    Some(Step::Act(Action::RewriteSecret { name, first, url, attempt: secret.attempt, keep }))
}

fn synced(desired: &Desired, secret: &HeldSecret, attempt: Option<u64>) -> Step {
    let shape = desired.secret.clone();
    // What somebody else wrote is looked at before it is noted whose it is.
    let endpoint = secret.endpoint.clone().filter(|_| secret.data == SecretData::AsWritten);
    Step::Act(Action::SyncSecretMetadata { shape, endpoint, attempt })
}

fn verified(observed: &Observed, name: &str, endpoint: Option<&EndpointId>) -> Step {
    let url = endpoint.and_then(|id| observed.present(id)).map(|endpoint| endpoint.url.clone());
    Step::Act(Action::VerifySecret { name: name.to_owned(), endpoint: endpoint.cloned(), url })
}

pub(super) fn not_ours(desired: &Desired) -> Outcome {
    Outcome::stalled_unseen(
        Reason::SecretNotOurs,
        format!(
            "Secret {0:?} exists and is not this resource's, so it is left alone: set spec.secret.name to another \
             name, or delete that Secret",
            desired.secret.name
        ),
    )
}

/// Nobody is told to delete it: it may be the only one that holds the secret.
fn of_another_url(desired: &Desired, endpoint: &Endpoint) -> Outcome {
    Outcome::stalled_unseen(
        Reason::SecretNotOurs,
        format!(
            "Secret {:?} is not this resource's, so it is left alone: it holds the signing secret of endpoint {}, which \
             is there and delivers to {:?}: set spec.secret.name to another name, or set spec.url to that URL to take \
             over both",
            desired.secret.name,
            endpoint.id,
            endpoint.url.as_str()
        ),
    )
}

fn of_former_resource(desired: &Desired) -> Outcome {
    Outcome::reconciling(
        Reason::SecretOfFormerResource,
        format!(
            "Secret {:?} belongs to an earlier WebhookEndpoint of the same name: waits for its garbage collection",
            desired.secret.name
        ),
        None,
    )
}

/// The secret of the endpoint that counts is in no Secret of this resource.
pub(super) fn lost(desired: &Desired, observed: &Observed, id: &EndpointId, until: Timestamp) -> Outcome {
    if observed.released.contains(id) {
        return mislaid(desired, id);
    }
    Outcome::reconciling(
        Reason::SecretLost,
        format!(
            "the signing secret of endpoint {id} is not in Secret {:?} any more: somebody has deleted or altered it, and \
             the API shows a secret only once; to keep it, delete what is left of the Secret and create it again from a \
             backup, type and annotations included: else the endpoint is replaced at {until}",
            desired.secret.name
        ),
        Some(until),
    )
}

/// It lost its owner, and another name was declared before that was noticed.
fn mislaid(desired: &Desired, id: &EndpointId) -> Outcome {
    Outcome::stalled(
        Reason::SecretLost,
        format!(
            "the signing secret of endpoint {id} is in a Secret that has no owner, and not in Secret {:?}: set \
             spec.secret.name to the name of that one, and once this is Ready to the new name again; or annotate the \
             resource with webhookoperator.dev/rotate to have the endpoint replaced",
            desired.secret.name
        ),
    )
}
