//! Several operators at once: one acts, and another takes over, however that one ends. Real processes, with a real
//! Lease and its real times.

#![allow(
    clippy::expect_used,
    clippy::large_futures,
    clippy::unwrap_used,
    reason = "a test reads as a story, and stops at what it does not expect"
)]

mod wire;

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use simulator::{Fault, FaultKind, Hold, Operation};
use testkit::audit::Mark;
use testkit::{Operator, World, eventually, service_account_kubeconfig, texts};

use self::wire::Wire;

/// What the one that acts has logged, which begins each time it does.
const LEADS: &str = "holds the lease: acts";
/// What follows a call to the remote API, or its failure.
const CALL: &str = "API call";
/// For which the holder of a lease that nobody renews still counts as such.
const LEASE: Duration = Duration::from_secs(15);

/// Waits until one of them acts, and returns it before the others.
async fn leader_of(operators: [Operator; 2]) -> [Operator; 2] {
    let leads = |operator: &Operator| operator.log().contains(LEADS);
    let first = eventually("a leader", async || operators.iter().position(leads)).await;
    let [a, b] = operators;
    if first == 0 { [a, b] } else { [b, a] }
}

/// Two operators that have begun at once, the one that acts first.
async fn two_of(world: &World) -> [Operator; 2] {
    leader_of([world.start_replica(), world.start_replica()]).await
}

async fn until_it_leads(operator: &Operator) {
    eventually("the other one to act", async || operator.log().contains(LEADS).then_some(())).await;
}

async fn is_ready(operator: &Operator) -> bool {
    let address = eventually("an address", async || operator.health_address()).await;
    let answer = reqwest::get(format!("http://{address}/readyz")).await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// The writes of an operator since, but to the Lease.
fn writes(operator: &Operator, mark: Mark) -> Vec<String> {
    let requests = mark.requests(operator);
    texts(requests.iter().filter(|request| request.is_write() && request.resource != "leases"))
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("hook-{number}"))
}

