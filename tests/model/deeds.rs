//! What people do, and what the API does by itself.

use jiff::SignedDuration;

use super::api::{Events, Maker, URL};
use super::cluster::{Resource, Secret};
use super::time::tick;
use super::world::{Deed, World};

/// Whether `deed` can happen now.
///
/// An endpoint that somebody makes by hand within the window of an open attempt, equal in all that the
/// attempt sends, can't be told from what the attempt made: that limit is documented, and left out here.
pub fn possible(world: &World, deed: Deed) -> bool {
    let resource = |who: usize| world.places.get(who)?.now.resource.as_deref();
    let secret = |who: usize| &world.places[who].now.secret;
    match deed {
        // One that holds an endpoint and lost its finalizer is gone before anybody can act.
        Deed::DeleteResource(who) => resource(who).is_some_and(|resource| {
            !resource.deleting && (resource.finalizer || secret(who).endpoint().is_none())
        }),
        Deed::ChangeEvents(who) => resource(who).is_some_and(|resource| !resource.deleting),
        Deed::DeleteEndpoint(who) => secret(who).endpoint().is_some_and(|id| world.api.get(id).is_some()),
        Deed::DeleteSecret(who) => secret(who).endpoint().is_some(),
        Deed::ForeignSecret(who) | Deed::RestoreSecret(who) => {
            resource(who).is_some() && *secret(who) == Secret::Absent
        }
        Deed::IdenticalJustBefore => open_since(world).all(|since| since >= world.now),
        Deed::IdenticalListed => open_since(world).next().is_none() && world.process.listed_at.is_some(),
        Deed::Identical | Deed::OtherEvents => true,
        Deed::Disable(who) => made_for(world, who).is_some(),
    }
}

/// When the open attempts began.
fn open_since(world: &World) -> impl Iterator<Item = super::time::Tick> {
    world
        .everybody()
        .filter_map(|who| world.places[who].now.open_attempt(who))
        .map(|attempt| tick(attempt.since))
}

fn made_for(world: &World, who: usize) -> Option<super::api::Id> {
    let mut made = world.api.live().filter(|(_, remote)| remote.maker == Maker::Resource(who));
    made.find(|(_, remote)| remote.shown.active).map(|(id, _)| id)
}

pub fn perform(world: &mut World, deed: Deed) {
    match deed {
        Deed::DeleteResource(who) => {
            change(world, who, |resource| resource.deleting = true);
            let resource = world.places[who].now.resource.as_deref();
            if resource.is_some_and(|resource| !resource.finalizer) {
                world.places[who].remove();
            }
        }
        Deed::ChangeEvents(who) => change(world, who, |resource| {
            resource.events = resource.events.other();
            resource.reached = false;
        }),
        Deed::DeleteEndpoint(who) => {
            if let Some(id) = world.places[who].now.secret.endpoint() {
                world.api.delete(id);
                world.removed_by_hand.insert(id);
            }
        }
        Deed::DeleteSecret(who) => world.places[who].write_secret(Secret::Absent),
        Deed::ForeignSecret(who) => world.places[who].write_secret(Secret::Foreign),
        Deed::RestoreSecret(who) => {
            if let Some(remote) = world.api.get_mut(0) {
                remote.maker = Maker::Resource(who);
            }
            world.places[who].write_secret(Secret::Held { endpoint: 0, attempt: 1, genuine: true });
        }
        Deed::IdenticalJustBefore => {
            world.api.by_hand(URL, Events::Ocpp, world.now, SignedDuration::from_secs(3));
        }
        Deed::IdenticalListed => {
            let id = world.api.by_hand(URL, Events::Ocpp, world.now, SignedDuration::ZERO);
            world.process.see(&world.api, id);
        }
        Deed::Identical => {
            world.api.by_hand(URL, Events::Ocpp, world.now, SignedDuration::ZERO);
        }
        Deed::OtherEvents => {
            world.api.by_hand(URL, Events::Both, world.now, SignedDuration::ZERO);
        }
        Deed::Disable(who) => {
            if let Some(remote) = made_for(world, who).and_then(|id| world.api.get_mut(id)) {
                remote.shown.active = false;
            }
        }
    }
}

fn change(world: &mut World, who: usize, change: impl FnOnce(&mut Resource)) {
    if let Some(mut resource) = world.places[who].now.resource.as_deref().cloned() {
        change(&mut resource);
        world.places[who].write(resource);
    }
}
