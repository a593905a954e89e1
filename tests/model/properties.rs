//! What must hold in every state.

use webhook_operator::planning::{Attempt, Reason};

use super::api::{Id, Maker, Remote, concerns, endpoint_id};
use super::cluster::{Condition, Secret};
use super::time::tick;
use super::world::World;

/// Every endpoint that was made for a resource is stored, or on record, or named by a `Stalled` resource, or
/// was warned of when its resource was let go.
///
/// Two live endpoints for one uid are never unreported, then: of the two, one at most is stored.
pub fn nothing_leaks(world: &World) -> bool {
    world.api.live().all(|(id, remote)| match remote.maker {
        Maker::Hand => true,
        Maker::Resource(_) => {
            was_warned_of(world, id, remote)
                || world.everybody().any(|who| {
                    let place = &world.places[who].now;
                    place.holds(id) || place.secrets.store(id) || answers_for(world, who, id, remote)
                })
        }
    })
}

fn was_warned_of(world: &World, id: Id, remote: &Remote) -> bool {
    world.warned_of.iter().any(|attempt| will_find(attempt, id, remote))
}

/// Whether resource `who` stands for an endpoint that is stored nowhere: its attempt is open and will
/// find it, or a person was told of it.
///
/// The endpoints of two resources with the same URL, events and status can't be told apart, so either of
/// the two may stand for it.
fn answers_for(world: &World, who: usize, id: Id, remote: &Remote) -> bool {
    let open = world.places[who].now.open_attempt(who);
    names(world, who, id) || open.is_some_and(|attempt| will_find(attempt, id, remote))
}

fn names(world: &World, who: usize, id: Id) -> bool {
    world.places[who].now.resource.as_ref().is_some_and(|resource| match &resource.condition {
        Condition::Stalled(_, named) => named.contains(&id),
        _ => false,
    })
}

/// Once nothing moves any more: every endpoint that was made for a resource has its secret stored for
/// that resource, or was warned of, or a `Stalled` resource names it.
pub fn nothing_is_left(world: &World) -> bool {
    world.api.live().all(|(id, remote)| match remote.maker {
        Maker::Hand => true,
        Maker::Resource(_) => {
            was_warned_of(world, id, remote)
                || world
                    .everybody()
                    .any(|who| world.places[who].now.secrets.store(id) || names(world, who, id))
        }
    })
}

fn will_find(attempt: &Attempt, id: Id, remote: &Remote) -> bool {
    concerns(attempt, remote)
        && !attempt.known.contains(&endpoint_id(id))
        && tick(attempt.since) <= remote.made_at
}

/// Once nothing moves any more: whether what a `Stalled` resource names as its reason is so.
pub fn is_justified(world: &World, who: usize, reason: Reason) -> bool {
    let place = &world.places[who].now;
    let Some(resource) = &place.resource else { return false };
    let recorded = resource.recorded.and_then(|id| Some((id, world.api.get(id)?)));
    match reason {
        Reason::CreateUncertain => {
            place.open_attempt(who).is_some_and(|attempt| world.is_doubtful(attempt) || rivals(world, who))
        }
        Reason::SecretNotOurs => {
            match place.declared_secret() {
                Secret::Foreign => true,
                // What it could take over, it has to.
                Secret::Released { endpoint, .. } => {
                    let there = world.api.get(*endpoint);
                    there.is_none_or(|remote| remote.shown.url != resource.request.url)
                }
                Secret::Absent | Secret::Held { .. } => false,
            }
        }
        Reason::SecretLost => recorded.is_some_and(|(id, _)| !genuine(world, who, id)),
        Reason::EndpointContested => {
            let mut held = world.api.live().filter(|(id, _)| place.holds(*id));
            let mut others = world.everybody().filter(|other| *other != who);
            held.any(|(id, _)| others.any(|other| world.places[other].now.holds(id)))
        }
        _ => false,
    }
}

/// Whether another resource's create may have made what this one's would make.
fn rivals(world: &World, who: usize) -> bool {
    let mut others = world.everybody().filter(|other| *other != who);
    let own = world.places[who].now.open_attempt(who);
    others.any(|other| {
        let attempt =
            world.places[other].now.resource.as_ref().and_then(|resource| resource.attempt.as_ref());
        attempt.zip(own).is_some_and(|(rival, own)| rival.resembles(own))
    })
}

/// Whether a Secret of resource `who` holds the true secret of an endpoint.
fn genuine(world: &World, who: usize, id: Id) -> bool {
    let mut secrets = world.places[who].now.secrets.all();
    secrets.any(|(_, secret)| match secret {
        Secret::Held { endpoint, genuine: true, .. } | Secret::Released { endpoint, .. } => *endpoint == id,
        Secret::Absent | Secret::Foreign | Secret::Held { .. } => false,
    })
}
