//! How a world stands, in lines that read the same in every run, and the wait until it stands so.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::Instant;

use interposer::{Outcome, RemoteOp, Target};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _};
use secrecy::ExposeSecret as _;
use simulator::Endpoint;
use testkit::{NETWORK, SOON};
use webhook_operator::resources::{ClusterWebhookNetwork, EndpointCounts, SECRET_TYPE, WebhookEndpoint};

use crate::scene::Scene;

/// The network is gone, and is not listed any more.
pub const GONE: &str = "network: gone";

/// How a world stands: network, resources, Secrets and live endpoints, a line each.
pub async fn stands(scene: &Scene) -> Vec<String> {
    let resources = scene.world.all::<WebhookEndpoint>().await;
    let secrets = scene.world.all::<Secret>().await;
    let live = scene.world.simulator.endpoints(NETWORK);
    let mut lines = vec![network_line(scene).await];
    lines.extend(resources.iter().map(|resource| resource_line(resource, &live)));
    let ours = secrets.iter().filter(|secret| secret.type_.as_deref() == Some(SECRET_TYPE));
    lines.extend(ours.map(|secret| secret_line(scene, secret, &live)));
    lines.extend(live.iter().map(|endpoint| endpoint_line(endpoint, &resources)));
    lines.sort();
    lines
}

/// How the network stands.
pub async fn network_line(scene: &Scene) -> String {
    let api = Api::<ClusterWebhookNetwork>::all(scene.world.client.clone());
    let network = api.get_opt(&scene.world.namespace).await.expect("the network can be read");
    let Some(network) = network else { return GONE.to_owned() };
    let spoken = network.status.filter(|status| !status.conditions.is_empty());
    let Some(status) = spoken else { return "network: no status".to_owned() };
    let mut line = "network:".to_owned();
    for condition in &status.conditions {
        let _ = write!(line, " {}={}/{}", condition.type_, condition.status, condition.reason);
    }
    if let Some(EndpointCounts { managed, drifted, unmanaged }) = status.endpoints {
        let _ = write!(line, ", {managed} managed, {drifted} drifted, {unmanaged} unmanaged");
    }
    line
}

fn resource_line(resource: &WebhookEndpoint, live: &[Endpoint]) -> String {
    let mut line = format!("resource {}:", resource.metadata.name.as_deref().unwrap_or_default());
    if resource.metadata.deletion_timestamp.is_some() {
        line.push_str(" deleting");
    }
    let generation = resource.metadata.generation;
    // The API server gives it one by default, in which nothing is said.
    let spoken = resource.status.as_ref().filter(|status| !status.conditions.is_empty());
    let Some(status) = spoken else { return line + " no status" };
    for condition in &status.conditions {
        let stale = if condition.observed_generation == generation { "" } else { " (stale)" };
        let _ = write!(line, " {}={}/{}{stale}", condition.type_, condition.status, condition.reason);
    }
    let id = status.endpoint.as_ref().map(|endpoint| endpoint.id.as_str());
    let is_live = live.iter().any(|endpoint| Some(endpoint.id.as_str()) == id);
    line.push_str(match id {
        None => ", no endpoint",
        Some(_) if is_live => ", a live endpoint",
        Some(_) => ", an endpoint that is gone",
    });
    match &status.secret {
        Some(stored) if Some(stored.endpoint_id.as_str()) == id => {
            let _ = write!(line, ", its secret in {}", stored.name);
        }
        Some(stored) => {
            let _ = write!(line, ", another's secret in {}", stored.name);
        }
        None => line.push_str(", no secret"),
    }
    if let Some(request) = &status.handled_rotation {
        let _ = write!(line, ", rotated for request {request}");
    }
    line
}

