//! Many resources at once.

use serde_json::json;
use simulator::Operation;
use testkit::audit::Mark;
use testkit::{World, texts};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_resources_at_once_have_an_endpoint_and_the_true_secret_each() {
    const COUNT: usize = 100;
    let world = World::new("hundred").await;
    let mark = Mark::now();
    world.endpoints_named((0..COUNT).map(|number| format!("e{number:02}")), &json!({})).await;
    let resources = world.all_ready(COUNT).await;
    world.network_counts(100, 0, 0).await;
    world.lists(1).await;

    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.writes()), (COUNT, COUNT));
    for resource in &resources {
        let name = resource.metadata.name.as_deref().expect("a name");
        world.check_secret(resource, name).await;
    }
    let requests = world.requests_since(mark);
    let (dry, wet): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.dry_run);
    assert_eq!(dry.len(), 1, "one dry run for the namespace: {:?}", texts(dry));
    assert_eq!(wet.len(), 4 * COUNT, "three writes and an Event for each: {:?}", texts(wet));
}
