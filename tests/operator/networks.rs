//! What a network allows, and what becomes of its resources when it can't be used.

use k8s_openapi::api::core::v1::Namespace;
use serde_json::json;
use simulator::Operation;
use testkit::{World, message, patch};

#[tokio::test(flavor = "multi_thread")]
async fn an_http_url_needs_a_network_that_allows_it() {
    let world = World::without_network("http").await;
    world.add_network(world.https_only()).await;
    world.network_ready().await;
    world.endpoint("charge-events", json!({ "url": "http://hooks.example.com/charging" })).await;
    let resource = world.condition("charge-events", "Stalled", "True", "UrlNotAllowed").await;
    assert_eq!(
        message(&resource, "Ready"),
        "spec.url is http, and the network allows only https: use https, since the API does not deliver to http URLs"
    );
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().writes(), 0);

    world.change_network(json!({ "allowHttp": true })).await;
    world.ready("charge-events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_may_allow_certain_hosts_only() {
    let world = World::without_network("hosts").await;
    world.add_network(json!({ "allowedUrlHosts": ["*.example.org"] })).await;
    world.network_ready().await;
    world.endpoint("charge-events", json!({})).await;
    let resource = world.condition("charge-events", "Stalled", "True", "UrlNotAllowed").await;
    assert_eq!(
        message(&resource, "Ready"),
        r#"spec.url leads to host "hooks.example.com", and the network allows only *.example.org"#
    );
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().writes(), 0);

    world.change_network(json!({ "allowedUrlHosts": ["*.example.org", "hooks.example.com"] })).await;
    world.ready("charge-events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_may_allow_certain_namespaces_only() {
    let world = World::without_network("namespaces").await;
    let selector = json!({ "matchLabels": { "team": world.namespace } });
    world.add_network(json!({ "allowedNamespaces": { "selector": selector } })).await;
    world.network_ready().await;
    world.endpoint("charge-events", json!({})).await;
    let resource = world.condition("charge-events", "Reconciling", "True", "NamespaceNotAllowed").await;
    assert!(message(&resource, "Ready").ends_with("to spec.allowedNamespaces"), "{resource:?}");
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().writes(), 0);

    let label = json!({ "metadata": { "labels": { "team": world.namespace } } });
    patch(&world.cluster_api::<Namespace>(), &world.namespace, label).await;
    world.ready("charge-events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_waits_for_its_network() {
    let world = World::without_network("later").await;
    world.endpoint("charge-events", json!({})).await;
    let resource = world.condition("charge-events", "Reconciling", "True", "NetworkNotFound").await;
    assert!(message(&resource, "Ready").contains("does not exist: create it, or correct spec.networkRef"));
    world.add_network(json!({})).await;
    world.ready("charge-events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_told_and_corrected_ones_are_used_at_once() {
    let world = World::without_network("credentials").await;
    world.add_network(json!({})).await;
    world.network_ready().await;
    let secrets = world.operators_secrets();
    let set = |value: &str| json!({ "stringData": { "clientSecret": value } });
    patch(&secrets, &world.namespace, set("wrong")).await;
    let network = world.network_condition("Stalled", "True", "InvalidClient").await;
    let told = message(&network, "Ready");
    assert!(told.contains("check clientId, clientSecret and audience"), "{told:?}");

    world.endpoint("charge-events", json!({})).await;
    world.condition("charge-events", "Ready", "False", "NetworkNotReady").await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 0);

    patch(&secrets, &world.namespace, set("client-secret")).await;
    world.ready("charge-events").await;
    world.network_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespaced_network_needs_no_more_than_its_namespace() {
    let world = World::without_network("namespaced").await;
    world.add_namespaced_network().await;
    world
        .endpoint("charge-events", json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } }))
        .await;
    let resource = world.ready("charge-events").await;
    world.check_secret(&resource, "charge-events").await;
}
