//! Where the runs start, and which faults they meet.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use webhook_operator::planning::{Attempt, Purpose, Removal};
use webhook_operator::provider::EndpointStatus;

use super::api::{Api, Events, Lag, Maker, Request, Url};
use super::cluster::{Resource, Secret, Secrets, View};
use super::deeds;
use super::events::Event;
use super::exploration::Scenario;
use super::perform::Outcome;
use super::time::{UNSETTLED, second};
use super::world::{Budget, Deed, World};

/// Every scenario, with the least number of states that it must visit.
pub fn all() -> Vec<(Scenario, usize)> {
    vec![
        (two_creates(), 80_000),
        (two_unanswered(), 45_000),
        (two_outdated(), 20_000),
        (two_deleted(), 45_000),
        (retained(), 70_000),
        (one_create(), 15_000),
        (one_to_the_end(), 55_000),
        (by_hand(), 90_000),
        (in_the_window(), 25_000),
        (secrets(), 50_000),
        (drift(), 90_000),
        (hidden(), 7_000),
        (restored(), 28_000),
        (ownerless(), 120_000),
        (undated(), 22_000),
        (respelt(), 50_000),
        (two_urls(), 75_000),
        (moved_secret(), 55_000),
        (skewed(), 65_000),
        (in_between(), 38_000),
    ]
}

/// Two resources with the same URL, from nothing.
pub fn two_creates() -> Scenario {
    let budget = Budget { crashes: 2, lost: 2, lagging: 1, ..Budget::default() };
    Scenario { name: "two creates", starts: vec![fresh(2, budget)], horizon: 9, depth: 10 }
}

/// Two resources with the same URL, whose creates were not answered: each had no effect, or had it, or
/// has it later.
pub fn two_unanswered() -> Scenario {
    let budget = Budget { crashes: 2, lost: 2, lagging: 1, ..Budget::default() };
    let outcomes = [Outcome::RequestLost, Outcome::AnswerLost, Outcome::Late];
    let pairs = outcomes.into_iter().flat_map(|first| outcomes.map(|second| [first, second]));
    let starts = pairs.map(|[first, second]| {
        let mut world = fresh(2, budget.clone());
        world.process.list(&world.api, world.now, Lag::None);
        sent(&mut world, 0, first);
        sent(&mut world, 1, second);
        world
    });
    Scenario { name: "two unanswered", starts: starts.collect(), horizon: 9, depth: 11 }
}

/// Two resources, and processes that start with an outdated cache.
pub fn two_outdated() -> Scenario {
    let budget = Budget { crashes: 2, stale: 1, ..Budget::default() };
    // One create was answered a moment ago, the other, recorded before, is in flight, and the next crash comes: the cache may
    // miss the event that shows the first attempt.
    let mut under_way = fresh(2, Budget { crashes: 1, ..budget.clone() });
    under_way.process.list(&under_way.api, under_way.now, Lag::None);
    under_way.act(0, Outcome::Done, None);
    under_way.advance();
    under_way.act(1, Outcome::Done, None);
    under_way.act(0, Outcome::Done, None);
    under_way.advance();
    under_way.act(1, Outcome::Late, None);
    Scenario { name: "two outdated", starts: vec![fresh(2, budget), under_way], horizon: 6, depth: 10 }
}

/// Two resources with the same URL that are deleted, at any moment.
pub fn two_deleted() -> Scenario {
    let deeds = BTreeSet::from([Deed::DeleteResource(0), Deed::DeleteResource(1)]);
    let budget = Budget { crashes: 1, lost: 2, deeds, ..Budget::default() };
    let mut listed = fresh(2, budget.clone());
    listed.process.list(&listed.api, listed.now, Lag::None);
    let starts = vec![listed, ready(2, budget)];
    Scenario { name: "two deleted", starts, horizon: 7, depth: 8 }
}

