//! What tools read from the conditions, and what it takes to tell it.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::json;
use simulator::Operation;
use testkit::audit::Mark;
use testkit::{Conditioned, World, condition, endpoint_id, eventually, message};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint};

/// What kstatus makes of a resource, by the rules that its page gives for a custom resource
/// (<https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md>).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Health {
    InProgress,
    Failed,
    Current,
    Terminating,
}

fn health(resource: &impl Conditioned, observed_generation: Option<i64>) -> Health {
    let meta = resource.meta();
    let is = |kind, status| condition(resource, kind).is_some_and(|found: &Condition| found.status == status);
    match () {
        () if meta.deletion_timestamp.is_some() => Health::Terminating,
        () if observed_generation.is_some_and(|seen| Some(seen) != meta.generation) => Health::InProgress,
        () if is("Reconciling", "True") => Health::InProgress,
        () if is("Stalled", "True") => Health::Failed,
        () if is("Ready", "False") || is("Ready", "Unknown") => Health::InProgress,
        () => Health::Current,
    }
}

fn health_of(resource: &WebhookEndpoint) -> Health {
    health(resource, resource.status.as_ref().and_then(|status| status.observed_generation))
}

fn network_health(network: &ClusterWebhookNetwork) -> Health {
    health(network, network.status.as_ref().and_then(|status| status.observed_generation))
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
async fn case_14_it_is_in_progress_until_it_is_ready_and_never_failed_by_what_comes_later() {
    let mut world = World::without_operator("health").await;
    world.endpoint_of("net", "hook", json!({})).await;
    let resource = world.api::<WebhookEndpoint>().get("hook").await.expect("it exists");
    assert_eq!(health_of(&resource), Health::InProgress, "no operator has seen it");
    world.start_operator();
    let resource = world.condition("hook", "Reconciling", "True", "NetworkNotFound").await;
    assert_eq!(health_of(&resource), Health::InProgress);

    world.add_cluster_network("net", json!({ "allowedNamespaces": { "names": [] } })).await;
    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    let name = world.named("net");
    let network =
        world.condition_in(networks.clone(), &name, "Reconciling", "True", "CredentialsNotFound").await;
    assert_eq!(network_health(&network), Health::InProgress);
    let resource = world.condition("hook", "Reconciling", "True", "NetworkNotReady").await;
    assert_eq!(health_of(&resource), Health::InProgress);

    let values = json!({ "clientId": "client-id", "clientSecret": "client-secret" });
    world.store_credentials("net", values).await;
    let network = world.condition_in(networks, &name, "Ready", "True", "Available").await;
    assert_eq!(network_health(&network), Health::Current);
    let resource = world.condition("hook", "Reconciling", "True", "NamespaceNotAllowed").await;
    assert_eq!(health_of(&resource), Health::InProgress);

    world.patch_cluster_network("net", json!({ "spec": { "allowedNamespaces": null } })).await;
    assert_eq!(health_of(&world.ready("hook").await), Health::Current);
    let changed = world.change("hook", json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    assert_eq!(
        health_of(&changed),
        Health::InProgress,
        "Ready of the former generation says nothing of this one"
    );
    assert_eq!(health_of(&world.ready("hook").await), Health::Current);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_resource_is_ready_as_long_as_it_is_as_declared() {
    let world = World::new("paused-ready").await;
    let id = endpoint_id(&world.ready_endpoint("hook", json!({})).await);
    world.change("hook", json!({ "spec": { "paused": true } })).await;
    let resource = world.condition("hook", "Synced", "False", "Paused").await;
    assert_eq!(health_of(&resource), Health::Current, "{:?}", resource.status);
    let labelled = json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": "1" } } });
    world.change("hook", labelled).await;
    world.lists(2).await;
    let resource = world.ready("hook").await;
    assert_eq!(health_of(&resource), Health::Current);

    let edit = |status: &str| world.simulator.edit(&id, |endpoint| endpoint.status = status.to_owned());
    edit("inactive");
    let resource = world.condition("hook", "Ready", "False", "Paused").await;
    assert_eq!(health_of(&resource), Health::InProgress);
    edit("active");
    let resource = world.ready("hook").await;
    assert_eq!(health_of(&resource), Health::Current);
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
    world.network_condition("Ready", "False", "Unreachable").await;
    world.endpoint("later", json!({})).await;
    world.condition("later", "Ready", "False", "ProviderError").await;

    // Also after a start.
    assert!(world.operator().stop(), "it stops with success");
    world.start_operator();
    world.condition("later", "Ready", "False", "NetworkNotReady").await;
    let since_start = Mark::now();
    eventually("several lists that fail", async || {
        (world.operator().log().matches("can't list the network").count() >= 4).then_some(())
    })
    .await;
    assert_eq!(status_writes(&world, since_start, "later"), 0, "it is said already");
    for resource in &ready {
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
    let refusal = simulator::FaultKind::status(503, "{}");
    let fault = simulator::Fault::on(Operation::Patch, refusal).until_cleared();
    let fault = world.simulator.inject(fault);
    world.simulator.edit(&id, |endpoint| endpoint.enabled_events = vec!["asset.connectivity".to_owned()]);
    world.condition("hook", "Ready", "False", "ProviderError").await;
    world.simulator.clear_fault(fault);
    world.ready("hook").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_effect_yet_is_told_and_the_resource_is_ready_all_the_same() {
    let world = World::new("ignored").await;
    let told = "has no effect";
    world.endpoint("hook", json!({ "rotation": { "interval": "2160h" } })).await;
    let resource = world.ready("hook").await;
    assert!(message(&resource, "Ready").contains("spec.rotation has no effect"), "{resource:?}");
    world.change("hook", json!({ "spec": { "rotation": null } })).await;
    assert!(!message(&world.ready("hook").await, "Ready").contains(told));
    let rotate = json!({ "metadata": { "annotations": { "webhookoperator.dev/rotate": "now" } } });
    world.change("hook", rotate).await;
    let says = |found: Option<&WebhookEndpoint>| {
        found
            .is_some_and(|found| message(found, "Ready").contains("webhookoperator.dev/rotate has no effect"))
    };
    let resource = world.until("hook", "told", says).await.expect("it exists");
    assert_eq!(health_of(&resource), Health::Current);
    assert_eq!(world.simulator.ledger().writes(), 1);
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
