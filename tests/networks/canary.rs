//! No secret is anywhere but where it belongs, after everything has gone wrong once.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota, Secret};
use kube::ResourceExt as _;
use kube::api::{DynamicObject, PostParams};
use secrecy::SecretString;
use serde_json::json;
use simulator::{Fault, FaultKind, NetworkConfig, Operation, Point, RetryAfter};
use testkit::{OPERATORS, OperatorOptions, World, control_plane, delete, eventually, has_condition};
use webhook_operator::resources::WebhookEndpoint;

use crate::search::Canaries;

/// One network for each way in which things go wrong.
struct Way {
    name: &'static str,
    fault: FaultKind,
}

impl Way {
    fn network(&self) -> String {
        format!("n_{}", self.name)
    }

    /// With characters that each encoding spells differently.
    fn client_secret(&self) -> String {
        format!("canary: client/{}+secret=a&b%c?~", self.name)
    }

    /// What the token URL issues.
    fn access_token(&self) -> String {
        format!("canary/{}+access~token=.eyJ", self.name)
    }

    /// Where its endpoint delivers to.
    fn url(&self) -> String {
        format!("https://hooks.example.com/{}", self.name)
    }
}

/// Every kind of fault there is, each answer with a body as carrying as can be.
fn ways() -> Vec<Way> {
    let way = |name, fault| Way { name, fault };
    let mut ways = vec![
        way("refuse", FaultKind::Refuse),
        way("reset-before", FaultKind::Reset { point: Point::BeforeEffect }),
        way("reset-after", FaultKind::Reset { point: Point::AfterEffect }),
        way("hang-before", FaultKind::Hang { point: Point::BeforeEffect }),
        way("hang-after", FaultKind::Hang { point: Point::AfterEffect }),
        way("drip", FaultKind::Drip { bytes: 40, interval: Duration::from_millis(200) }),
        way("truncate", FaultKind::Truncate),
        way("invalid-json", FaultKind::InvalidJson),
        way("oversize", FaultKind::Oversize { bytes: 5 * 1024 * 1024 }),
        way("limit", FaultKind::RateLimit { retry_after: Some(RetryAfter::Seconds(1)) }),
        way("no-secret", FaultKind::without_secret()),
        way("odd", FaultKind::AlterBody { patch: json!({ "data": 7, "access_token": 7 }) }),
    ];
    for (name, status, point) in [
        ("bad-request", 400, Point::BeforeEffect),
        ("unauthorized", 401, Point::BeforeEffect),
        ("forbidden", 403, Point::BeforeEffect),
        ("not-found", 404, Point::BeforeEffect),
        ("conflict", 409, Point::BeforeEffect),
        ("invalid", 422, Point::BeforeEffect),
        ("broken", 500, Point::BeforeEffect),
        ("unavailable", 503, Point::BeforeEffect),
        ("late-broken", 502, Point::AfterEffect),
        ("redirect", 307, Point::BeforeEffect),
    ] {
        let way = Way { name, fault: FaultKind::Refuse };
        let (secret, token) = (way.client_secret(), way.access_token());
        let encoded = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
        let base64 =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("id:{secret}"));
        let body = format!(
            "{{\"message\":\"{secret}, client_secret={encoded}, basic {base64}, bearer {token}, Authorization: Bearer \
             {token}; secret {secret}\",\"error\":\"{secret}\",\"basic\":\"{base64}\"}}"
        );
        let location = format!("https://127.0.0.1:1/?access_token={token}&client_secret={encoded}");
        let headers = vec![("Location".to_owned(), location)];
        ways.push(Way { fault: FaultKind::Answer { status, headers, body, point }, ..way });
    }
    ways
}

