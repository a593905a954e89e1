//! Who may use what: namespaced networks are confined, and no network vanishes under its endpoints.

use kube::ResourceExt as _;
use kube::api::PostParams;
use serde_json::{Value, json};
use simulator::{Certificate, Fault, FaultKind, NetworkConfig, Operation, Simulator};
use testkit::{NETWORK, OperatorOptions, World, delete, message};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint, WebhookNetwork};

use crate::user::{User, everything_of_ours_and_secrets, refusal};

/// A world whose operator lets namespaced networks reach public addresses only.
async fn confined(name: &str) -> World {
    // An address of the documentation's, where nobody is.
    let options =
        OperatorOptions { allowed_address: Some("192.0.2.1".to_owned()), ..OperatorOptions::default() };
    World::with_operator(name, options).await
}

/// Waits until a namespaced network is so, and returns what it says.
async fn team_network_says(world: &World, name: &str, status: &str, reason: &str) -> String {
    let network = world.condition_in(world.api::<WebhookNetwork>(), name, "Ready", status, reason);
    message(&network.await, "Ready").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespaced_network_may_not_use_http() {
    let world = World::without_operator("plain").await;
    let api = world.api::<WebhookNetwork>();
    let token_url =
        json!({ "auth": { "oauth2ClientCredentials": { "tokenUrl": "http://login.example.com" }}});
    for (settings, words) in [
        (json!({ "allowHttp": true }), "a WebhookNetwork may not allow http"),
        (json!({ "apiUrl": "http://api.example.com" }), "a WebhookNetwork's apiUrl must be https"),
        (json!({ "apiUrl": "HTTP://api.example.com" }), "a WebhookNetwork's apiUrl must be https"),
        (token_url, "a WebhookNetwork's tokenUrl must be https"),
    ] {
        let network = serde_json::from_value(world.team_network("plain", settings)).expect("a network");
        let outcome = api.create(&PostParams::default(), &network).await;
        let status = refusal(&outcome).expect("it is refused");
        assert!(status.code == 422 && status.message.contains(words), "{words}: {status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespaced_network_reaches_public_addresses_only() {
    let world = confined("confined").await;
    world.add_credentials().await;
    let https = world.simulator.https().expect("the simulator serves https");
    let by_name = |url: &str| url.replace("127.0.0.1", "localhost");
    let token_url = |url: &str| json!({ "auth": { "oauth2ClientCredentials": { "tokenUrl": url } } });
    let both = |api: &str, token: &str| {
        let mut settings = token_url(token);
        settings["apiUrl"] = api.into();
        settings
    };
    let (api, token) = (https.base_url.as_str(), https.token_url.as_str());
    let public = "https://api.example.com";
    for (name, settings, reason, words) in [
        (
            "address",
            both(api, token),
            "InvalidConfiguration",
            "apiUrl leads to 127.0.0.1, which this network may not reach",
        ),
        (
            "mapped",
            both("https://[::ffff:7f00:1]", public),
            "InvalidConfiguration",
            "apiUrl leads to ::ffff:127.0.0.1",
        ),
        ("number", both("https://2130706433", public), "InvalidConfiguration", "apiUrl leads to 127.0.0.1"),
        (
            "metadata",
            both("https://169.254.169.254", public),
            "InvalidConfiguration",
            "apiUrl leads to 169.254.169.254",
        ),
        ("private", both("https://10.96.0.1", public), "InvalidConfiguration", "apiUrl leads to 10.96.0.1"),
        ("token", both(public, token), "InvalidConfiguration", "tokenUrl leads to 127.0.0.1"),
        // Names are looked up when they are connected to; the token comes before the API.
        ("name", both(&by_name(api), &by_name(token)), "TokenUnavailable", "localhost is "),
        (
            "api-name",
            both(&by_name(api), &by_name(token)),
            "AddressRefused",
            "leads only to addresses that this network may not reach: localhost is ",
        ),
    ] {
        let mut network = world.team_network(name, settings);
        if name == "api-name" {
            network["spec"]["auth"] =
                json!({ "bearerToken": { "secretKeyRef": { "name": "credentials", "key": "clientId" }}});
        }
        world.create::<WebhookNetwork>(network).await;
        let told = team_network_says(&world, name, "False", reason).await;
        assert!(told.contains(words), "{name}: {told:?} should say {words:?}");
    }
    let (ledger, handshakes) = world.simulator.view(|view| (view.ledger().clone(), view.failed_handshakes()));
    assert!(
        ledger.entries().is_empty() && handshakes == 0,
        "nobody knocked: {ledger:?}, {handshakes} handshakes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_opens_an_address_and_the_bundle_decides_whom_to_trust() {
    let world = World::without_network("excepted").await;
    world.add_credentials().await;
    world.add_team_network("default", json!({})).await;
    team_network_says(&world, "default", "True", "Available").await;
    let network = json!({ "networkRef": { "kind": "WebhookNetwork", "name": "default" } });
    let resource = world.ready_endpoint("e", network).await;
    world.check_secret(&resource, "e").await;

    // Another certificate is not believed, whatever its authority: nothing is sent.
    let calls = world.simulator.ledger().entries().len();
    for certificate in [Certificate::OtherHost, Certificate::Expired, Certificate::OtherAuthority] {
        world.simulator.show_certificate(certificate).expect("it is shown");
        let name = format!("{certificate:?}").to_lowercase();
        world.add_team_network(&name, json!({})).await;
        let told = team_network_says(&world, &name, "False", "TokenUnavailable").await;
        assert!(told.contains("certificate"), "{told:?}");
    }
    let entries = world.simulator.ledger();
    let tokens =
        entries.entries()[calls..].iter().filter(|entry| entry.operation == Operation::Token).count();
    assert_eq!(tokens, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_is_followed() {
    let world = World::without_network("redirect").await;
    world.store_credentials("net", json!({ "clientId": "client-id", "clientSecret": "client-secret" })).await;
    let target = NetworkConfig::new("n_9").client("client-id", "client-secret");
    let target = Simulator::start(simulator::Config::default().network(target)).await.expect("it starts");
    let token = world
        .simulator
        .inject(Fault::on(Operation::Token, FaultKind::redirect(307, target.token_url())).until_cleared());
    let list = format!("{}/webhook-endpoints", target.base_url());
    world.simulator.inject(Fault::on(Operation::List, FaultKind::redirect(302, list)).until_cleared());
    world.add_cluster_network("net", json!({ "resyncInterval": "1s" })).await;

    let told = world.cluster_network("net", "Ready", "False", "TokenUnavailable").await;
    assert!(told.contains("307"), "{told:?}");
    world.simulator.clear_fault(token);
    let told = world.cluster_network("net", "Ready", "False", "Redirected").await;
    assert!(told.contains("the API redirects (302"), "{told:?}");
    assert!(target.ledger().entries().is_empty(), "{:?}", target.ledger());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_named_or_selected_and_an_http_url_is_not_for_a_tenant_to_allow() {
    let world = World::without_network("allowed").await;
    world.store_credentials("net", json!({ "clientId": "client-id", "clientSecret": "client-secret" })).await;
    let label = json!({ "matchLabels": { "kubernetes.io/metadata.name": world.namespace } });
    world.add_cluster_network("net", json!({ "allowedNamespaces": { "names": ["elsewhere"] } })).await;
    world.endpoint_of("net", "e", json!({})).await;
    let resource = world.condition("e", "Reconciling", "True", "NamespaceNotAllowed").await;
    let told = format!("does not allow endpoints of namespace {:?}", world.namespace);
    assert!(message(&resource, "Ready").contains(&told));
    assert_eq!(world.simulator.ledger().writes(), 0);
    assert!(resource.finalizers().is_empty(), "nothing was begun");

    let allowed = |allowed: Value| json!({ "spec": { "allowedNamespaces": allowed } });
    world.patch_cluster_network("net", allowed(json!({ "selector": label }))).await;
    world.ready("e").await;
    // What it has, it may take along when it goes, whoever is allowed by then.
    world.patch_cluster_network("net", allowed(json!({ "selector": null, "names": [] }))).await;
    world.condition("e", "Reconciling", "True", "NamespaceNotAllowed").await;
    world.delete("e").await;
    assert!(world.endpoints().is_empty());

    world.add_credentials().await;
    world.add_team_network("team", json!({ "allowedUrlHosts": ["*.example.com"] })).await;
    let team = |url: &str| json!({ "networkRef": { "kind": "WebhookNetwork", "name": "team" }, "url": url });
    world.endpoint("plain", team("http://hooks.example.com")).await;
    world.condition("plain", "Stalled", "True", "UrlNotAllowed").await;
    world.endpoint("elsewhere", team("https://example.com.evil.org")).await;
    world.condition("elsewhere", "Stalled", "True", "UrlNotAllowed").await;
    world.ready_endpoint("good", team("https://hooks.example.com")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_in_use_does_not_vanish_under_its_endpoints() {
    let mut world = World::with_operator("in-use", OperatorOptions::default()).await;
    world.add_good_cluster_network("net", json!({ "resyncInterval": "1s" })).await;
    world.endpoint_of("net", "user", json!({})).await;
    world.ready("user").await;
    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    let name = world.named("net");

    delete(&networks, &name).await;
    let told = world.cluster_network("net", "Ready", "False", "InUse").await;
    assert!(told.starts_with("1 WebhookEndpoints still use this network: they go on with it"), "{told}");

    // It serves those it has, and takes no new ones.
    world.change("user", json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    world.ready("user").await;
    world.endpoint_of("net", "newcomer", json!({})).await;
    let resource = world.condition("newcomer", "Ready", "False", "NetworkNotReady").await;
    assert!(message(&resource, "Ready").contains("is being deleted: it takes no new endpoints"));

    // A process that begins knows of no endpoint at first.
    world.own.take().expect("an operator").kill();
    world.start_operator();
    world.change("user", json!({ "spec": { "enabledEvents": ["ocpp.message"] } })).await;
    world.ready("user").await;
    world.cluster_network("net", "Ready", "False", "InUse").await;

    // The newcomer has begun nothing and holds nothing up.
    world.delete("user").await;
    world.until_gone(networks, &name).await;
    world.condition("newcomer", "Reconciling", "True", "NetworkNotFound").await;
    world.delete("newcomer").await;
    assert!(world.endpoints().is_empty());
    assert_eq!(world.simulator.ledger().effects(Operation::Create), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_can_not_hold_up_the_deletion_of_a_network() {
    let world = World::without_network("hold-up").await;
    world.add_good_cluster_network("net", json!({ "allowedNamespaces": { "names": ["elsewhere"] } })).await;
    world.cluster_network("net", "Ready", "True", "Available").await;
    let tenant = User::in_namespace(&world, "tenant", everything_of_ours_and_secrets()).await;
    let spec = json!({ "networkRef": { "name": world.named("net") } });
    tenant.create("WebhookEndpoint", &world.manifest("squatter", spec)).await.expect("a usual manifest");
    world.condition("squatter", "Reconciling", "True", "NamespaceNotAllowed").await;
    let finalizer = json!({ "metadata": { "finalizers": ["webhookoperator.dev/finalizer"] } });
    tenant.patch("WebhookEndpoint", "squatter", &finalizer).await.expect_err("that mark is not the tenant's");

    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    delete(&networks, &world.named("net")).await;
    world.until_gone(networks, &world.named("net")).await;
    world.condition("squatter", "Reconciling", "True", "NetworkNotFound").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_of_a_tenants_own_gains_nothing_by_the_ids_it_answers() {
    let world = World::new("ids").await;
    let victim = world.ready_endpoint("victim", json!({})).await;
    let victim = victim.status.and_then(|status| status.endpoint).expect("an endpoint");

    // The tenant's API answers every create with the id of the victim's endpoint, and lists it as its own.
    let evil = Simulator::start(
        simulator::Config::default()
            .network(NetworkConfig::new("n_6").client("client-id", "client-secret"))
            .tls(),
    );
    let evil = evil.await.expect("it starts");
    let patch = json!({ "id": victim.id, "url": victim.url });
    let lie =
        |operation| Fault::on(operation, FaultKind::AlterEndpoint { patch: patch.clone() }).until_cleared();
    evil.inject(lie(Operation::Create));
    evil.inject(lie(Operation::List));
    world.add_credentials().await;
    let https = evil.https().expect("it serves https");
    let settings = json!({
        "apiUrl": https.base_url,
        "caBundle": https.ca_pem,
        "auth": { "oauth2ClientCredentials": { "tokenUrl": https.token_url } },
    });
    world.add_team_network("evil", settings).await;
    let url = json!({ "networkRef": { "kind": "WebhookNetwork", "name": "evil" }, "url": victim.url });
    world.endpoint("claimant", url).await;
    world
        .until::<WebhookEndpoint>("claimant", "told the victim's id", |found| {
            let status = found.and_then(|found| found.status.as_ref());
            status
                .and_then(|status| status.endpoint.as_ref())
                .is_some_and(|endpoint| endpoint.id == victim.id)
        })
        .await;

    // The victim is looked after as before, and its network counts it as before.
    world.change("victim", json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    world.ready("victim").await;
    world.network_counts(1, 0, 0).await;
    world.ask_to_delete("claimant").await;
    world.lists(2).await;
    assert!(world.simulator.endpoint(&victim.id.as_str().into()).is_some(), "the victim's endpoint is there");
    world.ready("victim").await;
    assert_eq!(world.simulator.endpoints(NETWORK).len(), 1);
}
