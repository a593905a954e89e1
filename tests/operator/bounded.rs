//! However an API answers, one resource is not acted on more often than its pauses allow.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use simulator::{EndpointId, Fault, FaultKind, Ledger, Operation, Point};
use testkit::audit::Mark;
use testkit::{NETWORK, World, condition, endpoint_id, has_condition, message};
use webhook_operator::resources::WebhookEndpoint;

const URL: &str = "https://hooks.example.com/troubled";
/// How long the API answers at random.
const TROUBLE: Duration = Duration::from_secs(20);
/// More random answers than any operation is asked for.
const ANSWERS: usize = 60;

/// How often the same may be done within a time: twice, and then after pauses that double from half a second.
fn allowed(time: Duration) -> usize {
    let mut pause = Duration::from_millis(500);
    let (mut count, mut passed) = (2, pause);
    while passed <= time {
        count += 1;
        pause = (2 * pause).min(Duration::from_mins(5));
        passed += pause;
    }
    count
}

/// An answer to an operation about the troubled resource, right or wrong, beside a neighbour's endpoint.
fn any_answer(rng: &mut StdRng, operation: Operation, neighbour: &Value) -> FaultKind {
    let point = *[Point::BeforeEffect, Point::AfterEffect].choose(rng).expect("two");
    let answer = |status, body: String| FaultKind::Answer { status, headers: Vec::new(), body, point };
    match rng.random_range(0..16) {
        0..3 => FaultKind::AlterBody { patch: json!({}) },
        3 => answer(*[200, 201, 204].choose(rng).expect("some"), String::new()),
        4 => answer(200, r#"{"data": []}"#.to_owned()),
        5 => answer(200, r#"{"data": {"id": {}, "items": 7, "secret": []}}"#.to_owned()),
        6 => answer(200, "<html><body>Please log in</body></html>".to_owned()),
        7 => answer(*[404, 409, 410, 422].choose(rng).expect("some"), "{}".to_owned()),
        8 => answer(500, "oops".to_owned()),
        9 => FaultKind::Reset { point },
        10 => FaultKind::Hang { point },
        11 => FaultKind::Truncate,
        12 if operation == Operation::List => {
            FaultKind::AlterBody { patch: json!({ "data": { "items": null } }) }
        }
        12 => FaultKind::AlterEndpoint { patch: json!({ "id": format!("wh_{}", rng.random::<u32>()) }) },
        13 if operation == Operation::List => {
            FaultKind::AlterBody { patch: json!({ "data": { "items": [] } }) }
        }
        13 => answer(200, json!({ "data": neighbour }).to_string()),
        14 => FaultKind::without_secret(),
        _ => FaultKind::AlterEndpoint { patch: json!({ "enabledEvents": ["asset.connectivity"] }) },
    }
}

/// How often each operation was asked for, but for those about the neighbour.
fn counts(ledger: &Ledger, neighbour: &EndpointId) -> BTreeMap<Operation, usize> {
    let operations = [Operation::Create, Operation::Get, Operation::Patch, Operation::Delete];
    let troubled = |operation: Operation| {
        let calls = ledger.calls(operation).filter(|call| call.id.as_ref() != Some(neighbour));
        (operation, calls.filter(|call| call.completes.is_none()).count())
    };
    operations.into_iter().map(troubled).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_sequence_of_answers_makes_calls_without_end() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed} has the same answers again");
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::without_network("bounded").await;
    world.add_network(json!({ "timeout": "1s" })).await;
    world.network_ready().await;
    let neighbour = endpoint_id(&world.ready_endpoint("neighbour", json!({})).await);
    let shown = serde_json::to_value(world.simulator.endpoint(&neighbour)).expect("an endpoint");
    for operation in [Operation::Create, Operation::Get, Operation::Patch, Operation::Delete] {
        for _ in 0..ANSWERS {
            let fault = Fault::on(operation, any_answer(&mut rng, operation, &shown));
            // Calls about the neighbour are answered rightly.
            world.simulator.inject(fault.url(URL));
        }
    }
    for number in 0..ANSWERS {
        let kind = if number % 3 == 0 { any_answer(&mut rng, Operation::List, &shown) } else { right() };
        world.simulator.inject(Fault::on(Operation::List, kind));
    }
    let (mark, sequence) = (Mark::now(), world.simulator.ledger().last_sequence());
    world.endpoint("troubled", json!({ "url": URL })).await;
    tokio::join!(meddle(&world, &mut rng), use_neighbour(&world, &neighbour));

    let counts = counts(&world.simulator.ledger().since(sequence), &neighbour);
    let most = allowed(TROUBLE);
    println!("{counts:?}, of which {most} each may be");
    assert!(counts[&Operation::Create] <= most, "SEED={seed}: {counts:?}");
    assert!(counts[&Operation::Patch] <= most, "SEED={seed}: {counts:?}");
    assert!(counts[&Operation::Delete] <= most, "SEED={seed}: {counts:?}");
    // One that follows a change whose answer did not show the endpoint, and one for an endpoint that was not listed.
    assert!(counts[&Operation::Get] <= 3 * most, "SEED={seed}: {counts:?}");
    let mut writes = world.requests_since(mark);
    writes.retain(|request| request.is_write() && request.name == "troubled" && request.resource != "events");
    assert!(writes.len() <= 10 * most, "SEED={seed}: {} writes to Kubernetes", writes.len());

    world.simulator.clear_faults();
    let resource = settled(&world).await;
    world.check_secret(&resource, "troubled").await;
    let all = i64::try_from(world.endpoints().len()).expect("a few");
    world.network_counts(2, 0, all - 2).await;
}

fn right() -> FaultKind {
    FaultKind::AlterBody { patch: json!({}) }
}

/// Somebody changes and deletes the troubled resource's endpoints.
async fn meddle(world: &World, rng: &mut StdRng) {
    let end = tokio::time::Instant::now() + TROUBLE;
    let mut again = tokio::time::interval(Duration::from_millis(700));
    while tokio::time::Instant::now() < end {
        again.tick().await;
        let found = world.endpoints().into_iter().filter(|endpoint| endpoint.url == URL).collect::<Vec<_>>();
        let Some(endpoint) = found.choose(rng) else { continue };
        if rng.random_bool(0.1) {
            world.simulator.delete(&endpoint.id);
        } else if rng.random_bool(0.5) {
            let events = vec!["asset.connectivity".to_owned()];
            world.simulator.edit(&endpoint.id, |endpoint| endpoint.enabled_events = events);
        }
    }
}

/// Meanwhile its neighbour is changed, and follows.
async fn use_neighbour(world: &World, id: &EndpointId) {
    let end = tokio::time::Instant::now() + TROUBLE;
    let both = ["ocpp.message", "asset.connectivity"];
    for events in [&both[..1], &both[..]].into_iter().cycle() {
        if tokio::time::Instant::now() >= end {
            return;
        }
        world.change("neighbour", json!({ "spec": { "enabledEvents": events } })).await;
        let follows = |view: &simulator::View<'_>| {
            view.endpoint(id).is_some_and(|endpoint| endpoint.enabled_events.len() == events.len())
        };
        world.remotely("the neighbour's events", follows).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Waits until the resource is Ready, by an endpoint that is there; what it asks of a person is done.
async fn settled(world: &World) -> WebhookEndpoint {
    for _ in 0..60 {
        let ready = |resource: &WebhookEndpoint| has_condition(resource, "Ready", "True", "Available");
        let uncertain = |resource: &WebhookEndpoint| {
            condition(resource, "Stalled").is_some_and(|stalled| stalled.reason == "CreateUncertain")
        };
        let either =
            |found: Option<&WebhookEndpoint>| found.is_some_and(|found| ready(found) || uncertain(found));
        let resource = world.until("troubled", "Ready, or uncertain", either).await.expect("it exists");
        if ready(&resource) {
            world.lists(2).await;
            let resource = world.ready("troubled").await;
            // One that was deleted in the end counts as gone only some lists later.
            if world.simulator.endpoint(&endpoint_id(&resource)).is_some() {
                return resource;
            }
            continue;
        }
        let said = message(&resource, "Stalled").to_owned();
        for endpoint in world.simulator.endpoints(NETWORK) {
            if said.contains(endpoint.id.as_str()) {
                world.simulator.delete(&endpoint.id);
            }
        }
        world.lists(2).await;
    }
    panic!("it is Ready by an endpoint that is gone, or never is")
}

/// An API that accepts a change, says that it was made, and does not make it.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_accepts_and_does_not_apply_is_not_asked_without_end() {
    let world = World::new("no-effect").await;
    let id = endpoint_id(&world.ready_endpoint("hook", json!({ "url": URL })).await);
    let shown = serde_json::to_value(world.simulator.endpoint(&id)).expect("an endpoint");
    let accepts = FaultKind::status(200, json!({ "data": shown }).to_string());
    world.simulator.inject(Fault::on(Operation::Patch, accepts).until_cleared());
    let events = vec!["asset.connectivity".to_owned()];
    world.simulator.edit(&id, |endpoint| endpoint.enabled_events = events);
    let began = tokio::time::Instant::now();
    world.condition("hook", "Reconciling", "True", "BackOff").await;
    world.lists(12).await;
    let patches = world.simulator.ledger().count(Operation::Patch);
    assert!(patches <= allowed(began.elapsed()), "{patches} in {:?}", began.elapsed());
    world.simulator.clear_faults();
    world.ready("hook").await;
}
