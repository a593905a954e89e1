//! What people do, and what the API does by itself.

use jiff::SignedDuration;

use super::api::{Events, Maker, Url};
use super::cluster::{Name, Resource, Secret, Secrets};
use super::time::tick;
use super::world::{Deed, World};

/// Whether `deed` can happen now.
///
/// An endpoint that somebody makes by hand within the window of an open attempt, equal in all that the
/// attempt sends, can't be told from what the attempt made: that limit is documented, and left out here.
pub fn possible(world: &World, deed: Deed) -> bool {
    let resource = |who: usize| world.places.get(who)?.now.resource.as_deref();
    let secrets = |who: usize| &world.places[who].now.secrets;
    let held = |who: usize| secrets(who).endpoint();
    match deed {
        // One that holds an endpoint and lost its finalizer is gone before anybody can act.
        Deed::DeleteResource(who) => resource(who)
            .is_some_and(|resource| !resource.deleting && (resource.finalizer || held(who).is_none())),
        Deed::Rotate(who)
        | Deed::RotateAgain(who)
        | Deed::ChangeUrlAgain(who)
        | Deed::ChangeEvents(who)
        | Deed::ChangeUrl(who)
        | Deed::Pause(who)
        | Deed::MoveSecret(who) => resource(who).is_some_and(|resource| !resource.deleting),
        Deed::Resume(who) => resource(who).is_some_and(|resource| resource.paused),
        Deed::DeleteEndpoint(who) => held(who).is_some_and(|id| world.api.get(id).is_some()),
        Deed::DeleteSecret(who) | Deed::StripSecret(who) => held(who).is_some(),
        Deed::ForeignSecret(who) | Deed::RestoreSecret(who) | Deed::RestoreOwnerless(who) => {
            resource(who).is_some() && *world.places[who].now.declared_secret() == Secret::Absent
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
            resource.request.events = resource.request.events.other();
        }),
        Deed::ChangeUrl(who) | Deed::ChangeUrlAgain(who) => change(world, who, |resource| {
            resource.request.url = resource.request.url.other();
        }),
        Deed::Rotate(who) | Deed::RotateAgain(who) => {
            if let Some(resource) = world.places[who].now.resource.as_deref().cloned() {
                let asked = resource.asked + 1;
                world.places[who].write(Resource { asked, ..resource });
            }
        }
        Deed::Pause(who) => change(world, who, |resource| resource.paused = true),
        Deed::Resume(who) => change(world, who, |resource| resource.paused = false),
        Deed::MoveSecret(who) => change(world, who, |resource| resource.name = resource.name.other()),
        Deed::DeleteEndpoint(who) => {
            if let Some(id) = world.places[who].now.secrets.endpoint() {
                world.api.delete(id);
                world.removed_by_hand.insert(id);
            }
        }
        Deed::DeleteSecret(who) => {
            if let Some(name) = name_of(&world.places[who].now.secrets) {
                world.places[who].write_secret(name, Secret::Absent);
            }
        }
        Deed::ForeignSecret(who) => write_declared(world, who, Secret::Foreign),
        Deed::RestoreSecret(who) => {
            restore(
                world,
                who,
                Secret::Held { endpoint: 0, attempt: 1, genuine: true, previous: Vec::new() },
            );
        }
        Deed::RestoreOwnerless(who) => {
            restore(world, who, Secret::Released { endpoint: 0, attempt: 1, previous: Vec::new() });
        }
        Deed::StripSecret(who) => {
            let stripped = world.places[who].now.secrets.all().find_map(|(name, secret)| match secret {
                Secret::Held { endpoint, attempt, genuine: true, previous } => {
                    let previous = previous.clone();
                    Some((name, Secret::Released { endpoint: *endpoint, attempt: *attempt, previous }))
                }
                _ => None,
            });
            if let Some((name, stripped)) = stripped {
                world.places[who].write_secret(name, stripped);
            }
        }
        Deed::IdenticalJustBefore => {
            world.api.by_hand(Url::Usual, Events::Ocpp, world.now, SignedDuration::from_secs(3));
        }
        Deed::IdenticalListed => {
            let id = world.api.by_hand(Url::Usual, Events::Ocpp, world.now, SignedDuration::ZERO);
            world.process.see(&world.api, id, world.now);
        }
        Deed::Identical => {
            world.api.by_hand(Url::Usual, Events::Ocpp, world.now, SignedDuration::ZERO);
        }
        Deed::OtherEvents => {
            world.api.by_hand(Url::Usual, Events::Both, world.now, SignedDuration::ZERO);
        }
        Deed::Disable(who) => {
            if let Some(remote) = made_for(world, who).and_then(|id| world.api.get_mut(id)) {
                remote.shown.active = false;
            }
        }
    }
}

/// Changes what a resource declares.
fn change(world: &mut World, who: usize, change: impl FnOnce(&mut Resource)) {
    if let Some(resource) = world.places[who].now.resource.as_deref() {
        let mut resource = resource.redeclared();
        change(&mut resource);
        world.places[who].write(resource);
    }
}

/// A backup brings back the secret of endpoint 0.
fn restore(world: &mut World, who: usize, secret: Secret) {
    if let Some(remote) = world.api.get_mut(0) {
        remote.maker = Maker::Resource(who);
    }
    write_declared(world, who, secret);
}

fn write_declared(world: &mut World, who: usize, secret: Secret) {
    let place = &mut world.places[who];
    let name = place.now.resource.as_ref().map_or(Name::First, |resource| resource.name);
    place.write_secret(name, secret);
}

/// Where the endpoint's secret is.
fn name_of(secrets: &Secrets) -> Option<Name> {
    secrets.all().find_map(|(name, secret)| secret.endpoint().map(|_| name))
}
