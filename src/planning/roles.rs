//! Which endpoint is what to its resource.
//!
//! The Secret is written before the status, and the endpoints are changed before it, too. So what the status says is
//! taken together with what the Secret holds and what the network shows; from all of that the roles follow alike,
//! wherever a process died.

use jiff::Timestamp;

use super::habit;
use super::intent::Desired;
use super::observed::{Observed, Presence, Role};
use super::secret::HeldSecret;
use super::timing::{floor, later};
use crate::provider::{Endpoint, EndpointId, EndpointStatus};

/// Where a Secret is.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    Declared,
    Former(&'a str),
}

/// What the endpoints of a resource are to it.
pub(super) struct Roles<'a> {
    /// The one that counts.
    pub(super) current: &'a EndpointId,
    /// The one that is to take its place.
    pub(super) next: Option<&'a EndpointId>,
    /// One that was to be the next one, and is not.
    pub(super) superseded: Option<&'a EndpointId>,
    /// Those whose place was taken, and when.
    pub(super) retiring: Vec<(&'a EndpointId, Timestamp)>,
}

/// The Secret that counts. Of several, one whose endpoint is not gone: its secret is the only copy.
pub(super) fn counting(observed: &Observed) -> Option<(&HeldSecret, At<'_>)> {
    let declared = observed.held_secret().map(|secret| (secret, At::Declared));
    let former = observed.former_secrets.iter().map(|(name, secret)| (secret, At::Former(name)));
    let is_live = |secret: &HeldSecret| secret.endpoint.as_ref().is_some_and(|id| !is_gone(observed, id));
    declared.into_iter().chain(former).max_by_key(|(secret, at)| {
        (is_live(secret), secret.endpoint.is_some(), secret.attempt, matches!(at, At::Declared))
    })
}

fn is_gone(observed: &Observed, id: &EndpointId) -> bool {
    observed.presence(id) == Some(&Presence::Gone)
}

impl<'a> Roles<'a> {
    /// The roles as they are, by the declaration, if that counts; `None` when nothing is held.
    pub(super) fn of(desired: Option<&Desired>, observed: &'a Observed, now: Timestamp) -> Option<Self> {
        let secret = counting(observed).map(|(secret, _)| secret);
        let (current, next) = current_and_next(observed, secret).or_else(|| {
            // Its secret is nowhere, and somebody asks for one that is.
            let claimed = observed.claim.as_ref().filter(|id| observed.present(id).is_some())?;
            let asked = desired.is_some_and(|desired| is_requested(desired, observed, claimed));
            (asked && !observed.is_contested(claimed)).then_some((claimed, None))
        })?;
        let recorded = &observed.recorded;
        let is_live = |id: &&EndpointId| Some(*id) != next && *id != current && !is_gone(observed, id);
        let superseded = recorded.next().filter(is_live);
        let retiring = recorded.endpoints.iter().filter_map(|(id, role)| match role {
            Role::Retiring { since } => Some((id, *since)),
            Role::Current | Role::Next => None,
        });
        let previous =
            secret.into_iter().flat_map(|secret| &secret.previous).filter(|id| Some(*id) != superseded);
        let former = recorded.current().into_iter().chain(previous);
        let mut roles = Self { current, next, superseded, retiring: Vec::new() };
        for (id, since) in retiring.chain(former.map(|id| (id, floor(now)))) {
            if is_live(&id) && roles.retiring.iter().all(|(known, _)| *known != id) {
                roles.retiring.push((id, since));
            }
        }
        if let Some(next) = roles.next
            && desired.is_some_and(|desired| takes_over(desired, observed, &roles, next, now))
        {
            let former = std::mem::replace(&mut roles.current, next);
            roles.next = None;
            roles.retiring.push((former, floor(now)));
        }
        Some(roles)
    }

    /// When the next endpoint is to be the only one that delivers. The time runs from when its secret was in the Secret.
    pub(super) fn takes_over_at(&self, desired: &Desired, observed: &Observed, now: Timestamp) -> Timestamp {
        later(self.next_since(observed, now), desired.rotation.activate_after)
    }

