//! Tokens and credentials: fetched once, rotated without a restart, and no other Secret is ever looked at.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, NetworkConfig, Operation, RetryAfter, Scopes};
use testkit::audit::{self, By, Mark};
use testkit::service_account::USER;
use testkit::{NETWORK, World, control_plane, eventually, message, patch};

const GOOD: (&str, &str) = ("client-id", "client-secret");

fn client((id, secret): (&str, &str)) -> Value {
    json!({ "clientId": id, "clientSecret": secret })
}

fn tokens(world: &World) -> usize {
    world.simulator.ledger().count(Operation::Token)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_serves_many_endpoints_and_is_renewed_once_when_it_is_revoked() {
    let world = World::without_network("token").await;
    world.store_credentials("net", client(GOOD)).await;
    world.add_cluster_network("net", json!({})).await;
    let network = json!({ "networkRef": { "name": world.named("net") } });
    world.endpoints_named((0..30).map(|number| format!("e{number}")), &network).await;
    world.all_ready(30).await;
    assert_eq!(tokens(&world), 1);

    world.simulator.revoke_tokens(NETWORK);
    let names = (0..30).map(|number| format!("e{number}"));
    let changes = names.map(async |name| {
        world.change(&name, json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    });
    futures::future::join_all(changes).await;
    world
        .remotely("all changes", |view| {
            view.all_endpoints().filter(|endpoint| endpoint.enabled_events == ["asset.connectivity"]).count()
                == 30
        })
        .await;
    assert_eq!(tokens(&world), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_client_credentials_take_effect_without_a_restart() {
    let world = World::without_network("rotation").await;
    world.store_credentials("net", client(GOOD)).await;
    world.add_cluster_network("net", json!({ "resyncInterval": "1s" })).await;
    world.endpoint_of("net", "before", json!({})).await;
    world.ready("before").await;

    // Rotated in good time: nobody notices.
    let both = NetworkConfig::new(NETWORK).client(GOOD.0, GOOD.1).client("client-id-2", "client-secret-2");
    world.simulator.set_network(both);
    let before = tokens(&world);
    world.change_credentials("net", client(("client-id-2", "client-secret-2"))).await;
    world.remotely("a token of the new client", |view| view.ledger().count(Operation::Token) > before).await;
    world.simulator.set_network(NetworkConfig::new(NETWORK).client("client-id-2", "client-secret-2"));
    world.endpoint_of("net", "between", json!({})).await;
    world.ready("between").await;
    assert_eq!(tokens(&world), before + 1);

    // Rotated too late: said clearly, and put right by the Secret alone.
    world.simulator.set_network(NetworkConfig::new(NETWORK).client("client-id-3", "client-secret-3"));
    world.simulator.revoke_tokens(NETWORK);
    let told = world.cluster_network("net", "Ready", "False", "InvalidClient").await;
    assert!(told.contains("check clientId, clientSecret and audience"), "{told:?}");
    world.endpoint_of("net", "late", json!({})).await;
    world.condition("late", "Ready", "False", "NetworkNotReady").await;
    world.condition("before", "Ready", "True", "Available").await;
    world.change_credentials("net", client(("client-id-3", "client-secret-3"))).await;
    world.ready("late").await;
    world.cluster_network("net", "Ready", "True", "Available").await;
    assert_eq!(world.simulator.ledger().effects(Operation::Create), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_bearer_token_takes_effect_without_a_restart() {
    let world = World::without_network("bearer").await;
    world.simulator.set_network(NetworkConfig::new(NETWORK).bearer_token("token-1"));
    world.store_credentials("net", json!({ "token": "token-1\n" })).await;
    let auth = json!({ "bearerToken": world.key("net", "token") });
    world.add_cluster_network("net", json!({ "resyncInterval": "1s", "auth": auth })).await;
    world.endpoint_of("net", "before", json!({})).await;
    world.ready("before").await;

    world.simulator.set_network(NetworkConfig::new(NETWORK).bearer_token("token-2"));
    world.cluster_network("net", "Ready", "False", "Unauthorized").await;
    world.endpoint_of("net", "after", json!({})).await;
    world.condition("after", "Ready", "False", "NetworkNotReady").await;
    world.change_credentials("net", json!({ "token": "token-2" })).await;
    world.ready("after").await;
    assert_eq!(tokens(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_only_changes_lack_is_told_on_what_needs_it() {
    let world = World::without_network("scope").await;
    world.simulator.set_scopes(NETWORK, Scopes::Read);
    world.store_credentials("net", client(GOOD)).await;
    world.add_cluster_network("net", json!({})).await;
    world.cluster_network("net", "Ready", "True", "Available").await;
    world.endpoint_of("net", "e", json!({})).await;
    let resource = world.condition("e", "Reconciling", "True", "ProviderError").await;
    let told = message(&resource, "Ready");
    assert!(told.contains("lacks the webhook scopes (403)"), "{told:?}");

    // The vendor grants it. Tokens keep the scopes that they were issued with; other credentials bring another
    // token at once.
    let both = NetworkConfig::new(NETWORK).client(GOOD.0, GOOD.1).client("client-id-2", "client-secret-2");
    world.simulator.set_network(both);
    world.change_credentials("net", client(("client-id-2", "client-secret-2"))).await;
    world.ready("e").await;
    assert_eq!(tokens(&world), 2);
    assert_eq!(world.simulator.ledger().effects(Operation::Create), 1);
}

/// How often the operator has read the network's credentials.
fn reads(world: &World) -> usize {
    let log = control_plane().audit_log();
    let requests = audit::requests(log, Mark::default(), By::User(USER)).expect("the audit log can be read");
    let name = world.named("net");
    requests.iter().filter(|request| request.verb == "get" && request.name == name).count()
}

async fn touch_credentials(world: &World) {
    let before = reads(world);
    let touched = json!({ "metadata": { "annotations": { "touched": before.to_string() } } });
    patch(&world.operators_secrets(), &world.named("net"), touched).await;
    eventually("the credentials are read again", async || (reads(world) > before).then_some(())).await;
}

fn lists(world: &World) -> usize {
    world.simulator.ledger().count(Operation::List)
}

#[tokio::test(flavor = "multi_thread")]
async fn case_18_touched_credentials_are_the_same_and_new_ones_keep_the_apis_pause() {
    let world = World::without_network("touched").await;
    let both = NetworkConfig::new(NETWORK).client(GOOD.0, GOOD.1).client("client-id-2", "client-secret-2");
    world.simulator.set_network(both);
    world.store_credentials("net", client(GOOD)).await;
    world.add_cluster_network("net", json!({})).await;
    world.cluster_network("net", "Ready", "True", "Available").await;
    for _ in 0..3 {
        touch_credentials(&world).await;
    }
    world.change_credentials("net", json!({ "unused": "value" })).await;
    world.endpoint_of("net", "e", json!({})).await;
    world.ready("e").await;
    assert_eq!((tokens(&world), lists(&world)), (1, 1), "they are the same credentials");

    // The API asks for a pause: it is kept whatever happens to the credentials.
    let limit = FaultKind::RateLimit { retry_after: Some(RetryAfter::Seconds(60)) };
    world.simulator.inject(Fault::on(Operation::List, limit));
    world.change_credentials("net", client(("client-id-2", "client-secret-2"))).await;
    world.cluster_network("net", "Ready", "False", "RateLimited").await;
    assert_eq!((tokens(&world), lists(&world)), (2, 2), "new credentials have a token of their own");
    touch_credentials(&world).await;
    assert_eq!((tokens(&world), lists(&world)), (2, 2));
    world.change_credentials("net", client(GOOD)).await;
    world.remotely("another token", |view| view.ledger().count(Operation::Token) == 3).await;
    touch_credentials(&world).await;
    world.cluster_network("net", "Ready", "False", "RateLimited").await;
    assert_eq!((tokens(&world), lists(&world)), (3, 2), "the API is left in peace");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secrets_are_listed_or_watched_but_those_that_are_referred_to_and_our_own() {
    let world = World::without_network("unseen").await;
    world
        .create::<Secret>(json!({ "metadata": { "name": "bystander" }, "stringData": { "key": "value" } }))
        .await;
    world.add_namespaced_network().await;
    let network = json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } });
    world.ready_endpoint("e", network).await;
    world.delete("e").await;

    let log = control_plane().audit_log();
    let requests = audit::requests(log, Mark::default(), By::User(USER)).expect("the audit log can be read");
    let (mut selectors, mut read) = (BTreeSet::new(), BTreeSet::new());
    for request in requests.into_iter().filter(|request| request.resource == "secrets") {
        let uri = request.uri;
        match request.verb.as_str() {
            "list" | "watch" | "deletecollection" => {
                let query = uri.split_once('?').map_or("", |(_, query)| query);
                let selector =
                    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "fieldSelector");
                let (_, selector) = selector.unwrap_or_else(|| panic!("no field selector in {uri}"));
                let (field, _) = selector.split_once('=').expect("field=value");
                selectors.insert(field.to_owned());
                assert!(
                    field == "metadata.name" || selector == "type=webhookoperator.dev/signing-secret",
                    "{uri}"
                );
            }
            "get" if request.namespace == world.namespace => {
                read.insert(request.name);
            }
            _ => {}
        }
    }
    assert_eq!(selectors, ["metadata.name".to_owned(), "type".to_owned()].into());
    assert_eq!(read, ["credentials".to_owned()].into());
}