async fn until_synced(world: &World, way: &Way, events: &str) {
    let what = format!("as declared, with {events}");
    let is_synced = |found: &WebhookEndpoint| {
        let remote = found.status.as_ref().and_then(|status| status.endpoint.as_ref());
        remote.is_some_and(|remote| remote.enabled_events == [events])
            && has_condition(found, "Ready", "True", "Available")
            && has_condition(found, "Synced", "True", "Available")
    };
    world.until(way.name, &what, |found| found.is_some_and(is_synced)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_anywhere_but_where_it_belongs() {
    let options = OperatorOptions { log_filter: Some("trace".to_owned()), ..OperatorOptions::default() };
    let world = World::with_operator("canary", options).await;
    let ways = ways();
    let id = |way: &Way| way.network();
    for way in &ways {
        let network = NetworkConfig::new(id(way))
            .client(way.name, way.client_secret())
            .bearer_token(way.access_token());
        world.simulator.set_network(network);
        for operation in [Operation::Token, Operation::List] {
            world.simulator.inject(Fault::on(operation, way.fault.clone()).network(id(way)));
        }
        let issued = FaultKind::AlterBody { patch: json!({ "access_token": way.access_token() }) };
        world.simulator.inject(Fault::on(Operation::Token, issued).network(id(way)).until_cleared());
        world.simulator.inject(Fault::on(Operation::Create, way.fault.clone()).url(way.url()));

        world
            .store_credentials(way.name, json!({ "clientId": way.name, "clientSecret": way.client_secret() }))
            .await;
        let settings = json!({ "resyncInterval": "2s", "timeout": "1s" });
        world.add_cluster_network(way.name, settings).await;
        world.endpoint_of(way.name, way.name, json!({})).await;
    }
    for way in &ways {
        until_synced(&world, way, "ocpp.message").await;
    }

    // Changes go wrong, and so do the looks at what was changed.
    let mut ids = Vec::new();
    for way in &ways {
        let resource = world.ready(way.name).await;
        let endpoint = resource.status.and_then(|status| status.endpoint).expect("an endpoint").id;
        for operation in [Operation::Patch, Operation::Get, Operation::Delete] {
            world.simulator.inject(Fault::on(operation, way.fault.clone()).id(endpoint.as_str()));
        }
        ids.push(endpoint);
        world.change(way.name, json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    }
    for way in &ways {
        until_synced(&world, way, "asset.connectivity").await;
    }

    // A secret in hand that can't be stored, and another's Secret in the way.
    world
        .create::<ResourceQuota>(
            json!({ "metadata": { "name": "none" }, "spec": { "hard": { "secrets": "0" } } }),
        )
        .await;
    world
        .until::<ResourceQuota>("none", "counted", |quota| quota.is_some_and(|quota| quota.status.is_some()))
        .await;
    world.endpoint_of("limit", "unstorable", json!({})).await;
    world.condition("unstorable", "Stalled", "True", "SecretRefused").await;
    delete(&world.api::<ResourceQuota>(), "none").await;
    let foreign = json!({ "metadata": { "name": "foreign" }, "stringData": { "secret": "theirs" } });
    let foreign = serde_json::from_value::<Secret>(foreign).expect("a Secret");
    // The API server goes by the quota for a moment yet.
    eventually("the end of the quota", || async {
        world.api::<Secret>().create(&PostParams::default(), &foreign).await.ok()
    })
    .await;
    world.endpoint_of("limit", "foreign", json!({})).await;
    world.condition("foreign", "Stalled", "True", "SecretNotOurs").await;
    world
        .change(
            "unstorable",
            json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": "1" } } }),
        )
        .await;
    world.ready("unstorable").await;

    // Credentials that are wrong, and a Secret that moves.
    world.change_credentials("odd", json!({ "clientSecret": "canary: wrong client/secret+=&%" })).await;
    world.cluster_network("odd", "Ready", "False", "InvalidClient").await;
    world.change_credentials("odd", json!({ "clientSecret": way_named(&ways, "odd").client_secret() })).await;
    world.cluster_network("odd", "Ready", "True", "Available").await;
    world.change("odd", json!({ "spec": { "secret": { "name": "moved" } } })).await;
    world.until_gone(world.api::<Secret>(), "odd").await;

    // And some go, while most stay to be looked at.
    for way in ways.iter().step_by(2) {
        world.delete(way.name).await;
    }

    let secrets = ways.iter().flat_map(|way| {
        [("client secret", way.client_secret()), ("access token", way.access_token())]
            .map(|(what, secret)| (format!("{what} of {}", way.name), SecretString::from(secret)))
    });
    let wrong = ("wrong client secret".to_owned(), SecretString::from("canary: wrong client/secret+=&%"));
    let created = world.simulator.ledger();
    let created = created.entries().iter().filter(|entry| entry.operation == Operation::Create);
    let created = created.filter_map(|entry| {
        Some((
            format!("signing secret of {}", entry.id.as_ref()?),
            world.simulator.secret_of(entry.id.as_ref()?)?,
        ))
    });
    let canaries = Canaries::new(secrets.chain([wrong]).chain(created.collect::<Vec<_>>()));
    assert!(canaries.len() >= 3 * ways.len(), "{} secrets", canaries.len());
    assert!(
        world.simulator.view(|view| view
            .faults()
            .filter(|(_, fault, _)| fault.operation == Some(Operation::Create))
            .count())
            == 0,
        "every create went wrong once"
    );

    let operator = world.operator();
    let address = operator.health_address().expect("it says where it serves");
    for path in ["livez", "readyz", "metrics"] {
        let answer = reqwest::get(format!("http://{address}/{path}")).await.expect("it answers");
        let text = answer.text().await.expect("a text");
        assert!(canaries.in_text(&text).is_empty(), "/{path}: {:?}", canaries.in_text(&text));
    }
    assert!(operator.stop(), "it stops as asked");
    let log = operator.log();
    for target in ["TRACE", "hyper", "rustls", "kube_runtime", "webhook_operator"] {
        assert!(log.contains(target), "the log holds everything: {target}");
    }
    assert!(!log.contains("kube_client::client: "), "it would log answers as they are");
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(canaries.in_text(&log), [""; 0], "the log");
    let audit = std::fs::read_to_string(control_plane().audit_log()).expect("the audit log can be read");
    assert_eq!(canaries.in_text(&audit), [""; 0], "the audit log");

    let intended = |secret: &DynamicObject| {
        let credentials = secret.namespace().as_deref() == Some(OPERATORS)
            && secret.name_any().starts_with(&world.namespace);
        let signing = secret.data["type"] == "webhookoperator.dev/signing-secret";
        credentials || (signing && secret.namespace().as_ref() == Some(&world.namespace))
    };
    let hits = canaries.in_cluster(&world.client, intended).await;
    assert_eq!(hits.found, [""; 0]);
    for kind in ["Event", "WebhookEndpoint", "ClusterWebhookNetwork", "Secret", "ConfigMap"] {
        assert!(hits.looked_at.get(kind).is_some_and(|count| *count > 0), "{kind}: {:?}", hits.looked_at);
    }

    // The search can find something: what is planted, and what is where it belongs.
    let planted = format!("{}{}", "x", way_named(&ways, "drip").client_secret());
    let planted = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, planted);
    world.create::<ConfigMap>(json!({ "metadata": { "name": "planted" }, "data": { "key": planted } })).await;
    let event = json!({ "metadata": { "annotations": { "note": way_named(&ways, "drip").access_token() } } });
    world.change("foreign", event).await;
    let hits = canaries.in_cluster(&world.client, intended).await;
    let place = |kind: &str, name: &str| format!("in {kind} {:?} {name}", Some(&world.namespace));
    assert!(
        hits.found.iter().any(|hit| hit.starts_with("client secret of drip (base64")
            && hit.ends_with(&place("ConfigMap", "planted"))),
        "{hits:?}"
    );
    assert!(
        hits.found.iter().any(|hit| hit.starts_with("access token of drip")
            && hit.ends_with(&place("WebhookEndpoint", "foreign"))),
        "{hits:?}"
    );
    let everywhere = canaries.in_cluster(&world.client, |_| false).await.found;
    for what in ["client secret of refuse", "signing secret of"] {
        assert!(
            everywhere.iter().any(|hit| hit.starts_with(what) && hit.contains("in Secret")),
            "{what}: {everywhere:#?}"
        );
    }
}

fn way_named<'a>(ways: &'a [Way], name: &str) -> &'a Way {
    ways.iter().find(|way| way.name == name).expect("a way")
}
