//! Inputs of a world unlike our own tests', each by the name of the case that reported it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::json;
use simulator::{Fault, FaultKind, Operation, Point};
use testkit::{World, condition, endpoint_id, has_condition};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint};

#[tokio::test(flavor = "multi_thread")]
async fn case_03_a_patch_that_a_gateway_answers_404_makes_no_second_endpoint() {
    let world = World::new("gateway-404").await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    let id = endpoint_id(&resource);
    for body in [r#"{"title":"Not Found"}"#, "<html><body>404</body></html>"] {
        world.simulator.inject(Fault::on(Operation::Patch, FaultKind::status(404, body)));
    }
    world.change("hook", json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    let resource = world.ready("hook").await;
    assert_eq!(endpoint_id(&resource), id);
    assert_eq!(world.endpoints().len(), 1);
    assert_eq!(world.simulator.ledger().count(Operation::Create), 1);
    world.check_secret(&resource, "hook").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_04_a_declared_label_that_the_operator_sets_itself_wins() {
    let world = World::new("helm-label").await;
    let labels = json!({ "app.kubernetes.io/managed-by": "Helm" });
    world.ready_endpoint("hook", json!({ "secret": { "labels": labels } })).await;
    let managed_by = async || {
        let secret = world.api::<Secret>().get("hook").await.expect("the Secret");
        secret.labels().get("app.kubernetes.io/managed-by").cloned()
    };
    assert_eq!(managed_by().await.as_deref(), Some("Helm"));
    world.change("hook", json!({ "spec": { "secret": { "labels": null } } })).await;
    world.ready("hook").await;
    assert_eq!(managed_by().await.as_deref(), Some("webhook-operator"), "declared no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_12_a_network_and_its_credentials_that_arrive_later_are_waited_for() {
    let world = World::without_network("later-still").await;
    world.endpoint_of("net", "hook", json!({})).await;
    let never_stalled = |resource: &WebhookEndpoint| assert!(condition(resource, "Stalled").is_none());
    never_stalled(&world.condition("hook", "Reconciling", "True", "NetworkNotFound").await);
    world.add_cluster_network("net", json!({})).await;
    never_stalled(&world.condition("hook", "Reconciling", "True", "NetworkNotReady").await);
    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    let name = world.named("net");
    let network = world.condition_in(networks, &name, "Reconciling", "True", "CredentialsNotFound").await;
    assert!(condition(&network, "Stalled").is_none());
    let values = json!({ "clientId": "client-id", "clientSecret": "client-secret" });
    world.store_credentials("net", values).await;
    never_stalled(&world.ready("hook").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_13_the_reconcile_annotation_asks_for_a_fresh_list() {
    let world = World::without_network("annotation").await;
    world.add_network(json!({ "resyncInterval": "24h" })).await;
    world.network_ready().await;
    world.endpoints_named((0..30).map(|number| format!("e{number:02}")), &json!({})).await;
    world.all_ready(30).await;
    let gone = endpoint_id(&world.ready("e00").await);
    world.simulator.delete(&gone);
    let sequence = world.simulator.ledger().last_sequence();
    let annotations = json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": "now" } } });
    futures::future::join_all((0..30).map(|number| {
        let (world, annotations) = (&world, annotations.clone());
        async move { world.change(&format!("e{number:02}"), annotations).await }
    }))
    .await;
    world.remotely("the endpoint again", |view| view.ledger().count(Operation::Create) == 31).await;
    let another = |resource: Option<&WebhookEndpoint>| {
        let endpoint = resource.and_then(|resource| resource.status.as_ref()?.endpoint.as_ref());
        endpoint.is_some_and(|endpoint| endpoint.id != gone.as_str())
    };
    world.until("e00", "given another endpoint", another).await;
    let ledger = world.simulator.ledger().since(sequence);
    // One for those that ask together, and one for those that ask while it is under way.
    assert!(ledger.count(Operation::List) <= 4, "{} lists for 30 resources", ledger.count(Operation::List));
    assert_eq!(ledger.writes(), 1);

    // The same value again is no new request.
    let sequence = world.simulator.ledger().last_sequence();
    world.change("e01", annotations).await;
    world.change("e01", json!({ "metadata": { "annotations": { "another": "one" } } })).await;
    world.ready_endpoint("later", json!({})).await;
    assert_eq!(world.simulator.ledger().since(sequence).count(Operation::List), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_19_a_rate_limit_that_looks_like_a_missing_right_is_a_rate_limit() {
    let world = World::without_network("secondary-limit").await;
    let limit = FaultKind::Answer {
        status: 403,
        headers: vec![("Retry-After".to_owned(), "2".to_owned())],
        body: json!({ "message": "You have exceeded a secondary rate limit" }).to_string(),
        point: Point::BeforeEffect,
    };
    world.simulator.inject(Fault::on(Operation::List, limit));
    let began = world.simulator.now();
    world.add_network(json!({})).await;
    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    let name = world.namespace.clone();
    let network = world.condition_in(networks, &name, "Reconciling", "True", "RateLimited").await;
    assert!(!has_condition(&network, "Stalled", "True", "MissingScope"));
    world.network_ready().await;
    let ledger = world.simulator.ledger();
    let lists = ledger.calls(Operation::List).map(|entry| entry.time).collect::<Vec<_>>();
    let pause = lists[1].duration_since(lists[0]).as_secs_f64();
    assert!(pause >= 2.0, "the API's wish is obeyed: {pause} s since {began}");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_21_creates_whose_answers_are_useless_are_not_sent_without_end() {
    let world = World::new("useless").await;
    let useless = FaultKind::Answer {
        status: 201,
        headers: vec![("Location".to_owned(), "/webhook-endpoints/wh_1".to_owned())],
        body: String::new(),
        point: Point::AfterEffect,
    };
    let fault = world.simulator.inject(Fault::on(Operation::Create, useless).until_cleared());
    world.endpoint("hook", json!({})).await;
    world.remotely("a third create", |view| view.ledger().count(Operation::Create) >= 3).await;
    // The pauses double from half a second: in four seconds there is time for three or four more.
    let many = world
        .simulator
        .wait_until(Duration::from_secs(4), |view| view.ledger().count(Operation::Create) >= 10);
    assert!(many.await.is_err(), "creates are sent in a loop");
    world.simulator.clear_fault(fault);
    let resource = world.ready("hook").await;
    world.check_secret(&resource, "hook").await;
    assert_eq!(world.endpoints().len(), 1);
}
