//! What `/metrics` shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use simulator::{Fault, FaultKind, NewEndpoint, Operation, RetryAfter};
use testkit::{NETWORK, World, endpoint_id, eventually};

/// The samples that are shown, by name and labels.
async fn samples(world: &World) -> BTreeMap<String, f64> {
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        (name.to_owned(), value.parse().expect("a number"))
    };
    shown(world).await.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

async fn shown(world: &World) -> String {
    let address = eventually("an address", async || world.operator().health_address()).await;
    let answer = reqwest::get(format!("http://{address}/metrics")).await.expect("it answers");
    let kind = answer.headers()["content-type"].to_str().expect("a text").to_owned();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let text = answer.text().await.expect("a text");
    assert!(text.ends_with("# EOF\n"), "{text}");
    text
}

/// Waits until samples have these values.
async fn until(world: &World, expected: &[(&str, f64)]) {
    let network = &world.namespace;
    eventually(&format!("{expected:?}"), async || {
        let samples = samples(world).await;
        let is_so = |(name, value): &(&str, f64)| {
            let name = format!("webhook_operator_{}", name.replace("NETWORK", network));
            samples.get(&name) == Some(value)
        };
        expected.iter().all(is_so).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_what_was_done_and_how_things_stand() {
    let world = World::with_own_operator("metrics").await;
    world
        .simulator
        .insert(NETWORK, NewEndpoint::new("https://hooks.example.com/of-nobody").events(["ocpp.message"]));
    let limited = FaultKind::RateLimit { retry_after: Some(RetryAfter::Seconds(1)) };
    world.simulator.inject(Fault::on(Operation::Patch, limited).times(1));
    let id = endpoint_id(&world.ready_endpoint("hook", json!({})).await);
    world.ready_endpoint("other", json!({})).await;
    world.simulator.edit(&id, |endpoint| endpoint.status = "inactive".to_owned());
    world.remotely("the correction", |view| view.ledger().effects(Operation::Patch) == 1).await;
    world.ready("hook").await;
    world.network_counts(2, 0, 1).await;
    until(
        &world,
        &[
            ("leader", 1.0),
            ("secrets_in_hand", 0.0),
            (r#"webhookendpoints{network="NETWORK",ready="True",reason="Available"}"#, 2.0),
            (r#"networks{ready="True",reason="Available"}"#, 1.0),
            (r#"remote_endpoints{network="NETWORK",state="managed"}"#, 2.0),
            (r#"remote_endpoints{network="NETWORK",state="unmanaged"}"#, 1.0),
            (r#"remote_endpoints{network="NETWORK",state="drifted"}"#, 0.0),
            (r#"api_requests_total{network="NETWORK",operation="create",outcome="ok"}"#, 2.0),
            (r#"api_requests_total{network="NETWORK",operation="patch",outcome="RateLimited"}"#, 1.0),
            (r#"api_requests_total{network="NETWORK",operation="token",outcome="ok"}"#, 1.0),
            (r#"api_pauses_total{network="NETWORK"}"#, 1.0),
            (r#"steps_total{step="Create",outcome="ok"}"#, 2.0),
            (r#"steps_total{step="Patch",outcome="failed"}"#, 1.0),
            (r#"events_total{type="Normal",reason="Created"}"#, 2.0),
        ],
    )
    .await;
    let samples = samples(&world).await;
    let of = |name: &'static str| {
        samples.iter().filter(move |(sample, _)| sample.starts_with(name)).map(|(_, value)| *value)
    };
    assert!(
        of(r#"webhook_operator_kubernetes_requests_total{method="PATCH",code="200""#).sum::<f64>() >= 4.0
    );
    assert!(of(r#"webhook_operator_reconciliations_total{outcome="ok""#).sum::<f64>() >= 2.0);
    assert!(of("webhook_operator_reconciliation_duration_seconds_count").sum::<f64>() >= 2.0);
    let now = jiff::Timestamp::now().as_duration().as_secs_f64();
    let listed = of("webhook_operator_last_list_timestamp_seconds").next().expect("a list");
    assert!((now - listed).abs() < 60.0, "{listed}");
    assert!(of("process_resident_memory_bytes").next().is_some_and(|bytes| bytes > 1e6));
    assert_eq!(of("webhook_operator_build_info").next(), Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_of_a_network_goes_with_it_and_names_of_resources_are_not_told() {
    let world = World::with_own_operator("metrics-gone").await;
    world.ready_endpoint("one-of-many", json!({})).await;
    let text = shown(&world).await;
    assert!(text.contains(&world.namespace) && !text.contains("one-of-many"), "{text}");
    world.delete("one-of-many").await;
    world.change_network(json!({})).await;
    testkit::delete(
        &world.cluster_api::<webhook_operator::resources::ClusterWebhookNetwork>(),
        &world.namespace,
    )
    .await;
    eventually("metrics without the network", async || {
        (!shown(&world).await.contains(&world.namespace)).then_some(())
    })
    .await;
}

fn read(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names in a text that begin as the operator's metrics do.
fn names(text: &str) -> BTreeSet<&str> {
    let is_of_name = |character: char| character == '_' || character.is_ascii_alphanumeric();
    let words = text.split(|character| !is_of_name(character));
    words.filter(|word| word.starts_with("webhook_operator_")).collect()
}

/// What `docs/operations.md` says of metrics and alerts.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_described_and_alerted_of_is_the_same() {
    let world = World::with_own_operator("metrics-described").await;
    let text = shown(&world).await;
    // Those that nothing was counted for yet have no samples.
    let suffix = |kind: &str| match kind {
        "counter" => "_total",
        "info" => "_info",
        _ => "",
    };
    let shown = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let shown = shown.filter(|(name, _)| name.starts_with("webhook_operator_"));
    let shown = shown.map(|(name, kind)| format!("{name}{}", suffix(kind))).collect::<BTreeSet<_>>();
    let operations = read("docs/operations.md");
    let rows = operations.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rows = rows.filter(|name| name.starts_with("webhook_operator_")).collect::<BTreeSet<_>>();
    assert_eq!(rows, shown.iter().map(String::as_str).collect());
    assert_eq!(names(&operations), rows, "elsewhere in the text");

    let rules = read("deploy/chart/files/alerts.yaml");
    let dashboard = read("deploy/chart/files/dashboard.json");
    for (text, least) in [(&rules, 5), (&dashboard, 15)] {
        let asked = names(text).into_iter().map(|name| name.trim_end_matches("_bucket"));
        let asked = asked.collect::<BTreeSet<_>>();
        assert!(asked.len() >= least && asked.is_subset(&rows), "{asked:?}");
    }
    let dashboard = serde_json::from_str::<serde_json::Value>(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect::<BTreeSet<_>>();
    assert_eq!(ids.len(), panels.len());
    let rules = serde_yaml::from_str::<serde_json::Value>(&rules).expect("YAML");
    let rules = rules["groups"][0]["rules"].as_array().expect("rules");
    let alerts = rules.iter().map(|rule| rule["alert"].as_str().expect("an alert")).collect::<BTreeSet<_>>();
    let headings = operations.lines().filter_map(|line| line.strip_prefix("### ")).collect::<BTreeSet<_>>();
    assert_eq!(headings, alerts, "each has its runbook");
}