/// A resource that is to be retained and is deleted at any moment, in a network that may be given up.
pub fn retained() -> Scenario {
    let deeds = BTreeSet::from([Deed::DeleteResource(0), Deed::IdenticalJustBefore]);
    let budget = Budget { crashes: 1, lost: 2, lagging: 1, shut: 1, deeds, ..Budget::default() };
    let declared = || Resource { policy: Removal::Retain, ..Resource::declared(Events::Ocpp) };
    let view = || View { resource: Some(Arc::new(declared())), ..View::default() };
    let new = World::starting_with(vec![view()], Api::default(), budget);
    let mut listed = new.clone();
    listed.process.list(&listed.api, listed.now, Lag::None);
    let unanswered = [Outcome::RequestLost, Outcome::AnswerLost, Outcome::Late].map(|outcome| {
        let mut world = listed.clone();
        sent(&mut world, 0, outcome);
        world
    });
    let mut stored = listed.clone();
    sent(&mut stored, 0, Outcome::Done);
    stored.act(0, Outcome::Done, None);
    let starts = [new, stored].into_iter().chain(unanswered).collect();
    Scenario { name: "retained", starts, horizon: 9, depth: 10 }
}

/// One resource, and all that can happen to a create.
pub fn one_create() -> Scenario {
    let deeds = BTreeSet::from([Deed::Disable(0)]);
    let budget = Budget { crashes: 1, lost: 1, refused: 1, lagging: 2, deeds, ..Budget::default() };
    Scenario { name: "one create", starts: vec![fresh(1, budget)], horizon: 9, depth: 11 }
}

/// An identical endpoint that somebody makes by hand while a create is under way that is answered.
pub fn in_the_window() -> Scenario {
    let deeds = BTreeSet::from([Deed::Identical, Deed::ForeignSecret(0), Deed::DeleteResource(0)]);
    let budget = Budget { refused: 1, lagging: 1, denials: 1, resyncs: 2, deeds, ..Budget::default() };
    Scenario { name: "in the window", starts: vec![fresh(1, budget)], horizon: 7, depth: 10 }
}

/// One resource, every fault, and far.
pub fn one_to_the_end() -> Scenario {
    let deeds = BTreeSet::from([Deed::ChangeEvents(0), Deed::DeleteResource(0)]);
    let budget = Budget { crashes: 2, lost: 2, refused: 1, lagging: 1, stale: 1, deeds, ..Budget::default() };
    Scenario { name: "one to the end", starts: vec![fresh(1, budget)], horizon: 10, depth: 10 }
}

/// Endpoints that somebody makes by hand, with the same URL.
pub fn by_hand() -> Scenario {
    let deeds = BTreeSet::from([Deed::IdenticalJustBefore, Deed::IdenticalListed, Deed::OtherEvents]);
    let budget = Budget { crashes: 1, lost: 2, lagging: 1, gaps: 1, deeds, ..Budget::default() };
    let mut world = fresh(1, budget);
    world.api.by_hand(Url::Usual, Events::Ocpp, 0, SignedDuration::from_hours(1));
    world.api.by_hand(Url::Elsewhere, Events::Ocpp, 0, SignedDuration::ZERO);
    let mut sent_once = world.clone();
    sent_once.process.list(&sent_once.api, sent_once.now, Lag::None);
    let listed = Event::Deed(Deed::IdenticalListed);
    let mut sent_once = sent_once.after(listed, None);
    sent(&mut sent_once, 0, Outcome::RequestLost);
    Scenario { name: "by hand", starts: vec![world, sent_once], horizon: 8, depth: 9 }
}

/// Secrets that can't be written, that somebody else makes, or that go.
pub fn secrets() -> Scenario {
    let deeds = BTreeSet::from([Deed::ForeignSecret(0), Deed::DeleteSecret(0)]);
    let budget = Budget { crashes: 1, lost: 1, refused: 1, denials: 1, stale: 1, deeds, ..Budget::default() };
    Scenario { name: "secrets", starts: vec![fresh(1, budget)], horizon: 7, depth: 11 }
}

/// An endpoint that was just made, and that neither lists nor reads show for as long as they may.
pub fn hidden() -> Scenario {
    let budget = Budget { lagging: 4, resyncs: 2, ..Budget::default() };
    Scenario { name: "hidden", starts: vec![fresh(1, budget)], horizon: 9, depth: 13 }
}

/// A resource that is Ready, and what becomes of its endpoint.
pub fn drift() -> Scenario {
    let deeds =
        BTreeSet::from([Deed::DeleteEndpoint(0), Deed::ChangeEvents(0), Deed::Disable(0), Deed::OtherEvents]);
    let budget =
        Budget { crashes: 1, lost: 1, gaps: 1, failovers: 1, resyncs: 2, deeds, ..Budget::default() };
    Scenario { name: "drift", starts: vec![ready(1, budget)], horizon: 9, depth: 10 }
}

