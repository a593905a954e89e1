//! What becomes of a state once the faults stop.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use webhook_operator::planning::{self, Again, Step};

use super::api::{Lag, Maker, Request};
use super::cluster::{Condition, Secret};
use super::deeds;
use super::mutation::Mutation;
use super::perform::Outcome;
use super::properties;
use super::world::{Budget, Deed, Flaw, World};

/// Follows states to where they come to rest, and keeps the ones that are known to end well.
#[derive(Debug, Default)]
pub struct Recovery {
    known: Mutex<HashSet<u64>>,
    /// Whether a state was found that does not: one is enough, and each takes its time.
    failed: AtomicBool,
}

impl Recovery {
    /// More steps than any recovery takes: a planner that needs more goes round in circles.
    const PATIENCE: usize = 200;

    /// Whether no state was found yet that does not end well, up to and with this one.
    pub fn holds(&self, world: &World, mutation: Option<Mutation>) -> bool {
        if self.failed.load(Ordering::Relaxed) {
            return true;
        }
        let ends_well = self.ends_well(world, mutation).is_ok();
        ends_well || self.failed.swap(true, Ordering::Relaxed)
    }

    /// Whether `world` ends well: each resource Ready, Stalled or let go, and everything in its place.
    pub fn ends_well(&self, world: &World, mutation: Option<Mutation>) -> Result<(), String> {
        let mut world = calm(world);
        let mut path = Vec::new();
        for _ in 0..Self::PATIENCE {
            let fingerprint = fingerprint(&world);
            if self.is_known(fingerprint) {
                self.learn(path);
                return Ok(());
            }
            path.push(fingerprint);
            if !go_on(&mut world, mutation) {
                verdict(&world)?;
                self.learn(path);
                return Ok(());
            }
        }
        Err("it never comes to rest".to_owned())
    }

    fn is_known(&self, fingerprint: u64) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&fingerprint)
    }

    fn learn(&self, path: Vec<u64>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(path);
    }
}

/// The first steps of a recovery, in words.
pub fn narrate(world: &World, mutation: Option<Mutation>) -> Vec<String> {
    let mut world = calm(world);
    let mut told = Vec::new();
    for _ in 0..20 {
        for who in world.everybody() {
            let planned = world.plan(who, mutation);
            let step = planned.as_ref().map(|planned| &planned.step);
            told.push(format!("@{} resource {who}: {step:?}", world.now));
        }
        if !go_on(&mut world, mutation) {
            break;
        }
    }
    told
}

/// The same without faults, and with nothing that stays paused.
fn calm(world: &World) -> World {
    let mut world = World { budget: Budget::default(), denied: false, ..world.clone() };
    world.api.away = false;
    for who in world.everybody() {
        if deeds::possible(&world, Deed::Resume(who)) {
            deeds::perform(&mut world, Deed::Resume(who));
        }
    }
    world
}

fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// Moves on by one step, without faults; false when nothing is left to do and nothing left to wait for.
pub fn go_on(world: &mut World, mutation: Option<Mutation>) -> bool {
    if let Some(who) = world.everybody().find(|who| !world.is_up_to_date(*who)) {
        world.catch_up(who);
        return true;
    }
    for who in world.everybody() {
        let Some(planned) = world.plan(who, mutation) else { continue };
        let acts = matches!(planned.step, Step::Act(_));
        let before = if acts { None } else { world.places[who].now.resource.clone() };
        world.act(who, Outcome::Done, mutation);
        if acts || before != world.places[who].now.resource {
            return true;
        }
    }
    // The worst moment for what is in flight to take effect: the last.
    if !world.api.in_flight.is_empty() {
        let last = world.api.in_flight[0].sent_at + super::time::UNSETTLED - 1;
        if world.now >= last {
            world.take_effect(0);
        } else {
            world.advance();
        }
        return true;
    }
    let settled = world.api.live().map(|(_, remote)| remote.settled_at).max().unwrap_or(0);
    let wakes = world.everybody().filter_map(|who| match &world.plan(who, mutation)?.step {
        Step::End(planning::Outcome { again: Again::At(at) | Again::AfterList(Some(at)), .. }) => Some(*at),
        Step::End(_) | Step::Act(_) => None,
    });
    let due = wakes.map(|at| world.process.tick_by(at)).max().unwrap_or(0).max(settled);
    if world.now < due {
        world.advance();
        return true;
    }
    let listed = &world.process;
    if listed.listed_at.is_none_or(|at| at < settled) || shows_otherwise(world) {
        world.process.list(&world.api, world.now, Lag::None);
        return true;
    }
    false
}

/// Whether a list would now show something else than the last.
fn shows_otherwise(world: &World) -> bool {
    let mut listed = world.process.clone();
    listed.list(&world.api, world.now, Lag::None);
    !listed.present().eq(world.process.present())
}

fn verdict(world: &World) -> Result<(), String> {
    // What somebody did by hand may have come too late to be seen: the others are looked at in every state.
    let excused = [Flaw::Gap, Flaw::ForeignEndpointTouched];
    if let Some(flaw) = world.flaws.iter().find(|flaw| !excused.contains(flaw)) {
        return Err(format!("on its way: {flaw:?}"));
    }
    for (who, place) in world.places.iter().enumerate() {
        let Some(resource) = &place.now.resource else { continue };
        if !resource.finalizer && place.now.secrets.endpoint().is_some() {
            return Err(format!("resource {who} holds an endpoint, and nothing holds the resource"));
        }
        match &resource.condition {
            Condition::Ready => {
                let Secret::Held { endpoint, genuine: true, .. } = *place.now.declared_secret() else {
                    return Err(format!("resource {who} is Ready without a stored secret"));
                };
                if place.now.secrets.endpoints().count() > 1 {
                    return Err(format!("resource {who} is Ready with more than one Secret"));
                }
                let remote = world.api.get(endpoint).filter(|remote| remote.maker == Maker::Resource(who));
                let Some(remote) = remote else {
                    return Err(format!("resource {who} is Ready without a live endpoint of its own"));
                };
                let Request { url, events, active } = resource.request;
                if (remote.shown.url, remote.shown.events, remote.shown.active) != (url, events, active) {
                    return Err(format!("resource {who} is Ready, and its endpoint is not as declared"));
                }
                let held = place.now.declared_secret().holds();
                if held.count() > 1 || resource.next.is_some() || !resource.retiring.is_empty() {
                    return Err(format!("resource {who} is Ready, and endpoints are left over"));
                }
                if resource.asked != resource.answered {
                    return Err(format!("resource {who} was asked for another secret, and has none"));
                }
                if resource.deleting {
                    return Err(format!("resource {who} is being deleted, and left Ready"));
                }
            }
            Condition::Stalled(reason, _) => {
                if !properties::is_justified(world, who, *reason) {
                    return Err(format!("resource {who} is Stalled as {reason:?} without need"));
                }
            }
            other => return Err(format!("resource {who} stays {other:?}")),
        }
    }
    if !properties::nothing_is_left(world) {
        return Err("an endpoint is left that is neither stored nor named".to_owned());
    }
    Ok(())
}
