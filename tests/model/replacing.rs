//! Where one endpoint takes the place of another, and which faults that meets.

use std::collections::BTreeSet;
use std::sync::Arc;

use webhook_operator::planning::Removal;

use super::cluster::Resource;
use super::deeds;
use super::exploration::Scenario;
use super::recovery::go_on;
use super::scenarios::ready;
use super::world::{Budget, Deed, World};

/// Every scenario, with the least number of states that it must visit.
pub fn all() -> Vec<(Scenario, usize)> {
    vec![
        (rotated(), 60_000),
        (rotated_together(), 10_000),
        (url_and_back(), 40_000),
        (lost_secret(), 60_000),
        (rotated_and_let_go(), 50_000),
        (paused(), 30_000),
        (rotated_again(), 10_000),
    ]
}

/// A rotation, and another one at any moment of it.
pub fn rotated() -> Scenario {
    let deeds = BTreeSet::from([Deed::Rotate(0), Deed::RotateAgain(0), Deed::ChangeEvents(0)]);
    let budget = Budget { crashes: 1, lost: 1, deeds, ..Budget::default() };
    Scenario { name: "rotated", starts: vec![ready(1, budget)], horizon: 12, depth: 12 }
}

/// A rotation while an endpoint that was active before, at the same URL, waits to be deleted, and the answer to its
/// create is lost; by an API that dates its endpoints, and by one that does not.
pub fn rotated_again() -> Scenario {
    let deeds = BTreeSet::from([Deed::RotateAgain(0)]);
    let budget = Budget { crashes: 1, lost: 2, stale: 1, deeds, ..Budget::default() };
    let undated = |mut world: World| {
        world.api.undated = true;
        world
    };
    let starts = vec![retiring(ready(1, budget.clone())), undated(retiring(ready(1, budget)))];
    Scenario { name: "rotated again", starts, horizon: 10, depth: 10 }
}

/// The same after a rotation, where the old endpoint waits to be deleted.
fn retiring(world: World) -> World {
    let budget = world.budget.clone();
    let mut world = World { budget: Budget::default(), ..world };
    deeds::perform(&mut world, Deed::Rotate(0));
    let is_retiring = |world: &World| {
        world.places[0].now.resource.as_ref().is_some_and(|resource| !resource.retiring.is_empty())
    };
    while !is_retiring(&world) {
        assert!(go_on(&mut world, None), "a rotation comes to its end");
    }
    World { budget, ..world }
}

/// Two resources with the same URL are rotated, while an answer is lost, or lists lag.
fn rotated_together() -> Scenario {
    let deeds = BTreeSet::from([Deed::Rotate(0), Deed::Rotate(1)]);
    let budget = Budget { crashes: 1, lost: 1, lagging: 1, deeds, ..Budget::default() };
    Scenario { name: "rotated together", starts: vec![ready(2, budget)], horizon: 10, depth: 10 }
}

/// The URL is changed and changed back, while the Secret moves, or an endpoint is set inactive or deleted.
pub fn url_and_back() -> Scenario {
    let deeds = BTreeSet::from([
        Deed::ChangeUrl(0),
        Deed::ChangeUrlAgain(0),
        Deed::Disable(0),
        Deed::DeleteEndpoint(0),
        Deed::MoveSecret(0),
    ]);
    let budget = Budget { crashes: 1, lost: 1, deeds, ..Budget::default() };
    Scenario { name: "URL and back", starts: vec![ready(1, budget)], horizon: 11, depth: 10 }
}

/// The Secret is lost, at any moment of a rotation, and perhaps brought back.
fn lost_secret() -> Scenario {
    let deeds = BTreeSet::from([Deed::Rotate(0), Deed::DeleteSecret(0), Deed::RestoreSecret(0)]);
    let budget = Budget { crashes: 1, lost: 1, stale: 1, deeds, ..Budget::default() };
    Scenario { name: "lost Secret", starts: vec![ready(1, budget)], horizon: 10, depth: 11 }
}

/// A resource is paused at any moment of a replacement, and goes on, or is deleted.
pub fn paused() -> Scenario {
    let deeds = BTreeSet::from([
        Deed::Rotate(0),
        Deed::ChangeUrl(0),
        Deed::Pause(0),
        Deed::Resume(0),
        Deed::DeleteResource(0),
    ]);
    let budget = Budget { crashes: 1, lost: 1, deeds, ..Budget::default() };
    Scenario { name: "paused", starts: vec![ready(1, budget)], horizon: 10, depth: 10 }
}

/// A resource is let go at any moment of a rotation.
pub fn rotated_and_let_go() -> Scenario {
    let deeds = BTreeSet::from([Deed::Rotate(0), Deed::DeleteResource(0)]);
    let budget = Budget { crashes: 1, lost: 1, stale: 1, shut: 1, deeds, ..Budget::default() };
    let retained = |mut world: World| {
        let resource = world.places[0].now.resource.as_deref().cloned().expect("it is there");
        world.places[0].now.resource = Some(Arc::new(Resource { policy: Removal::Retain, ..resource }));
        world.process.views[0] = world.places[0].now.clone();
        world
    };
    let starts = vec![
        ready(1, budget.clone()),
        retained(ready(1, budget.clone())),
        retiring(ready(1, budget.clone())),
        retained(retiring(ready(1, budget))),
    ];
    Scenario { name: "rotated and let go", starts, horizon: 10, depth: 10 }
}
