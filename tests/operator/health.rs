//! What tools read from the conditions, and what it takes to tell it.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use simulator::{Fault, FaultKind, Operation};
use testkit::audit::Mark;
use testkit::{Conditioned, Health, Kstatus, World, condition, endpoint_id, eventually, kstatus};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint, WebhookNetwork};

#[track_caller]
fn assert_health<K: Conditioned>(resource: &K, health: Health) {
    let Kstatus { status, message } = kstatus(resource);
    assert_eq!(status, health, "{message}: {:?}", resource.conditions());
}

/// How many times a resource's status was written since.
fn status_writes(world: &World, mark: Mark, name: &str) -> usize {
    let requests = world.requests_since(mark);
    let written = |request: &&testkit::audit::Request| {
        request.resource == "webhookendpoints/status" && request.name == name
    };
    requests.iter().filter(written).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn case_14_what_no_operator_has_seen_is_in_progress() {
    let world = World::without_operator("unseen").await;
    world.add_network(json!({})).await;
    world.add_namespaced_network().await;
    world.endpoint("hook", json!({})).await;
    let network = world.cluster_api::<ClusterWebhookNetwork>().get(&world.namespace).await;
    assert_health(&network.expect("the network"), Health::InProgress);
    let network = world.api::<WebhookNetwork>().get("default").await;
    assert_health(&network.expect("the network"), Health::InProgress);
    let resource = world.api::<WebhookEndpoint>().get("hook").await;
    assert_health(&resource.expect("it exists"), Health::InProgress);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_12_case_14_it_is_in_progress_until_it_is_ready_and_never_failed_by_what_comes_later() {
    let world = World::without_network("health").await;
    world.endpoint_of("net", "hook", json!({})).await;
    let resource = world.condition("hook", "Reconciling", "True", "NetworkNotFound").await;
    assert_health(&resource, Health::InProgress);

    world.add_cluster_network("net", json!({ "allowedNamespaces": { "names": [] } })).await;
    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    let name = world.named("net");
    let network =
        world.condition_in(networks.clone(), &name, "Reconciling", "True", "CredentialsNotFound").await;
    assert_health(&network, Health::InProgress);
    let resource = world.condition("hook", "Reconciling", "True", "NetworkNotReady").await;
    assert_health(&resource, Health::InProgress);

    let values = json!({ "clientId": "client-id", "clientSecret": "client-secret" });
    world.store_credentials("net", values).await;
    let network = world.condition_in(networks, &name, "Ready", "True", "Available").await;
    assert_health(&network, Health::Current);
    let resource = world.condition("hook", "Reconciling", "True", "NamespaceNotAllowed").await;
    assert_health(&resource, Health::InProgress);

    world.patch_cluster_network("net", json!({ "spec": { "allowedNamespaces": null } })).await;
    assert_health(&world.ready("hook").await, Health::Current);
    let changed = world.change("hook", json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    assert_health(&changed, Health::InProgress);
    assert_health(&world.ready("hook").await, Health::Current);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_refuses_has_failed_until_it_is_changed_and_what_is_deleted_is_terminating() {
    let world = World::new("failed").await;
    let refusal = Fault::on(Operation::Create, FaultKind::status(422, "{}")).until_cleared();
    let refusal = world.simulator.inject(refusal);
    world.endpoint("hook", json!({})).await;
    assert_health(&world.condition("hook", "Stalled", "True", "Refused").await, Health::Failed);
    world.simulator.clear_fault(refusal);
    let changed = world.change("hook", json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    assert_health(&changed, Health::InProgress);
    assert_health(&world.ready("hook").await, Health::Current);

    world.simulator.suspend().await.expect("the simulator runs");
    world.ask_to_delete("hook").await;
    let resource =
        world.api::<WebhookEndpoint>().get("hook").await.expect("its endpoint can't be deleted yet");
    assert_health(&resource, Health::Terminating);
    world.simulator.resume().await.expect("the port is free");
    world.until_deleted("hook").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_resource_is_ready_as_long_as_it_is_as_declared() {
    let world = World::new("paused-ready").await;
    let id = endpoint_id(&world.ready_endpoint("hook", json!({})).await);
    world.change("hook", json!({ "spec": { "paused": true } })).await;
    let resource = world.condition("hook", "Synced", "False", "Paused").await;
    assert_health(&resource, Health::Current);
    let labelled = json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": "1" } } });
    world.change("hook", labelled).await;
    world.lists(2).await;
    let resource = world.ready("hook").await;
    assert_health(&resource, Health::Current);

    let edit = |status: &str| world.simulator.edit(&id, |endpoint| endpoint.status = status.to_owned());
    edit("inactive");
    let resource = world.condition("hook", "Ready", "False", "Paused").await;
    assert_health(&resource, Health::InProgress);
    edit("active");
    let resource = world.ready("hook").await;
    assert_health(&resource, Health::Current);
    assert_eq!(world.simulator.ledger().writes(), 1);

    world.change("hook", json!({ "spec": { "status": "inactive" } })).await;
    world.condition("hook", "Ready", "False", "Paused").await;
    world.change("hook", json!({ "spec": { "paused": false } })).await;
    world.ready("hook").await;
    assert_eq!(world.endpoints()[0].status, "inactive");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_once_by_the_network_and_by_those_that_wait() {
    let mut world = World::with_own_operator("outage").await;
    world.endpoints_named((0..10).map(|number| format!("e{number}")), &json!({})).await;
    let ready = world.all_ready(10).await;
    world.network_counts(10, 0, 0).await;
    world.lists(1).await;
    let mark = Mark::now();
    world.simulator.suspend().await.expect("the simulator runs");
    assert_health(&world.network_condition("Ready", "False", "Unreachable").await, Health::InProgress);
    world.endpoint("later", json!({})).await;
    let later = world.condition("later", "Ready", "False", "ProviderError").await;
    assert_health(&later, Health::InProgress);

    // Also after a start.
    assert!(world.operator().stop(), "it stops with success");
    world.start_operator();
    let later = world.condition("later", "Ready", "False", "NetworkNotReady").await;
    assert_health(&later, Health::InProgress);
    let since_start = Mark::now();
    eventually("several lists that fail", async || {
        (world.operator().log().matches("can't list the network").count() >= 4).then_some(())
    })
    .await;
    assert_eq!(status_writes(&world, since_start, "later"), 0, "it is said already");
    for resource in &ready {
        assert_health(resource, Health::Current);
        let name = resource.metadata.name.as_deref().expect("a name");
        assert_eq!(world.ready(name).await.metadata.resource_version, resource.metadata.resource_version);
    }

    world.simulator.resume().await.expect("the port is free");
    world.ready("later").await;
    world.network_ready().await;
    world.lists(2).await;
    assert!(status_writes(&world, mark, "later") <= 3, "{:?}", world.requests_since(mark));
    for resource in &ready {
        let name = resource.metadata.name.as_deref().expect("a name");
        assert_eq!(world.ready(name).await.metadata.resource_version, resource.metadata.resource_version);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drift_that_can_not_be_corrected_is_not_ready() {
    let world = World::new("uncorrected").await;
    let id = endpoint_id(&world.ready_endpoint("hook", json!({})).await);
    let fault = Fault::on(Operation::Patch, FaultKind::status(503, "{}")).until_cleared();
    let fault = world.simulator.inject(fault);
    world.simulator.edit(&id, |endpoint| endpoint.enabled_events = vec!["asset.connectivity".to_owned()]);
    let resource = world.condition("hook", "Ready", "False", "ProviderError").await;
    assert_health(&resource, Health::InProgress);
    world.simulator.clear_fault(fault);
    world.ready("hook").await;
}

/// The API server and this operator share a machine here, so their clocks agree.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_transition_is_the_clusters_whatever_the_apis_clock_shows() {
    let world = World::without_network("skew").await;
    world.simulator.set_clock_skew(SignedDuration::from_hours(48));
    world.add_network(json!({})).await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    let ready = condition(&resource, "Ready").expect("it is ready");
    let ahead = ready.last_transition_time.0.duration_since(Timestamp::now());
    assert!(ahead.as_secs().abs() < 120, "{ahead}");
}
