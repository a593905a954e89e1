//! What networks, and the endpoints that use them, say when something is wrong, and how soon.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use serde_json::{Value, json};
use simulator::{ACTIVE, NetworkConfig, NewEndpoint, Scopes};
use testkit::{NETWORK, World, delete, message, patch};
use webhook_operator::resources::{ClusterWebhookNetwork, EndpointCounts};

/// Where nobody listens: to bind it takes rights that nothing here has.
const NOBODY: &str = "http://127.0.0.1:1";

/// How long something takes.
async fn time(doing: impl Future) -> Duration {
    let begun = Instant::now();
    doing.await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_a_network_can_fail_is_told_on_it_and_on_its_endpoints() {
    let world = World::without_network("failing").await;
    world.simulator.set_network(NetworkConfig::new("n_mute").client("mute", "s").scopes(Scopes::None));
    let https = world.simulator.https().expect("the simulator serves https");
    let good = json!({ "clientId": "client-id", "clientSecret": "client-secret" });
    let bearer = |name: &str| json!({ "bearerToken": world.key(name, "token") });
    let token_url = |url: &str| json!({ "auth": { "oauth2ClientCredentials": { "tokenUrl": url } } });

    let cases: [(&str, Option<Value>, Value, &str, &str); 10] = [
        (
            "no-secret",
            None,
            json!({}),
            "CredentialsNotFound",
            "does not exist: create it, or correct the reference",
        ),
        (
            "no-key",
            Some(json!({ "clientId": "x" })),
            json!({}),
            "CredentialsNotFound",
            r#"has no key "clientSecret""#,
        ),
        (
            "empty",
            Some(json!({ "token": "" })),
            json!({ "auth": bearer("empty") }),
            "InvalidConfiguration",
            "the bearer token is empty",
        ),
        (
            "refused",
            Some(json!({ "clientId": "client-id", "clientSecret": "old" })),
            json!({}),
            "InvalidClient",
            "the token URL refused the client credentials with 401",
        ),
        (
            "no-issuer",
            Some(good.clone()),
            token_url(NOBODY),
            "TokenUnavailable",
            "the token URL gave no token: Connection refused",
        ),
        (
            "unknown",
            Some(json!({ "token": "unknown" })),
            json!({ "auth": bearer("unknown") }),
            "Unauthorized",
            "the API did not accept the credentials (401)",
        ),
        (
            "no-scope",
            Some(json!({ "clientId": "mute", "clientSecret": "s" })),
            json!({}),
            "MissingScope",
            "lacks the webhook scopes (403)",
        ),
        (
            "no-api",
            Some(json!({ "token": "t" })),
            json!({ "apiUrl": NOBODY, "auth": bearer("no-api") }),
            "Unreachable",
            "no connection: Connection refused",
        ),
        (
            "untrusted",
            Some(good.clone()),
            json!({ "apiUrl": https.base_url, "auth": { "oauth2ClientCredentials": { "tokenUrl": world.simulator.token_url() }}}),
            "TlsFailed",
            "check the network's apiUrl and caBundle",
        ),
        (
            "bad-bundle",
            Some(good),
            json!({ "caBundle": "-----BEGIN CERTIFICATE-----\n!" }),
            "InvalidConfiguration",
            "caBundle holds no readable certificate",
        ),
    ];
    for (name, values, settings, _, _) in &cases {
        if let Some(values) = values {
            world.store_credentials(name, values.clone()).await;
        }
        world.add_cluster_network(name, settings.clone()).await;
        world.endpoint_of(name, name, json!({})).await;
    }
    world.endpoint_of("missing", "missing", json!({})).await;

    for (name, _, _, reason, words) in &cases {
        let told = world.cluster_network(name, "Ready", "False", reason).await;
        assert!(told.contains(words), "{name}: {told:?} should say {words:?}");
        let resource = world.condition(name, "Ready", "False", "NetworkNotReady").await;
        let told = message(&resource, "Ready");
        let network = format!("ClusterWebhookNetwork {:?} is not ready: ", world.named(name));
        assert!(told.starts_with(&network), "{name}: {told:?}");
    }
    // What a person has to put right here is Stalled; what passes by itself, or comes with another commit, is not.
    for (name, kind) in [
        ("no-secret", "Reconciling"),
        ("refused", "Stalled"),
        ("no-scope", "Stalled"),
        ("no-api", "Reconciling"),
    ] {
        let reason = cases.iter().find(|case| case.0 == name).expect("a case").3;
        world.cluster_network(name, kind, "True", reason).await;
    }
    let resource = world.condition("missing", "Reconciling", "True", "NetworkNotFound").await;
    let told = format!(
        "ClusterWebhookNetwork {:?} does not exist: create it, or correct spec.networkRef",
        world.named("missing")
    );
    assert_eq!(message(&resource, "Ready"), told);
    assert_eq!(world.simulator.ledger().writes(), 0);
}

/// How long the slowest of steps may take: on an idle machine each takes a fraction of it. Nothing but
/// watches can be as fast: a network that failed is looked at again after half a minute, an endpoint never.
const A_SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_react_within_a_second_to_what_becomes_of_their_network() {
    let world = World::without_network("reaction").await;
    let values = json!({ "clientId": "client-id", "clientSecret": "client-secret" });
    let namespaces = world.cluster_api::<Namespace>();
    let label = async |team: Value| {
        patch(&namespaces, &world.namespace, json!({ "metadata": { "labels": { "team": team } } })).await;
    };
    let allow = async |name: &str, allowed: Value| {
        world.patch_cluster_network(name, json!({ "spec": { "allowedNamespaces": allowed } })).await;
    };
    let mut fastest = BTreeMap::<&str, Duration>::new();
    // A machine that is busy elsewhere may slow one round down.
    for round in ["one", "two", "three"] {
        let mut took = |step, took: Duration| {
            let fastest = fastest.entry(step).or_insert(took);
            *fastest = took.min(*fastest);
        };
        world.endpoint_of(round, round, json!({})).await;
        world.condition(round, "Reconciling", "True", "NetworkNotFound").await;
        world.add_cluster_network(round, json!({})).await;
        took(
            "a network without credentials",
            time(world.condition(round, "Ready", "False", "NetworkNotReady")).await,
        );
        world.store_credentials(round, values.clone()).await;
        took("its credentials", time(world.ready(round)).await);

        delete(&world.operators_secrets(), &world.named(round)).await;
        let later = format!("{round}-later");
        world.cluster_network(round, "Ready", "False", "CredentialsNotFound").await;
        world.endpoint_of(round, &later, json!({})).await;
        took("no credentials", time(world.condition(&later, "Ready", "False", "NetworkNotReady")).await);
        world.store_credentials(round, values.clone()).await;
        took("credentials again", time(world.ready(&later)).await);

        allow(round, json!({ "names": ["elsewhere"] })).await;
        took(
            "another's network",
            time(world.condition(round, "Reconciling", "True", "NamespaceNotAllowed")).await,
        );
        allow(round, json!({ "names": null, "selector": { "matchLabels": { "team": round } } })).await;
        label(json!(round)).await;
        took("a labelled namespace", time(world.condition(round, "Synced", "True", "Available")).await);
        label(Value::Null).await;
        took(
            "a namespace without label",
            time(world.condition(round, "Reconciling", "True", "NamespaceNotAllowed")).await,
        );
        if fastest.values().all(|took| *took < A_SECOND) {
            break;
        }
    }
    assert!(fastest.values().all(|took| *took < A_SECOND), "{fastest:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_network_says_which_it_is_and_how_many_endpoints_it_has() {
    let world = World::without_network("counted").await;
    world.add_good_cluster_network("net", json!({ "resyncInterval": "1s" })).await;
    world.cluster_network("net", "Ready", "True", "Available").await;
    world.simulator.insert(NETWORK, NewEndpoint::new("https://by-hand.example.com").events(["ocpp.message"]));
    world.endpoint_of("net", "same", json!({})).await;
    world.endpoint_of("net", "drifted", json!({ "driftPolicy": "Report" })).await;
    world.ready("same").await;
    let drifted =
        world.ready("drifted").await.status.and_then(|status| status.endpoint).expect("an endpoint");
    world.simulator.edit(&drifted.id.as_str().into(), |endpoint| {
        endpoint.enabled_events = ["asset.connectivity".to_owned()].into();
        assert_eq!(endpoint.status, ACTIVE);
    });

    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    let wanted = EndpointCounts { managed: 2, drifted: 1, unmanaged: 1 };
    world
        .until_in(networks, &world.named("net"), "counted", |found| {
            let status = found.and_then(|network| network.status.as_ref());
            status.is_some_and(|status| {
                status.network_id.as_deref() == Some(NETWORK) && status.endpoints == Some(wanted)
            })
        })
        .await;
}