/// Checks that each resource has one endpoint, and the secret of that one.
async fn assert_whole(world: &World, count: usize) {
    let resources = world.all_ready(count).await;
    assert_eq!(world.endpoints().len(), count);
    for resource in resources {
        world.check_secret(&resource, resource.metadata.name.as_deref().unwrap()).await;
    }
    assert_eq!(world.all::<Secret>().await.len(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_begin_at_once_one_acts_and_gives_the_lease_to_the_other_when_it_is_stopped() {
    let world = World::of_replicas("handover").await;
    let mark = Mark::now();
    let [leader, standby] = two_of(&world).await;
    world.endpoints_named(names(20), &json!({})).await;
    assert_whole(&world, 20).await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 20);
    eventually("a standby whose caches are full", async || is_ready(&standby).await.then_some(())).await;
    assert!(is_ready(&leader).await);
    assert_eq!(writes(&standby, mark), [""; 0]);
    assert!(!standby.log().contains(CALL), "it only watches");

    let asked = Instant::now();
    assert!(leader.stop(), "it stops with success");
    let given_up = world.lease().await.expect("a Lease").spec.expect("a spec");
    let (before, now) = (given_up.lease_transitions, given_up.holder_identity.unwrap_or_default());
    assert!(leader.log().contains("the lease is given up"), "{}", leader.log());
    until_it_leads(&standby).await;
    assert!(asked.elapsed() < LEASE, "it did not have to run out");
    world.endpoint("later", json!({})).await;
    world.ready("later").await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 21);
    assert_eq!(world.simulator.ledger().writes(), 21);
    let taken = world.lease().await.expect("a Lease").spec.expect("a spec");
    if now.is_empty() {
        assert_eq!(taken.lease_transitions, before.map(|before| before + 1));
    }
    assert!(taken.holder_identity.is_some_and(|holder| !holder.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_in_the_midst_of_creates_is_followed_when_its_lease_has_run_out() {
    let world = World::of_replicas("killed").await;
    let [leader, standby] = two_of(&world).await;
    world.endpoints_named(names(60), &json!({})).await;
    world.remotely("some endpoints", |view| view.ledger().count(Operation::Create) >= 15).await;
    leader.kill();
    let (killed, calls) = (Instant::now(), world.simulator.ledger().last_sequence());
    until_it_leads(&standby).await;
    assert!(killed.elapsed() >= LEASE / 2, "nobody may take it before");
    let ledger = world.simulator.ledger();
    assert!(calls > 0 && ledger.count(Operation::Create) >= 15);
    assert_whole(&world, 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stood_still_until_its_lease_had_run_out_does_nothing_more() {
    let world = World::of_replicas("stopped").await;
    let [leader, standby] = two_of(&world).await;
    world.endpoints_named(names(10), &json!({})).await;
    assert_whole(&world, 10).await;
    // Nothing that it asked is unanswered.
    world.change_network(json!({ "resyncInterval": "1h" })).await;
    world.network_ready().await;
    eventually("a calm", async || {
        let before = world.simulator.ledger().last_sequence();
        tokio::time::sleep(Duration::from_secs(2)).await;
        (world.simulator.ledger().last_sequence() == before).then_some(())
    })
    .await;

    leader.suspend();
    let (mark, logged) = (Mark::now(), leader.log().len());
    until_it_leads(&standby).await;
    // Which it learns of as soon as it goes on.
    world.endpoints_named((0..10).map(|number| format!("later-{number}")), &json!({})).await;
    for name in names(10) {
        world.change(&name, json!({ "spec": { "status": "inactive" } })).await;
    }
    leader.resume();
    world.all_ready(20).await;
    eventually("the one that stood still to see it", async || {
        leader.log()[logged..].contains("acts no more").then_some(())
    })
    .await;
    eventually("it to stand by", async || is_ready(&leader).await.then_some(())).await;
    let since = leader.log()[logged..].to_owned();
    assert!(!since.contains("API call succeeded"), "{since}");
    assert_eq!(writes(&leader, mark), [""; 0]);
    assert_whole(&world, 20).await;
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Patch)), (20, 10));

    // And takes over again.
    assert!(standby.stop());
    world.endpoint("last", json!({})).await;
    world.ready("last").await;
    let log = leader.log();
    assert_eq!(log.matches(LEADS).count(), 2, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_can_not_reach_the_api_server_is_followed_and_stands_by_when_it_can() {
    let mut world = World::of_replicas("unreachable").await;
    let wire = Wire::new().await;
    world.options.kubeconfig = Some(wire.kubeconfig(service_account_kubeconfig()));
    let leader = world.start_replica();
    until_it_leads(&leader).await;
    world.options.kubeconfig = None;
    let standby = world.start_replica();
    world.endpoints_named(names(10), &json!({})).await;
    assert_whole(&world, 10).await;

    wire.cut(true);
    let (mark, logged) = (Mark::now(), leader.log().len());
    world.endpoints_named((0..10).map(|number| format!("later-{number}")), &json!({})).await;
    until_it_leads(&standby).await;
    // From well before.
    let log = leader.log()[logged..].to_owned();
    assert!(log.contains("nothing is done until it is renewed"), "{log}");
    let logged = leader.log().len();
    world.all_ready(20).await;
    // The remote API it could reach.
    let log = leader.log()[logged..].to_owned();
    assert!(!log.contains("API call succeeded"), "{log}");
    wire.cut(false);
    eventually("it to stand by", async || {
        (leader.log()[logged..].contains("acts no more") && is_ready(&leader).await).then_some(())
    })
    .await;
    assert_whole(&world, 20).await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 20);
    assert_eq!(writes(&leader, mark), [""; 0]);
}

/// A secret that only it has must not be lost because it could not renew its lease for a while.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_nobody_follows_goes_on_with_what_it_has_in_memory() {
    let mut world = World::of_replicas("alone").await;
    let wire = Wire::new().await;
    world.options.kubeconfig = Some(wire.kubeconfig(service_account_kubeconfig()));
    let operator = world.start_replica();
    world.ready_endpoint("before", json!({})).await;
    // The way is cut between the call and its answer.
    let slow = Fault::on(Operation::Create, FaultKind::Latency { hold: Hold::UntilReleased });
    world.simulator.inject(slow);
    world.endpoint("hook", json!({})).await;
    world.remotely("a create", |view| view.in_flight(Operation::Create) > 0).await;
    wire.cut(true);
    world.simulator.release();
    eventually("a lease that may have run out", async || {
        operator.log().contains("nothing is done until it is renewed").then_some(())
    })
    .await;
    let (calls, logged) = (world.simulator.ledger().last_sequence(), operator.log().len());
    tokio::time::sleep(LEASE / 3).await;
    assert_eq!(world.simulator.ledger().last_sequence(), calls, "{}", &operator.log()[logged..]);
    wire.cut(false);
    assert_whole(&world, 2).await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 2);
    assert!(operator.log().contains("acts again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_they_are_replaced_one_after_the_other_each_create_is_sent_once() {
    let world = World::of_replicas("rolling").await;
    let mut old = two_of(&world).await;
    world.endpoints_named(names(100), &json!({})).await;
    for _ in 0..2 {
        // As a Deployment does it: the new ones are ready before an old one is asked to stop.
        let new = [world.start_replica(), world.start_replica()];
        for (new, old) in new.iter().zip(&old) {
            eventually("a new one that is ready", async || is_ready(new).await.then_some(())).await;
            assert!(old.stop(), "it stops with success");
        }
        old = new;
    }
    assert_whole(&world, 100).await;
    let ledger = world.simulator.ledger();
    assert_eq!(ledger.count(Operation::Create), 100);
    assert_eq!(ledger.writes(), 100);
}