    /// Since when the Secret has held the secret of the next endpoint.
    pub(super) fn next_since(&self, observed: &Observed, now: Timestamp) -> Timestamp {
        let recorded = observed.recorded.next_since.filter(|_| observed.recorded.next() == self.next);
        recorded.map_or_else(|| floor(now), |since| since.min(now))
    }
}

fn current_and_next<'a>(
    observed: &'a Observed,
    secret: Option<&'a HeldSecret>,
) -> Option<(&'a EndpointId, Option<&'a EndpointId>)> {
    let recorded = &observed.recorded;
    let stored = secret.and_then(|secret| secret.endpoint.as_ref());
    let (current, next) = match (recorded.current(), stored) {
        (None, None) => (recorded.next()?, None),
        (Some(current), None) => (current, recorded.next()),
        (None, Some(stored)) => match before(observed, secret) {
            Some(current) => (current, Some(stored)),
            None => (stored, recorded.next()),
        },
        (Some(current), Some(stored))
            if current == stored
                || (is_outdated(observed, secret, current) && !is_gone(observed, current)) =>
        {
            (current, recorded.next())
        }
        (Some(current), Some(stored)) => (current, Some(stored)),
    };
    let next = next.filter(|next| *next != current && !is_gone(observed, next));
    Some(match next {
        Some(next) if is_gone(observed, current) && observed.has_secret_of(next) => (next, None),
        next => (current, next),
    })
}

/// Of a Secret whose resource has lost its status: the endpoint that was the current one when the latest was made.
fn before<'a>(observed: &Observed, secret: Option<&'a HeldSecret>) -> Option<&'a EndpointId> {
    let is_retiring =
        |id: &&EndpointId| matches!(observed.recorded.endpoints.get(*id), Some(Role::Retiring { .. }));
    let mut previous = secret?.previous.iter();
    previous.find(|id| !is_retiring(id) && !is_gone(observed, id))
}

/// Whether a Secret is older than the status, which names another endpoint: it came back from a backup.
fn is_outdated(observed: &Observed, secret: Option<&HeldSecret>, current: &EndpointId) -> bool {
    let Some((secret, id)) = secret.and_then(|secret| Some((secret, secret.endpoint.as_ref()?))) else {
        return false;
    };
    match observed.recorded.endpoints.get(id) {
        Some(Role::Retiring { .. }) => true,
        Some(Role::Next | Role::Current) => false,
        None => secret.attempt <= observed.recorded.resolved_attempt && !secret.previous.contains(current),
    }
}

/// Whether all is done for the next endpoint to take the place of the current one.
fn takes_over(
    desired: &Desired,
    observed: &Observed,
    roles: &Roles<'_>,
    next: &EndpointId,
    now: Timestamp,
) -> bool {
    let is_due = roles.takes_over_at(desired, observed, now) <= now;
    let ends = observed.present(next).zip(observed.present(roles.current));
    let delivers = |endpoint: &Endpoint| endpoint.status == EndpointStatus::Active;
    is_due
        && fits(desired, observed, next)
        && ends.is_some_and(|(next, current)| {
            (delivers(next) || desired.endpoint.status != EndpointStatus::Active) && !delivers(current)
        })
}

/// Whether an endpoint that was made to be the next one is still what is wanted.
pub(super) fn fits(desired: &Desired, observed: &Observed, next: &EndpointId) -> bool {
    let requested = habit::requested_url(observed, next);
    observed.has_secret_of(next) && requested.is_none_or(|url| url.is_same_url(&desired.endpoint.url))
}

/// Whether somebody asks for another secret than that of this endpoint, and none was made since.
pub(super) fn is_requested(desired: &Desired, observed: &Observed, current: &EndpointId) -> bool {
    desired.rotate.as_ref().is_some_and(|request| handled_rotation(observed, current) != Some(request))
}

/// The request for another secret that this endpoint, the current one, was made after.
pub(super) fn handled_rotation<'a>(observed: &'a Observed, current: &EndpointId) -> Option<&'a String> {
    let attempt = observed.attempt.as_ref().filter(|attempt| observed.made_by(attempt) == Some(current));
    attempt.and_then(|attempt| attempt.request.as_ref()).or(observed.recorded.handled_rotation.as_ref())
}
