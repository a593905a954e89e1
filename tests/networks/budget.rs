//! The budget of a network, and that one network's troubles are not another's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{
    Entry, Fault, FaultKind, Hold, NetworkConfig, NewEndpoint, Operation, Point, RetryAfter, Simulator,
};
use testkit::{NETWORK, OperatorOptions, World, eventually, has_condition, message};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint};

async fn with_limits(name: &str, limits: Value) -> World {
    let world = World::without_network(name).await;
    world.add_good_cluster_network("net", json!({ "limits": limits })).await;
    world.cluster_network("net", "Ready", "True", "Available").await;
    world
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("e{number}"))
}

fn spec_of(world: &World, network: &str) -> Value {
    json!({ "networkRef": { "name": world.named(network) } })
}

/// The calls to the API itself, oldest first.
fn api_calls(world: &World) -> Vec<Entry> {
    let entries = world.simulator.ledger();
    let calls = entries
        .entries()
        .iter()
        .filter(|entry| entry.operation != Operation::Token && entry.completes.is_none());
    calls.cloned().collect()
}

/// Another API, with one network and its credentials, and a network here that leads to it.
async fn add_other_api(world: &World, name: &str) -> Simulator {
    let network = NetworkConfig::new("n_2").client("other-id", "other-secret");
    let other = Simulator::start(simulator::Config::default().network(network)).await.expect("it starts");
    world.store_credentials(name, json!({ "clientId": "other-id", "clientSecret": "other-secret" })).await;
    let auth = json!({ "oauth2ClientCredentials": { "tokenUrl": other.token_url() } });
    world.add_cluster_network(name, json!({ "apiUrl": other.base_url(), "auth": auth })).await;
    world.cluster_network(name, "Ready", "True", "Available").await;
    other
}

