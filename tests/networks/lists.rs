//! Lists that go wrong in places: a page that fails, an item that can't be read.

use serde_json::json;
use simulator::{Fault, FaultKind, NewEndpoint, Operation, RetryAfter};
use testkit::{NETWORK, World, endpoint_id};

#[tokio::test(flavor = "multi_thread")]
async fn case_17_ten_thousand_endpoints_with_one_bad_page_in_twenty_are_listed_to_the_end() {
    let world = World::without_network("bad-pages").await;
    for number in 0..10_000 {
        let url = format!("https://{number}.example.com");
        world.simulator.insert(NETWORK, NewEndpoint::new(url).events(["ocpp.message"]));
    }
    for (after, kind) in [
        (15, FaultKind::status(500, "{}")),
        (35, FaultKind::RateLimit { retry_after: Some(RetryAfter::Seconds(1)) }),
        (55, FaultKind::Truncate),
        (75, FaultKind::InvalidJson),
        (95, FaultKind::status(503, "<html>")),
    ] {
        world.simulator.inject(Fault::on(Operation::List, kind).after(after));
    }
    let limits = json!({ "requestsPerSecond": 1000, "burst": 1000 });
    world.add_good_cluster_network("net", json!({ "limits": limits })).await;
    world.cluster_network("net", "Ready", "True", "Available").await;

    let ledger = world.simulator.ledger();
    let beginnings = ledger.calls(Operation::List).filter(|entry| entry.starting_after.is_none()).count();
    assert_eq!(
        (ledger.count(Operation::List), beginnings),
        (105, 1),
        "each bad page was asked for once more"
    );
    world.endpoint_of("net", "e", json!({})).await;
    world.ready("e").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_cannot_be_read_is_no_absence_and_spoils_no_other() {
    let world = World::without_network("bad-items").await;
    world.add_good_cluster_network("net", json!({ "resyncInterval": "1s" })).await;
    for name in ["unreadable", "nameless", "good"] {
        world.endpoint_of("net", name, json!({})).await;
    }
    let unreadable = endpoint_id(&world.ready("unreadable").await);
    let nameless = endpoint_id(&world.ready("nameless").await);
    let good = endpoint_id(&world.ready("good").await);
    let items = json!([
        null,
        { "id": unreadable, "url": 7 },
        // It was set inactive, which is corrected.
        {
            "id": good, "url": "https://hooks.example.com/good", "status": "inactive",
            "enabledEvents": ["ocpp.message"],
        },
    ]);
    let body = json!({ "data": { "items": items, "hasMore": false } }).to_string();
    world.simulator.inject(Fault::on(Operation::List, FaultKind::status(200, body)).until_cleared());
    world.remotely("the drift is corrected", |view| view.ledger().count(Operation::Patch) > 0).await;
    world.lists(3).await;

    for name in ["unreadable", "nameless"] {
        world.condition(name, "Ready", "True", "Available").await;
    }
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Get)), (3, 0));
    assert_eq!(ledger.count(Operation::Delete), 0);

    // A list that can be read is believed.
    world.simulator.clear_faults();
    assert!(world.simulator.delete(&nameless));
    world.remotely("another endpoint", |view| view.ledger().effects(Operation::Create) == 4).await;
}
