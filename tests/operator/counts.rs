//! What the operator costs the API server and the remote API, counted.

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use serde_json::json;
use simulator::Operation;
use testkit::audit::Mark;
use testkit::{World, eventually, texts};

#[tokio::test(flavor = "multi_thread")]
async fn a_create_costs_three_writes_one_event_no_reads_and_one_post() {
    let world = World::with_own_operator("costs").await;
    world.lists(1).await;
    let mark = Mark::now();
    let sequence = world.simulator.ledger().last_sequence();
    for name in ["first", "second", "third"] {
        world.ready_endpoint(name, json!({})).await;
    }
    // What these creates may have set off later shows after two more lists.
    world.lists(2).await;

    let mut expected = vec!["create secrets first (dry run)".to_owned()];
    for name in ["first", "second", "third"] {
        expected.push("create events".to_owned());
        expected.push(format!("create secrets {name}"));
        expected.push(format!("patch webhookendpoints {name}"));
        expected.push(format!("patch webhookendpoints/status {name}"));
    }
    expected.sort_unstable();
    assert_eq!(texts(&world.requests_since(mark)), expected);

    // The network counts its endpoints, once a list at the most.
    let mut elsewhere = mark.requests(world.operator());
    elsewhere.retain(|request| request.namespace != world.namespace);
    let counted = format!("patch clusterwebhooknetworks/status {}", world.namespace);
    assert!(texts(&elsewhere).iter().all(|text| *text == counted), "{elsewhere:?}");
    assert!(elsewhere.len() <= world.simulator.ledger().since(sequence).count(Operation::List));

    let ledger = world.simulator.ledger().since(sequence);
    assert_eq!((ledger.count(Operation::Create), ledger.writes()), (3, 3));
    assert_eq!(ledger.count(Operation::Get), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_converged_fleet_costs_one_page_for_each_hundred_endpoints() {
    const FLEET: usize = 250;
    let world = World::with_own_operator("converged").await;
    world.endpoints_named((0..FLEET).map(|number| format!("e{number:03}")), &json!({})).await;
    world.all_ready(FLEET).await;
    world.network_counts(250, 0, 0).await;
    // Events are sent beside everything else.
    let events = world.api::<Event>();
    let all_told = async || {
        let told = events.list_metadata(&ListParams::default()).await.expect("the Events can be listed");
        (told.items.len() >= FLEET).then_some(())
    };
    eventually("an Event of each create", all_told).await;
    // What was seen may come before its line in the audit log.
    world.lists(1).await;

    let mark = Mark::now();
    let sequence = world.simulator.ledger().last_sequence();
    world.lists(4).await;

    let requests = mark.requests(world.operator());
    assert!(requests.is_empty(), "the API server was asked: {requests:?}");
    let ledger = world.simulator.ledger().since(sequence);
    assert_eq!(ledger.writes(), 0);
    assert_eq!(ledger.count(Operation::Get), 0);
    assert_eq!(ledger.count(Operation::Token), 0);
    let mut pages = world.pages_since(sequence);
    // The last one may still be under way.
    pages.pop();
    assert_eq!(pages, [3, 3, 3], "pages of each resync");
}
