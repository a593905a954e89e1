//! What `deletionPolicy: Retain` does about a create whose answer was lost.

use futures::future::join_all;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use serde_json::json;
use simulator::{Fault, FaultKind, NewEndpoint, Operation, Point};
use testkit::{NETWORK, World, delete, patch};
use webhook_operator::resources::ClusterWebhookNetwork;

const URL: &str = "https://hooks.example.com/charge-events";

/// A world whose operator died while a create was under way that took effect, and whose resource, which is to
/// be retained, was deleted since.
async fn unanswered(name: &str) -> World {
    let world = World::with_own_operator(name).await;
    world
        .simulator
        .inject(Fault::on(Operation::Create, FaultKind::Hang { point: Point::AfterEffect }).until_cleared());
    world.endpoint("charge-events", json!({ "deletionPolicy": "Retain" })).await;
    world.remotely("the create", |view| view.ledger().effects(Operation::Create) == 1).await;
    world.operator().kill();
    world.simulator.clear_faults();
    world.ask_to_delete("charge-events").await;
    world
}

/// The warnings of an unresolved create.
async fn warnings(world: &World) -> Vec<String> {
    let params = ListParams::default().fields("type=Warning,reason=CreateUnresolved");
    let events = world.api::<Event>().list(&params).await.expect("the events can be listed");
    events.items.into_iter().filter_map(|event| event.message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_answer_left_goes_before_the_resource_does() {
    let mut world = unanswered("retain-lost").await;
    world.start_operator();
    world.until_deleted("charge-events").await;
    assert_eq!(world.endpoints(), [], "its secret is lost");
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (1, 1));
    assert_eq!(warnings(&world).await, Vec::<String>::new());
    assert_eq!(world.secret_names().await, Vec::<String>::new());
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// The network's credentials are gone.
    Credentials,
    /// There is no network any more.
    Network,
    /// The API accepts no connection.
    Down,
    /// The API does not accept the token.
    Unauthorized,
    /// The API lists, and deletes nothing.
    NoDeletes,
    /// An endpoint that somebody made by hand looks the same.
    Twin,
}

async fn cause(world: &World, trouble: Trouble) {
    let answer = |status| FaultKind::Answer {
        status,
        headers: Vec::new(),
        body: String::new(),
        point: Point::BeforeEffect,
    };
    let always = |operation, status| {
        world.simulator.inject(Fault::on(operation, answer(status)).until_cleared());
    };
    match trouble {
        Trouble::Credentials => {
            delete(&world.operators_secrets(), &world.namespace).await;
        }
        Trouble::Network => {
            let networks = world.cluster_api::<ClusterWebhookNetwork>();
            delete(&networks, &world.namespace).await;
            // By force, as the operator that would hold it is not there.
            patch(&networks, &world.namespace, json!({ "metadata": { "finalizers": null }})).await;
        }
        Trouble::Down => world.simulator.suspend().await.expect("its ports can be closed"),
        Trouble::Unauthorized => always(Operation::List, 401),
        Trouble::NoDeletes => always(Operation::Delete, 500),
        Trouble::Twin => {
            let twin = NewEndpoint::new(URL).events(["ocpp.message"]);
            world.simulator.insert(NETWORK, twin);
        }
    }
}

/// Whatever is wrong with the network, the resource goes, and what it may leave is told.
async fn lets_go(trouble: Trouble) {
    let mut world = unanswered(&format!("retain-{trouble:?}").to_lowercase()).await;
    cause(&world, trouble).await;
    world.start_operator();
    world.until_deleted("charge-events").await;
    let told = warnings(&world).await;
    assert_eq!(told.len(), 1, "{trouble:?}: {told:?}");
    for part in [
        &format!("create attempt 1 for {URL}, begun at 20"),
        "may be left in the network, where it counts as unmanaged",
    ] {
        assert!(told[0].contains(part), "{trouble:?}: {part:?} in {told:?}");
    }
    let log = world.operator().log();
    let warned = |line: &str| line.contains("WARN") && line.contains("CreateUnresolved");
    assert!(log.lines().any(warned), "{trouble:?}: {log}");
    assert_eq!(world.simulator.ledger().effects(Operation::Delete), 0, "{trouble:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_found_out_is_told_and_holds_nothing_up() {
    let troubles = [
        Trouble::Credentials,
        Trouble::Network,
        Trouble::Down,
        Trouble::Unauthorized,
        Trouble::NoDeletes,
        Trouble::Twin,
    ];
    join_all(troubles.map(lets_go)).await;
}
