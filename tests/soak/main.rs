//! Receivers under way: the API signs deliveries all the time while secrets rotate, URLs change, Secrets are deleted,
//! endpoints are set inactive and the operator is killed. No receiver may see a signature that it can't verify, and no
//! event may be missed.
//!
//! `SOAK_SECONDS` says how long, `SOAK_ENDPOINTS` for how many endpoints, `SOAK_SEED` gives the seed of an earlier run.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test reads as a story, stops at what it does not expect, and says what it saw"
)]

mod account;
mod operators;
mod scale;
mod service;
mod users;

use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use simulator::{Config, DeliveryConfig, Event, NetworkConfig, Simulator};
use testkit::{NETWORK, World, service_account_kubeconfig};
use tokio::task::JoinSet;

use account::Account;
use service::Service;

/// How long deeds go on, unless `SOAK_SECONDS` says otherwise.
const SECONDS: u64 = 60;
/// How many endpoints there are, unless `SOAK_ENDPOINTS` says otherwise.
const ENDPOINTS: usize = 4;
/// How often an event happens.
const EVENT_EVERY: Duration = Duration::from_millis(100);
/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn no_delivery_is_unverifiable_and_no_event_is_missed() {
    let seed = variable("SOAK_SEED").unwrap_or_else(rand::random::<u64>);
    let duration = Duration::from_secs(variable("SOAK_SECONDS").unwrap_or(SECONDS));
    let endpoints = variable("SOAK_ENDPOINTS").unwrap_or(ENDPOINTS);
    eprintln!(
        "soak: {endpoints} endpoints for {} s; SOAK_SEED={seed} makes the same deeds again",
        duration.as_secs()
    );
    eprintln!("{}", scale::told());
    let mut rng = StdRng::seed_from_u64(seed);

    let mut world = world().await;
    let account = Arc::new(Account::default());
    let mut services = Vec::new();
    for number in 0..endpoints {
        let service = Service::begin(&world, &account, &format!("hook-{number}"), rng.random()).await;
        services.push(Arc::new(service));
    }

    let until = Instant::now() + duration;
    let mut at_work = JoinSet::new();
    for service in &services {
        at_work.spawn(users::change_minds(Arc::clone(service), Arc::clone(&account), rng.random(), until));
    }
    let (mut told, mut killer) = (Instant::now(), operators::Killer::new(rng.random()));
    while Instant::now() < until || !at_work.is_empty() {
        while let Some(done) = at_work.try_join_next() {
            done.expect("nobody's deed goes wrong");
        }
        happen(&world, &services, &account);
        killer.perhaps(&mut world, &account);
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            eprintln!("{}", account.progress());
        }
        tokio::time::sleep(EVENT_EVERY).await;
    }

    operators::revive(&mut world);
    account.until_delivered(&world.simulator).await;
    for service in &services {
        service.stands(&account).await;
    }
    for service in &services {
        world.delete(service.name()).await;
    }
    // The garbage collector takes the Secrets.
    for service in &services {
        world.until_gone::<Secret>(world.api(), service.name()).await;
    }
    account.left_over(world.endpoints().len(), world.secret_names().await.len());
    eprintln!("{account}");
    account.check();
}

/// A world with an API whose days are short, and an operator whose minutes are.
async fn world() -> World {
    let mut world = World::without_operator("soak").await;
    let delivery = DeliveryConfig { time_divisor: scale::OF_HOURS, ..DeliveryConfig::default() };
    let network = NetworkConfig::new(NETWORK).client("client-id", "client-secret");
    let config = Config { delivery, ..Config::default().network(network).tls() };
    world.simulator = Simulator::start(config).await.expect("the simulator starts");
    let grace = format!("{}s", scale::minutes(1).as_secs());
    world.options.arguments.extend(["--secret-recovery-grace".to_owned(), grace]);
    // So that no start takes a token of its own.
    world.options.kubeconfig = Some(service_account_kubeconfig());
    world.add_network(json!({})).await;
    world.start_operator();
    world.network_ready().await;
    world
}

/// An event happens in the network; it is taken down who is to hear of it.
fn happen(world: &World, services: &[Arc<Service>], account: &Account) {
    let deliveries = world.simulator.deliver(&Event::new(NETWORK, "ocpp.message", json!({})));
    let names = services.iter().map(|service| service.name()).collect::<Vec<_>>();
    let at =
        |url: &str| services.iter().find(|service| service.receives_at(url)).map(|service| service.name());
    account.signed(&world.simulator, &deliveries, &names, at);
}

fn variable<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error:?}")))
}