/// The most calls that began within any stretch of time as long as `window`.
fn most_within(times: &[Timestamp], window: Duration) -> usize {
    let window = jiff::SignedDuration::try_from(window).expect("a short time");
    let within = |start: &Timestamp| {
        times.iter().filter(|time| *time >= start && time.duration_since(*start) < window).count()
    };
    times.iter().map(within).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_and_burst_are_kept() {
    let world = with_limits("rate", json!({ "requestsPerSecond": 10, "burst": 5, "inFlight": 100 })).await;
    world.endpoints_named(names(30), &spec_of(&world, "net")).await;
    world.all_ready(30).await;
    let times = api_calls(&world).iter().map(|entry| entry.time).collect::<Vec<_>>();
    assert!(times.len() >= 31, "a list and 30 creates");
    // A call counts when it is sent, and is seen here when it arrives: on a busy machine some bunch up.
    let most = most_within(&times, Duration::from_secs(1));
    assert!(most <= 5 + 10 + 4, "{most} calls within a second");
    let whole = times[times.len() - 1].duration_since(times[0]).as_secs_f64();
    assert!(whole >= 2.0, "{} calls took {whole} s only", times.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_the_budget_is_told_on_the_resource_and_not_on_the_network() {
    let world = World::without_network("budget").await;
    let limits = json!({ "requestsPerSecond": 1, "burst": 1, "inFlight": 4 });
    let settings = json!({ "limits": limits, "timeout": "1s", "resyncInterval": "1s" });
    world.add_good_cluster_network("net", settings).await;
    let ready_since = async || {
        world.cluster_network("net", "Ready", "True", "Available").await;
        let networks = world.cluster_api::<ClusterWebhookNetwork>();
        let network = networks.get(&world.named("net")).await.expect("the network");
        let mut conditions = network.status.expect("a status").conditions.into_iter();
        conditions.find(|found| found.type_ == "Ready").map(|ready| ready.last_transition_time)
    };
    let before = ready_since().await;
    world.endpoints_named(names(8), &spec_of(&world, "net")).await;
    let waits = eventually("a resource that waits", async || {
        let found = world.all::<WebhookEndpoint>().await;
        found.into_iter().find(|found| has_condition(found, "Reconciling", "True", "BudgetSpent"))
    });
    assert!(message(&waits.await, "Ready").contains("spec.limits"));
    world.all_ready(8).await;
    assert_eq!(ready_since().await, before, "the network was Ready all the time");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_are_in_flight_than_allowed() {
    let world =
        with_limits("flight", json!({ "requestsPerSecond": 1000, "burst": 1000, "inFlight": 3 })).await;
    let late = FaultKind::Latency { hold: Hold::For(Duration::from_millis(200)) };
    world.simulator.inject(Fault::on(Operation::Create, late).until_cleared());
    world.endpoints_named(names(12), &spec_of(&world, "net")).await;
    let most = AtomicUsize::new(0);
    world
        .remotely("twelve endpoints", |view| {
            most.fetch_max(view.in_flight(Operation::Create), Ordering::Relaxed);
            view.ledger().effects(Operation::Create) == 12
        })
        .await;
    assert_eq!(most.into_inner(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_holds_for_the_whole_network_and_for_no_other() {
    let world = with_limits("pause", json!({ "requestsPerSecond": 100 })).await;
    let other = add_other_api(&world, "other").await;
    let limit = FaultKind::RateLimit { retry_after: Some(RetryAfter::Seconds(4)) };
    world.simulator.inject(Fault::on(Operation::Create, limit));
    world.endpoint_of("net", "first", json!({})).await;
    world.remotely("the limit", |view| view.ledger().count(Operation::Create) == 1).await;

    world.endpoint_of("net", "second", json!({})).await;
    world.endpoint_of("other", "elsewhere", json!({})).await;
    world.ready("elsewhere").await;
    world.ready("second").await;
    world.ready("first").await;

    let calls = api_calls(&world);
    let limited = calls.iter().position(|entry| entry.status == Some(429)).expect("the limit");
    let pause = calls[limited + 1].time.duration_since(calls[limited].time).as_secs_f64();
    assert!(pause >= 3.9, "the next call came after {pause} s");
    let elsewhere = other.ledger().calls(Operation::Create).next().expect("a create").time;
    assert!(elsewhere < calls[limited + 1].time, "the other network did not wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_goes_ahead_of_a_resync() {
    let world = World::without_network("ahead").await;
    for number in 0..1500 {
        let url = format!("https://{number}.example.com");
        world.simulator.insert(NETWORK, NewEndpoint::new(url).events(["ocpp.message"]));
    }
    world.store_credentials("net", json!({ "clientId": "client-id", "clientSecret": "client-secret" })).await;
    let limits = json!({ "requestsPerSecond": 5, "burst": 1 });
    world.add_cluster_network("net", json!({ "resyncInterval": "1s", "limits": limits })).await;
    world.cluster_network("net", "Ready", "True", "Available").await;
    // The next list has begun: its fifteen pages take three seconds.
    world
        .remotely("a list that begins", |view| {
            view.ledger().entries().last().is_some_and(|last| {
                last.operation == Operation::List && last.starting_after.is_none() && last.sequence > 10
            })
        })
        .await;
    world.endpoint_of("net", "e", json!({})).await;
    world.ready("e").await;
    world
        .remotely("a page after the create", |view| {
            view.ledger().entries().last().is_some_and(|last| last.operation == Operation::List)
        })
        .await;

    let calls = api_calls(&world);
    let create = calls.iter().position(|entry| entry.operation == Operation::Create).expect("a create");
    assert!(calls[create + 1].starting_after.is_some(), "it overtook the pages of a list: {calls:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_hangs_slows_no_other() {
    let world = World::with_operator("hanging", OperatorOptions::default()).await;
    world.add_good_cluster_network("net", json!({ "timeout": "30s" })).await;
    world.cluster_network("net", "Ready", "True", "Available").await;
    let other = add_other_api(&world, "other").await;
    let hang = FaultKind::Hang { point: Point::BeforeEffect };
    world.simulator.inject(Fault::on(Operation::Create, hang).until_cleared());
    // More than are reconciled at once.
    world.endpoints_named(names(40), &spec_of(&world, "net")).await;
    world.remotely("sixteen that hang", |view| view.in_flight(Operation::Create) == 16).await;

    world.endpoint_of("other", "elsewhere", json!({})).await;
    world.ready("elsewhere").await;

    assert_eq!(other.ledger().effects(Operation::Create), 1);
    world.simulator.view(|view| {
        assert_eq!(view.in_flight(Operation::Create), 16, "they hang still");
        assert_eq!(view.ledger().count(Operation::Create), 16);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_network_down_and_other_credentials_the_other_goes_on() {
    let world = with_limits("down", json!({})).await;
    let other = add_other_api(&world, "other").await;
    world.simulator.suspend().await.expect("the ports are closed");
    world.endpoints_named(names(10), &spec_of(&world, "net")).await;
    for number in 0..10 {
        world.endpoint_of("other", &format!("o{number}"), json!({})).await;
    }
    for number in 0..10 {
        world.ready(&format!("o{number}")).await;
    }
    assert_eq!(other.ledger().effects(Operation::Create), 10);
    assert_eq!(other.ledger().count(Operation::Token), 1);
    assert_eq!(world.simulator.ledger().effects(Operation::Create), 0);

    world.simulator.resume().await.expect("the ports are open");
    world.all_ready(20).await;
    assert_eq!(world.simulator.ledger().effects(Operation::Create), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_down_is_probed_gently_and_drained_steadily() {
    let limits = json!({ "requestsPerSecond": 20, "burst": 20, "inFlight": 8 });
    let world = with_limits("circuit", limits).await;
    let refuse = world.simulator.inject(Fault::on_any(FaultKind::Refuse).until_cleared());
    world.endpoints_named(names(30), &spec_of(&world, "net")).await;
    world.remotely("an outage", |view| view.refused_connections() >= 5).await;
    // Those that were in flight together, and then a probe after one second and another after two.
    let many =
        world.simulator.wait_until(Duration::from_secs(4), |view| view.refused_connections() > 8 + 5 + 4);
    assert!(many.await.is_err(), "an API that is down was called often");

    let back = world.simulator.now();
    world.simulator.clear_fault(refuse);
    world.all_ready(30).await;
    let calls = api_calls(&world);
    let times = calls.iter().map(|entry| entry.time).filter(|time| *time >= back).collect::<Vec<_>>();
    let first = times[0];
    let soon = times.iter().filter(|time| time.duration_since(first).as_secs_f64() < 0.5).count();
    assert!(soon <= 10 + 5, "{soon} calls in the first half second");
    assert_eq!(world.endpoints().len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_refuses_is_tried_again_after_growing_pauses() {
    let world = with_limits("backoff", json!({})).await;
    let refused = FaultKind::status(422, "no");
    world.simulator.inject(Fault::on(Operation::Create, refused).until_cleared());
    world.endpoint_of("net", "e", json!({})).await;
    world.endpoint_of("net", "f", json!({})).await;
    world.remotely("four tries each", |view| view.ledger().count(Operation::Create) >= 8).await;
    world.condition("e", "Stalled", "True", "Refused").await;
    let calls = api_calls(&world);
    let tries = |name: &str| {
        let url = format!("https://hooks.example.com/{name}");
        let own = calls.iter().filter(|entry| entry.url.as_deref() == Some(&url));
        own.map(|entry| entry.time).collect::<Vec<_>>()
    };
    let gaps = |times: &[Timestamp]| {
        let gap = |pair: &[Timestamp]| pair[1].duration_since(pair[0]).as_secs_f64();
        times.windows(2).map(gap).collect::<Vec<_>>()
    };
    for name in ["e", "f"] {
        let gaps = gaps(&tries(name));
        for (gap, least) in gaps.iter().zip([0.5, 1.0, 2.0]) {
            assert!(*gap >= least, "{name}: {gaps:?}");
        }
    }
}
