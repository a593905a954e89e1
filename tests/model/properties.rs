//! What must hold in every state.

use webhook_operator::planning::Attempt;

use super::api::{Id, Maker, Remote, concerns, endpoint_id};
use super::cluster::Condition;
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
                    place.holds(id)
                        || place.secret.stored() == Some(id)
                        || answers_for(world, who, id, remote)
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
    names(world, who, id) || open.is_some_and(|attempt| will_find(&attempt, id, remote))
}

fn names(world: &World, who: usize, id: Id) -> bool {
    world.places[who].now.resource.as_ref().is_some_and(|resource| match &resource.condition {
        Condition::Stalled(named) => named.contains(&id),
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
                    .any(|who| world.places[who].now.secret.stored() == Some(id) || names(world, who, id))
        }
    })
}

fn will_find(attempt: &Attempt, id: Id, remote: &Remote) -> bool {
    concerns(attempt, remote)
        && !attempt.known.contains(&endpoint_id(id))
        && tick(attempt.since) <= remote.made_at
}