/// A backup brought back one without the other: the Secret without the status, the status without the
/// Secret, or two resources with one endpoint.
pub fn restored() -> Scenario {
    let made = |maker, views, deeds: &[Deed]| {
        let deeds = deeds.iter().copied().collect();
        let budget = Budget { crashes: 1, lost: 1, stale: 1, resyncs: 1, deeds, ..Budget::default() };
        let mut api = Api::default();
        api.post(0, Request::usual(), 0, 0);
        api.endpoints[0].maker = maker;
        World::starting_with(views, api, budget)
    };
    let secret = Secret::Held { endpoint: 0, attempt: 1, genuine: true, previous: Vec::new() };
    let declared = || Resource::declared(Events::Ocpp);
    let recorded = || Resource {
        finalizer: true,
        recorded: Some(0),
        recorded_url: Some((Url::Usual, false)),
        resolved: 1,
        ..declared()
    };
    let view =
        |resource, secret| View { resource: Some(Arc::new(resource)), secrets: Secrets::first(secret) };
    let former = Attempt {
        uid: "uid of the resource in the backup".to_owned(),
        number: 1,
        since: second(0),
        started_at: second(0),
        until: None,
        posts: 1,
        url: Url::Usual.text().into(),
        enabled_events: Events::Ocpp.set(),
        status: EndpointStatus::Active,
        known: BTreeSet::new(),
        purpose: Purpose::First,
        request: None,
    };
    let restored = Resource { attempt: Some(Arc::new(former)), ..declared() };
    let mut starts = vec![
        made(Maker::Resource(0), vec![view(declared(), secret.clone())], &[Deed::DeleteResource(0)]),
        made(
            Maker::Resource(0),
            vec![view(recorded(), Secret::Absent)],
            &[Deed::RestoreSecret(0), Deed::DeleteResource(0)],
        ),
        made(
            Maker::Resource(0),
            vec![view(recorded(), secret), view(recorded(), Secret::Absent)],
            &[Deed::DeleteResource(0), Deed::DeleteResource(1)],
        ),
        // The Secret comes back at any time after the resource: until then nothing tells whose it is.
        made(Maker::Hand, vec![view(restored.clone(), Secret::Absent)], &[Deed::RestoreSecret(0)]),
    ];
    // Also between a plan and its performance.
    let between = starts.last().cloned().map(|mut world| {
        world.budget = Budget { between: 1, deeds: world.budget.deeds, ..Budget::default() };
        world
    });
    starts.extend(between);
    Scenario { name: "restored", starts, horizon: 6, depth: 11 }
}

/// A Secret that loses its owner reference, or comes back from a backup without one.
pub fn ownerless() -> Scenario {
    let deeds = BTreeSet::from([
        Deed::StripSecret(0),
        Deed::DeleteResource(0),
        Deed::DeleteEndpoint(0),
        Deed::ChangeUrl(0),
    ]);
    let budget = Budget { crashes: 1, lost: 1, stale: 1, resyncs: 1, deeds, ..Budget::default() };
    let mut starts = vec![fresh(1, budget.clone()), ready(1, budget.clone())];
    for policy in [Removal::Delete, Removal::Retain] {
        let mut api = Api::default();
        api.post(0, Request::usual(), 0, 0);
        let resource = Resource { policy, ..Resource::declared(Events::Ocpp) };
        let view = View { resource: Some(Arc::new(resource)), ..View::default() };
        let secret = Secret::Released { endpoint: 0, attempt: 1, previous: Vec::new() };
        let back = View { secrets: Secrets::first(secret), ..view.clone() };
        starts.push(World::starting_with(vec![back], api.clone(), budget.clone()));
        // It comes back at any time after the resource: until then nothing tells whose it is.
        api.endpoints[0].maker = Maker::Hand;
        let deeds = [Deed::RestoreOwnerless(0), Deed::DeleteResource(0)].into();
        starts.push(World::starting_with(vec![view], api, Budget { deeds, ..budget.clone() }));
    }
    Scenario { name: "ownerless", starts, horizon: 6, depth: 10 }
}

