//! Where one endpoint takes the place of another, and which faults that meets.

use std::collections::BTreeSet;
use std::sync::Arc;

use webhook_operator::planning::Removal;

use super::cluster::Resource;
use super::exploration::Scenario;
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
    ]
}

/// A rotation, and another one at any moment of it.
fn rotated() -> Scenario {
    let deeds = BTreeSet::from([Deed::Rotate(0), Deed::RotateAgain(0), Deed::ChangeEvents(0)]);
    let budget = Budget { crashes: 1, lost: 1, deeds, ..Budget::default() };
    Scenario { name: "rotated", starts: vec![ready(1, budget)], horizon: 12, depth: 12 }
}

/// Two resources with the same URL are rotated, while an answer is lost, or lists lag.
fn rotated_together() -> Scenario {
    let deeds = BTreeSet::from([Deed::Rotate(0), Deed::Rotate(1)]);
    let budget = Budget { crashes: 1, lost: 1, lagging: 1, deeds, ..Budget::default() };
    Scenario { name: "rotated together", starts: vec![ready(2, budget)], horizon: 10, depth: 10 }
}

/// The URL is changed and changed back, while the Secret moves, or an endpoint is set inactive or deleted.
fn url_and_back() -> Scenario {
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

/// A resource is let go at any moment of a rotation.
fn rotated_and_let_go() -> Scenario {
    let deeds = BTreeSet::from([Deed::Rotate(0), Deed::DeleteResource(0)]);
    let budget = Budget { crashes: 1, lost: 1, stale: 1, shut: 1, deeds, ..Budget::default() };
    let retained = |mut world: World| {
        let resource = world.places[0].now.resource.as_deref().cloned().expect("it is there");
        world.places[0].now.resource = Some(Arc::new(Resource { policy: Removal::Retain, ..resource }));
        world.process.views[0] = world.places[0].now.clone();
        world
    };
    let starts = vec![ready(1, budget.clone()), retained(ready(1, budget))];
    Scenario { name: "rotated and let go", starts, horizon: 10, depth: 10 }
}
