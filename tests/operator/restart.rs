//! The operator stops, or is stopped, and starts again.

use std::time::Duration;

use serde_json::json;
use simulator::{Fault, FaultKind, Hold, Operation};
use testkit::audit::Mark;
use testkit::{OperatorOptions, World, eventually, service_account_kubeconfig};

/// A fleet of every kind of state that a converged one can be in, and what it costs after a start.
async fn check_nothing_is_rewritten(world: &World, mark: Mark, sequence: u64) {
    world.lists(4).await;
    let mut writes = mark.requests(world.operator());
    writes.retain(testkit::audit::Request::is_write);
    assert!(writes.is_empty(), "the API server was written to: {writes:?}");
    let ledger = world.simulator.ledger().since(sequence);
    assert_eq!(ledger.writes(), 0);
    // That the endpoint to adopt is not there is not believed of a list alone.
    let asked = ledger.calls(Operation::Get).filter_map(|call| call.id.as_ref()).collect::<Vec<_>>();
    assert!(asked.len() <= 1 && asked.iter().all(|id| id.as_str() == "wh_1"), "{asked:?}");
}

async fn converged(name: &str) -> World {
    let world = World::with_own_operator(name).await;
    world.endpoints_named((0..20).map(|number| format!("e{number:02}")), &json!({})).await;
    world.endpoint("inactive", json!({ "status": "inactive", "secret": { "labels": { "a": "b" } } })).await;
    world.all_ready(21).await;
    world.endpoint("stalled", json!({ "adopt": { "endpointId": "wh_1" } })).await;
    world.condition("stalled", "Stalled", "True", "EndpointNotFound").await;
    world.network_counts(21, 0, 0).await;
    world.lists(1).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_rewrites_nothing() {
    let mut world = converged("restart").await;
    assert!(world.operator().stop(), "it stops with success");
    let (mark, sequence) = (Mark::now(), world.simulator.ledger().last_sequence());
    world.start_operator();
    check_nothing_is_rewritten(&world, mark, sequence).await;
    // And it is at work.
    world.change("e00", json!({ "spec": { "status": "inactive" } })).await;
    world.ready("e00").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_an_idle_operator_rewrites_nothing() {
    let mut world = converged("crash").await;
    world.operator().kill();
    let (mark, sequence) = (Mark::now(), world.simulator.ledger().last_sequence());
    world.start_operator();
    check_nothing_is_rewritten(&world, mark, sequence).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_it_was_away_is_caught_up_with() {
    let mut world = World::with_own_operator("away").await;
    world.endpoints_named(["changed", "deleted", "kept"].map(str::to_owned), &json!({})).await;
    world.all_ready(3).await;
    assert!(world.operator().stop());

    world.change("changed", json!({ "spec": { "status": "inactive" } })).await;
    world.endpoint("new", json!({})).await;
    world.ask_to_delete("deleted").await;
    let sequence = world.simulator.ledger().last_sequence();
    world.start_operator();
    world.ready("changed").await;
    let new = world.ready("new").await;
    world.check_secret(&new, "new").await;
    world.until_deleted("deleted").await;
    let ledger = world.simulator.ledger().since(sequence);
    let operations = [Operation::Create, Operation::Patch, Operation::Delete];
    assert_eq!(operations.map(|operation| ledger.count(operation)), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_the_middle_of_creates_loses_nothing() {
    const COUNT: usize = 40;
    let mut world = World::with_own_operator("sigterm").await;
    let slow = FaultKind::Latency { hold: Hold::For(Duration::from_millis(300)) };
    world.simulator.inject(Fault::on(Operation::Create, slow).until_cleared());
    world.endpoints_named((0..COUNT).map(|number| format!("e{number:02}")), &json!({})).await;
    world
        .remotely("creates done and under way", |view| {
            view.ledger().effects(Operation::Create) >= 5 && view.in_flight(Operation::Create) > 0
        })
        .await;
    assert!(world.operator().stop(), "it stops with success");
    let done = world.simulator.ledger().effects(Operation::Create);
    assert!(done < COUNT, "it stopped before all was done, for this test to mean anything");
    assert_eq!(
        world.simulator.view(|view| view.in_flight(Operation::Create)),
        0,
        "it finished what it began"
    );
    assert_eq!(world.secret_names().await.len(), done, "the secret of each endpoint is stored");

    world.simulator.clear_faults();
    world.start_operator();
    for resource in world.all_ready(COUNT).await {
        world.check_secret(&resource, resource.metadata.name.as_deref().expect("a name")).await;
    }
    world.lists(2).await;
    assert_eq!(world.endpoints().len(), COUNT);
    assert_eq!(world.simulator.ledger().writes(), COUNT, "no create was repeated and nothing was deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_reached_the_api_server_stops_when_it_is_asked_to() {
    let mut kubeconfig = service_account_kubeconfig();
    // Nobody listens there.
    kubeconfig["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into();
    let options = OperatorOptions { kubeconfig: Some(kubeconfig), ..OperatorOptions::default() };
    let world = World::with_operator("unreached", options).await;
    let operator = world.operator();
    eventually("a watch that fails", async || operator.log().contains("can't watch").then_some(())).await;
    assert!(operator.stop(), "it stops with success");
}
