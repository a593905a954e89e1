//! What becomes of a state once the faults stop.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use webhook_operator::planning::Step;

use super::api::{Lag, Maker};
use super::cluster::{Condition, Secret};
use super::mutation::Mutation;
use super::perform::Outcome;
use super::properties;
use super::world::{Budget, World};

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
        let mut world = world.clone();
        world.budget = Budget::default();
        world.denied = false;
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
    let mut world = world.clone();
    world.budget = Budget::default();
    world.denied = false;
    let mut told = Vec::new();
    for _ in 0..20 {
        let plans = world.everybody().map(|who| world.plan(who, mutation).map(|(step, ..)| step));
        let plans: Vec<_> = plans.collect();
        told.push(format!("@{} {plans:?}", world.now));
        if !go_on(&mut world, mutation) {
            break;
        }
    }
    told
}

fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// Moves on by one step, without faults; false when nothing is left to do and nothing left to wait for.
fn go_on(world: &mut World, mutation: Option<Mutation>) -> bool {
    if let Some(who) = world.everybody().find(|who| !world.is_up_to_date(*who)) {
        world.catch_up(who);
        return true;
    }
    for who in world.everybody() {
        let Some((step, ..)) = world.plan(who, mutation) else { continue };
        let before = if let Step::Rest(_) = step { world.places[who].now.resource.clone() } else { None };
        world.act(who, Outcome::Done, mutation);
        if matches!(step, Step::Act(_)) || before != world.places[who].now.resource {
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
    let wakes = world.everybody().filter_map(|who| match world.plan(who, mutation)?.0 {
        Step::Rest(rest) => rest.wake,
        Step::Act(_) => None,
    });
    let due = wakes.map(super::time::tick).max().unwrap_or(0).max(settled);
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
    listed.present() != world.process.present()
}

fn verdict(world: &World) -> Result<(), String> {
    for (who, place) in world.places.iter().enumerate() {
        let Some(resource) = &place.now.resource else { continue };
        if !resource.finalizer && place.now.secret.endpoint().is_some() {
            return Err(format!("resource {who} holds an endpoint, and nothing holds the resource"));
        }
        match &resource.condition {
            Condition::Ready => {
                let Secret::Held { endpoint, genuine: true, .. } = place.now.secret else {
                    return Err(format!("resource {who} is Ready without a stored secret"));
                };
                let maker = world.api.get(endpoint).map(|remote| remote.maker);
                if maker != Some(Maker::Resource(who)) {
                    return Err(format!("resource {who} is Ready without a live endpoint of its own"));
                }
                if resource.deleting {
                    return Err(format!("resource {who} is being deleted, and left Ready"));
                }
            }
            Condition::Stalled(_) => {}
            other => return Err(format!("resource {who} stays {other:?}")),
        }
    }
    if !properties::nothing_is_left(world) {
        return Err("an endpoint is left that is neither stored nor named".to_owned());
    }
    Ok(())
}
