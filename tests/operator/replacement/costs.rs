//! What a rotation costs, counted.

use serde_json::json;
use testkit::audit::Mark;
use testkit::{World, endpoint_id, texts};

use super::{ask, changes, kept, slow, until, until_next, until_replaced};

/// What the operator wrote to Kubernetes since, Events and dry runs apart.
fn writes(world: &World, mark: Mark) -> Vec<String> {
    let mut writes = world.requests_since(mark);
    writes.retain(testkit::audit::Request::is_write);
    let mut writes = texts(&writes);
    writes.retain(|text| !text.contains("events") && !text.contains("dry run"));
    writes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_costs_seven_writes_to_kubernetes_and_four_calls() {
    let world = World::with_own_operator("rotation-costs").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    world.lists(1).await;
    let sequence = world.simulator.ledger().last_sequence();

    let mark = Mark::now();
    ask(&world, "1").await;
    until_next(&world).await;
    world.lists(2).await;
    assert_eq!(
        writes(&world, mark),
        ["patch secrets hook", "patch webhookendpoints hook", "patch webhookendpoints/status hook"]
    );

    // While it waits, nothing is asked.
    let mark = Mark::now();
    world.lists(3).await;
    assert_eq!(texts(&world.requests_since(mark)), [""; 0]);
    assert_eq!(changes(&world, sequence).len(), 1);

    let mark = Mark::now();
    world.change("hook", json!({ "spec": kept() })).await;
    until_replaced(&world, &old).await;
    world.lists(2).await;
    let activating = writes(&world, mark);
    assert!(activating.iter().all(|text| text == "patch webhookendpoints/status hook"), "{activating:?}");
    assert!(activating.len() <= 2, "{activating:?}");

    let mark = Mark::now();
    world.change("hook", json!({ "spec": { "rotation": { "retireAfter": "0s" } } })).await;
    until(&world, "without the old one", |status| status.retiring.is_empty()).await;
    world.lists(2).await;
    assert_eq!(writes(&world, mark), ["patch secrets hook", "patch webhookendpoints/status hook"]);
    let verbs = changes(&world, sequence);
    let verbs = verbs.iter().filter_map(|change| change.split(' ').next()).collect::<Vec<_>>();
    assert_eq!(verbs, ["create", "patch", "patch", "delete"]);
}