fn secret_line(scene: &Scene, secret: &Secret, live: &[Endpoint]) -> String {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let value = |key: &str| {
        let value = secret.data.as_ref().and_then(|data| data.get(key))?;
        String::from_utf8(value.0.clone()).ok()
    };
    let Some(id) = value("endpointId") else { return format!("secret {name}: of no endpoint") };
    let truth = scene.world.simulator.secret_of(&id.as_str().into());
    let is_true = truth.is_some_and(|truth| value("secret").as_deref() == Some(truth.expose_secret()));
    let is_live = live.iter().any(|endpoint| endpoint.id.as_str() == id);
    let (truth, live) =
        (if is_true { "the true" } else { "a wrong" }, if is_live { "a live" } else { "a gone" });
    let mut line = format!("secret {name}: {truth} secret of {live} endpoint");
    for (key, value) in secret.labels().iter().filter(|(key, _)| *key != "app.kubernetes.io/managed-by") {
        let _ = write!(line, ", {key}={value}");
    }
    line
}

fn endpoint_line(endpoint: &Endpoint, resources: &[WebhookEndpoint]) -> String {
    let holders = resources.iter().filter(|resource| {
        let held = resource.status.as_ref().and_then(|status| status.endpoint.as_ref());
        held.is_some_and(|held| held.id == endpoint.id.as_str())
    });
    let holders = holders.filter_map(|resource| resource.metadata.name.as_deref()).collect::<Vec<_>>();
    let events = endpoint.enabled_events.join(",");
    let holders = if holders.is_empty() { "nobody".to_owned() } else { holders.join(" and ") };
    format!("endpoint {} [{events}] {}, held by {holders}", endpoint.url, endpoint.status)
}

/// Waits until a world stands as `wanted`, and the operator of this life has listed the network so many
/// times: by the second, it has acted on what the first showed.
///
/// # Errors
///
/// When it does not come to stand so; the text says how it stands instead.
pub async fn come_to(scene: &Scene, wanted: &[String], looks: usize) -> Result<(), String> {
    let deadline = Instant::now() + SOON;
    let ends_unlisted = wanted.iter().any(|line| line == GONE);
    if ends_unlisted {
        // No call follows that would tell of it.
        let api = Api::<ClusterWebhookNetwork>::all(scene.world.client.clone());
        scene.world.until_gone(api, &scene.world.namespace).await;
    }
    loop {
        let seen = scene.calls();
        let stands = stands(scene).await;
        if stands == wanted && (ends_unlisted || lists(scene) >= looks) {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let news = scene.gate.saw(move |call| call.sequence > seen, left).await;
        if left.is_zero() || news.is_err() {
            return Err(report(scene, wanted, &stands));
        }
    }
}

/// How many lists of the network the operator of this life has had answered.
fn lists(scene: &Scene) -> usize {
    let life = scene.gate.life();
    let journal = scene.gate.journal();
    let lists = journal.iter().filter(|call| {
        call.life == life
            && call.target == Target::Remote(RemoteOp::List)
            && matches!(call.outcome, Outcome::Answered(_))
    });
    lists.count()
}

/// Waits until the operator of this life has had so many lists of the network answered.
///
/// # Errors
///
/// When it has not in time.
pub async fn looked(scene: &Scene, looks: usize) -> Result<(), String> {
    let deadline = Instant::now() + SOON;
    while lists(scene) < looks {
        let seen = scene.calls();
        let left = deadline.saturating_duration_since(Instant::now());
        let news = scene.gate.saw(move |call| call.sequence > seen, left).await;
        news.map_err(|error| format!("{error}\nthe operator's log:\n{}", scene.log()))?;
    }
    Ok(())
}

fn report(scene: &Scene, wanted: &[String], stands: &[String]) -> String {
    let journal = scene.gate.journal();
    let mutations = journal.iter().filter(|call| call.counted).map(ToString::to_string).collect::<Vec<_>>();
    let log = scene.log();
    let log = log.lines().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>();
    format!(
        "it should stand so:\n  {}\nit stands so:\n  {}\nthe mutations:\n  {}\nthe operator's log:\n  {}",
        wanted.join("\n  "),
        stands.join("\n  "),
        mutations.join("\n  "),
        log.join("\n  ")
    )
}

/// Holds a count against what it should be.
///
/// # Errors
///
/// When it is something else.
pub fn expect(what: &str, is: usize, wanted: RangeInclusive<usize>) -> Result<(), String> {
    if wanted.contains(&is) { Ok(()) } else { Err(format!("{is} {what}, expected {wanted:?}")) }
}
