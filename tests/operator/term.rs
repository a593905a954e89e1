//! Terms of leadership: all that acts begins and ends in one process, as often as it has to.

use std::num::NonZeroU16;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use testkit::{World, eventually, service_account_kubeconfig};
use tokio::runtime::Runtime;
use webhook_operator::controller::{Metrics, Term};
use webhook_operator::provider::Fence;
use webhook_operator::reconcile::Settings;

async fn begin(labels: Value) -> Term {
    let kubeconfig: Kubeconfig = serde_json::from_value(service_account_kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let label = |(key, value): (&String, &Value)| format!("{key}={}", value.as_str().unwrap());
    let settings = Settings {
        settle: Duration::from_secs(1),
        recovery_grace: std::time::Duration::from_mins(1),
        address_exceptions: Vec::new(),
        concurrency: 16,
        namespaces: Vec::new(),
        selector: labels.as_object().unwrap().iter().map(label).next(),
        hurry: NonZeroU16::MIN,
    };
    Term::begin(&config, settings, Fence::default(), &Metrics::new()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_term_leaves_nothing_behind_and_another_takes_up_where_it_was() {
    let world = World::without_operator("term").await;
    world.add_network(json!({})).await;
    // What it runs on shows what it leaves.
    let process = Runtime::new().unwrap();
    for (term, name) in ["first", "second", "third"].into_iter().enumerate() {
        let running = process.spawn(begin(world.labels.clone())).await.unwrap();
        world.endpoint(name, json!({})).await;
        // With what was declared when nobody was at work.
        world.all_ready(2 * term + 1).await;
        assert!(process.metrics().num_alive_tasks() > 0, "a term that is under way has tasks");
        process.spawn(running.end()).await.unwrap();
        // Connections have tasks of their own, which end once the clients are dropped.
        let none = || async { (process.metrics().num_alive_tasks() == 0).then_some(()) };
        eventually("the end of all tasks of a term", none).await;

        let sequence = world.simulator.ledger().last_sequence();
        world.endpoint(&format!("after-{name}"), json!({})).await;
        world.change(name, json!({ "spec": { "status": "inactive" } })).await;
        let acts = world
            .simulator
            .wait_until(Duration::from_secs(1), |view| view.ledger().last_sequence() > sequence);
        assert!(acts.await.is_err(), "something acts after the term has ended");
        assert_eq!(world.endpoints().len(), 2 * term + 1);
    }
    let last = process.spawn(begin(world.labels.clone())).await.unwrap();
    world.all_ready(6).await;
    process.spawn(last.end()).await.unwrap();
    assert_eq!(world.endpoints().len(), 6);
    process.shutdown_background();
}
