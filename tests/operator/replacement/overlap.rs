//! An API that refuses a second endpoint with one URL.

use serde_json::json;
use simulator::{DuplicateUrls, Operation};
use testkit::{Health, World, condition, endpoint_id, kstatus, message};

use super::{ask, changes, kept, live, until, until_next, until_replaced};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_overlap_is_told_and_a_gap_is_a_choice() {
    let world = World::new("overlap").await;
    world.simulator.set_habits(|habits| habits.duplicate_urls = DuplicateUrls::Conflict);
    let old = endpoint_id(&world.ready_endpoint("hook", kept()).await);
    ask(&world, "1").await;
    let told = world.condition("hook", "Stalled", "True", "OverlapRefused").await;
    assert!(message(&told, "Synced").contains("set spec.rotation.overlap to None"), "{told:?}");
    assert_eq!(condition(&told, "Ready").unwrap().status, "True", "the current one is as it was");
    assert_eq!(kstatus(&told).status, Health::Failed);
    world.lists(2).await;
    assert_eq!(live(&world), [(old.clone(), "active".into())]);

    let sequence = world.simulator.ledger().last_sequence();
    world.change("hook", json!({ "spec": { "rotation": { "overlap": "None" } } })).await;
    let new = until_replaced(&world, &old).await;
    assert_eq!(
        changes(&world, sequence),
        [format!("delete {old}"), format!("create {new} enabledEvents,status,url")]
    );
    assert_eq!(live(&world), [(new, "active".into())]);
    let done = until(&world, "done", |status| status.handled_rotation.is_some()).await;
    assert_eq!(done.status.as_ref().unwrap().retiring, []);
    world.check_secret(&done, "hook").await;
    assert_eq!(world.secret_value("hook", "previousSecret").await, None);
}

/// Where drift is only reported, an endpoint that we deleted ourselves is none that somebody else did.
#[tokio::test(flavor = "multi_thread")]
async fn without_an_overlap_also_where_drift_is_only_reported() {
    let mut world = World::with_own_operator("overlap-report").await;
    let rotation = json!({ "overlap": "None" });
    let spec = json!({ "driftPolicy": "Report", "rotation": rotation });
    let old = endpoint_id(&world.ready_endpoint("hook", spec).await);
    world.simulator.inject(
        simulator::Fault::on(
            Operation::Create,
            simulator::FaultKind::Hang { point: simulator::Point::BeforeEffect },
        )
        .until_cleared(),
    );
    ask(&world, "1").await;
    world.remotely("a create", |view| view.in_flight(Operation::Create) > 0).await;
    assert_eq!(live(&world), [], "the old one went first");
    world.operator().kill();
    world.simulator.clear_faults();
    world.start_operator();
    until_replaced(&world, &old).await;
    assert_eq!(live(&world).len(), 1);
}

/// Another URL has no other endpoint to be in the way of.
#[tokio::test(flavor = "multi_thread")]
async fn another_url_overlaps_all_the_same() {
    let world = World::new("overlap-url").await;
    world.simulator.set_habits(|habits| habits.duplicate_urls = DuplicateUrls::Conflict);
    let old = endpoint_id(&world.ready_endpoint("hook", kept()).await);
    world.change("hook", json!({ "spec": { "url": "https://hooks.example.com/new" } })).await;
    until_replaced(&world, &old).await;
    world.change("hook", json!({ "spec": { "rotation": { "activateAfter": "1h" } } })).await;
    world.change("hook", json!({ "spec": { "url": "https://hooks.example.com/newer" } })).await;
    until_next(&world).await;
}
