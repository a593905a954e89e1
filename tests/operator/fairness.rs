//! Who goes first: told by the order of calls, and not by time. One resource of the network is reconciled at a time, and its
//! call is held back until everybody else has come.

use serde_json::json;
use simulator::{Effect, Fault, FaultKind, Hold, Operation};
use testkit::{World, endpoint_id, patch};
use webhook_operator::resources::ClusterWebhookNetwork;

/// How many neighbours there are.
const NEIGHBOURS: usize = 60;

/// A world whose network has one resource reconciled at a time, beside another network.
async fn world_of_one_turn(name: &str) -> World {
    let mut world = World::without_operator(name).await;
    world.options.arguments.extend(["--concurrency", "1"].map(str::to_owned));
    world.add_network(json!({ "resyncInterval": "1h", "timeout": "30s" })).await;
    world.add_good_cluster_network("other", json!({})).await;
    world.start_operator();
    world.network_ready().await;
    world
}

fn neighbours() -> impl Iterator<Item = String> {
    (0..NEIGHBOURS).map(|number| format!("neighbour{number:02}"))
}

/// Holds back the next call of this kind.
fn hold(world: &World, operation: Operation) {
    world.simulator.inject(Fault::on(operation, FaultKind::Latency { hold: Hold::UntilReleased }));
}

/// Applies a resource while a call is held back, and lets that go. Tells how many calls that change something were made
/// after that one and before the one that made the endpoint of what was applied.
async fn apply_and_release(world: &World, held: Operation) -> usize {
    world.remotely("a call", |view| view.in_flight(held) > 0).await;
    let applied = world.endpoint("applied", json!({})).await;
    // Once this one is Ready, which was applied later, the other one was seen, too.
    world.endpoint_of("other", "witness", json!({})).await;
    world.ready("witness").await;
    let before = world.simulator.ledger().last_sequence();
    world.simulator.release();
    world.ready("applied").await;
    let ledger = world.simulator.ledger().since(before);
    let made = ledger.created(&applied.spec.url).pop().expect("it was made");
    let changes =
        ledger.entries().iter().filter(|entry| entry.operation.is_write() && entry.completes.is_none());
    changes.take_while(|entry| entry.id.as_ref() != Some(&made)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_applies_goes_ahead_of_the_drift_of_many() {
    let world = world_of_one_turn("fair-drift").await;
    world.endpoints_named(neighbours(), &json!({})).await;
    let resources = world.all_ready(NEIGHBOURS).await;
    for resource in &resources {
        world.simulator.edit(&endpoint_id(resource), |endpoint| {
            endpoint.enabled_events = ["asset.connectivity".to_owned()].into();
        });
    }
    hold(&world, Operation::Patch);
    let begun = world.simulator.ledger().last_sequence();
    let ask = json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": "now" } } });
    world.change("neighbour00", ask).await;
    let overtaken = apply_and_release(&world, Operation::Patch).await;
    assert!(overtaken <= 1, "{overtaken} went first");
    world
        .remotely("all corrected", |view| {
            let ledger = view.ledger().since(begun);
            ledger.effects(Operation::Patch) == NEIGHBOURS
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_applies_goes_ahead_of_many_that_fail_in_a_full_resync() {
    let world = world_of_one_turn("fair-failing").await;
    let refuse = |world: &World| {
        for name in neighbours() {
            let refused = FaultKind::status(422, r#"{"message":"no such host"}"#);
            let fault =
                Fault::on(Operation::Create, refused).url(format!("https://hooks.example.com/{name}"));
            world.simulator.inject(fault.until_cleared());
        }
    };
    refuse(&world);
    world.endpoints_named(neighbours(), &json!({})).await;
    for name in neighbours() {
        world.condition(&name, "Stalled", "True", "Refused").await;
    }
    world.simulator.clear_faults();
    hold(&world, Operation::Create);
    refuse(&world);
    let begun = world.simulator.ledger().last_sequence();
    // Another client for its API: all of the network are looked at again.
    patch(
        &world.cluster_api::<ClusterWebhookNetwork>(),
        &world.namespace,
        json!({ "spec": { "timeout": "29s" } }),
    )
    .await;
    let overtaken = apply_and_release(&world, Operation::Create).await;
    assert!(overtaken <= 1, "{overtaken} went first");
    let of_neighbours = world.simulator.ledger().since(begun);
    let of_neighbours =
        of_neighbours.calls(Operation::Create).filter(|entry| entry.effect != Effect::Applied);
    assert!(of_neighbours.count() < NEIGHBOURS - 1, "else nothing shows that they were overtaken");
}