/// An API that leaves `createdAt` out.
pub fn undated() -> Scenario {
    let budget = Budget { crashes: 1, lost: 2, lagging: 1, ..Budget::default() };
    let mut world = fresh(2, budget);
    world.api.undated = true;
    Scenario { name: "undated", starts: vec![world], horizon: 7, depth: 9 }
}

/// An API that shows URLs in another spelling than they were sent.
pub fn respelt() -> Scenario {
    let deeds = BTreeSet::from([Deed::ChangeUrl(0)]);
    let budget = Budget { crashes: 1, lost: 2, lagging: 1, deeds, ..Budget::default() };
    let mut world = fresh(2, budget);
    world.api.slashing = true;
    Scenario { name: "respelt", starts: vec![world], horizon: 7, depth: 9 }
}

/// A resource whose URL changes, at any moment, to what another one declares.
pub fn two_urls() -> Scenario {
    let deeds = BTreeSet::from([Deed::ChangeUrl(0), Deed::DeleteResource(0)]);
    let budget = Budget { crashes: 1, lost: 2, lagging: 1, deeds, ..Budget::default() };
    let mut world = fresh(2, budget);
    let other = Resource::declared(Events::Ocpp);
    let request = Request { url: Url::New, ..other.request };
    world.places[1].now.resource = Some(Arc::new(Resource { request, ..other }));
    world.process.views[1] = world.places[1].now.clone();
    Scenario { name: "two URLs", starts: vec![world], horizon: 8, depth: 9 }
}

/// A resource whose Secret gets another name, at any moment.
pub fn moved_secret() -> Scenario {
    let deeds = BTreeSet::from([Deed::MoveSecret(0), Deed::ForeignSecret(0), Deed::DeleteResource(0)]);
    let budget = Budget { crashes: 2, lost: 2, denials: 1, stale: 1, deeds, ..Budget::default() };
    let starts = vec![fresh(1, budget.clone()), ready(1, budget)];
    Scenario { name: "moved Secret", starts, horizon: 7, depth: 9 }
}

/// An API whose `createdAt` and `Date` come from clocks that disagree, as far as is allowed for.
pub fn skewed() -> Scenario {
    let budget = Budget { crashes: 1, lost: 2, lagging: 1, ..Budget::default() };
    let starts = [-4, 4].map(|skew| {
        let mut world = fresh(2, budget.clone());
        world.api.skew = skew;
        world
    });
    Scenario { name: "skewed", starts: starts.into(), horizon: 8, depth: 9 }
}

/// What happens between plan and performance of a step.
pub fn in_between() -> Scenario {
    let deeds = BTreeSet::from([
        Deed::ChangeEvents(0),
        Deed::DeleteResource(0),
        Deed::DeleteSecret(0),
        Deed::ForeignSecret(0),
        Deed::Disable(0),
    ]);
    let budget = Budget { crashes: 1, lost: 1, between: 2, deeds, ..Budget::default() };
    let ready = ready(1, budget.clone());
    let mut changed = ready.clone();
    deeds::perform(&mut changed, Deed::ChangeEvents(0));
    changed.catch_up(0);
    let starts = vec![fresh(1, budget), ready, changed];
    Scenario { name: "in between", starts, horizon: 8, depth: 9 }
}

fn fresh(resources: usize, budget: Budget) -> World {
    let view = || View { resource: Some(Arc::new(Resource::declared(Events::Ocpp))), ..View::default() };
    World::starting_with((0..resources).map(|_| view()).collect(), Api::default(), budget)
}

/// Records the attempt of resource `who` and sends it.
fn sent(world: &mut World, who: usize, outcome: Outcome) {
    world.act(who, Outcome::Done, None);
    world.act(who, outcome, None);
}

/// Resources that are Ready, and whose creates settled.
pub fn ready(resources: usize, budget: Budget) -> World {
    let mut world = fresh(resources, budget);
    world.process.list(&world.api, world.now, Lag::None);
    for who in world.everybody() {
        sent(&mut world, who, Outcome::Done);
        world.act(who, Outcome::Done, None);
        world.act(who, Outcome::Done, None);
    }
    (0..=UNSETTLED).for_each(|_| world.advance());
    world.process.list(&world.api, world.now, Lag::None);
    world
}
