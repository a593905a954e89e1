//! How a world stands, and how it should, in lines that read the same in every world.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Event, Secret};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use simulator::{Effect, Endpoint, EndpointId, Handle, Operation};
use testkit::{NETWORK, World};
use url::Url;
use webhook_operator::resources::{ClusterWebhookNetwork, SECRET_TYPE, WebhookEndpoint};

use crate::fleet::{Fleet, SIZE};
use crate::manifest::{Manifest, Pairs};
use crate::owner::owner;

/// What the operator, and whoever meddles, adds to the labels and annotations of a Secret.
const NOT_DECLARED: [&str; 3] = ["webhookoperator.dev/", "app.kubernetes.io/", "theirs"];

/// A line about a resource, or about all of them.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Line {
    /// The resource.
    pub about: String,
    pub says: String,
}

fn line(about: &str, says: String) -> Line {
    Line { about: about.to_owned(), says }
}

/// How a world should stand by its manifests alone, beside so many endpoints that nobody declares.
pub fn as_declared(declared: &[(String, Manifest)], unmanaged: usize) -> BTreeSet<Line> {
    let mut lines = BTreeSet::from([network_line(declared.len(), 0, unmanaged)]);
    for (name, manifest) in declared {
        let endpoint = shown(&manifest.url, &manifest.events, manifest.status);
        lines.insert(resource_line(name, "Ready=True/Available Synced=True/Available", &endpoint));
        let texts = |pairs: &Pairs| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let (labels, annotations) = (texts(&manifest.labels), texts(&manifest.annotations));
        lines.insert(secret_line(name, &manifest.secret, &manifest.url, &labels, &annotations));
    }
    lines
}

fn network_line(managed: usize, drifted: usize, unmanaged: usize) -> Line {
    let says = format!("the network is Ready; {managed} managed, {drifted} drifted, {unmanaged} unmanaged");
    line("", says)
}

fn resource_line(name: &str, conditions: &str, endpoint: &str) -> Line {
    line(name, format!("it is {conditions}, and holds {endpoint}"))
}

fn secret_line(
    name: &str,
    secret: &str,
    url: &str,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Line {
    let url = normal(url);
    line(name, format!("Secret {secret} holds the secret of its endpoint {url}, {labels:?} {annotations:?}"))
}

/// An endpoint, whatever the API's spelling of it.
fn shown(url: &str, events: &[impl AsRef<str>], status: &str) -> String {
    let events = events.iter().map(AsRef::as_ref).collect::<BTreeSet<_>>();
    format!("{} {events:?} {status}", normal(url))
}

fn normal(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), String::from)
}

/// How a world stands.
pub async fn stands(world: &World) -> BTreeSet<Line> {
    let network = world.cluster_api::<ClusterWebhookNetwork>().get(&world.namespace).await;
    let network = network.expect("the network can be read").status.unwrap_or_default();
    let counts = network.endpoints.unwrap_or_default();
    let count = |count: i64| usize::try_from(count).unwrap_or_default();
    let mut lines = BTreeSet::new();
    let ready =
        network.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    lines.insert(if ready {
        network_line(count(counts.managed), count(counts.drifted), count(counts.unmanaged))
    } else {
        line("", format!("the network says {}", conditions(&network.conditions, None)))
    });
    let resources = world.all::<WebhookEndpoint>().await;
    let live = world.simulator.endpoints(NETWORK);
    lines.extend(resources.iter().map(|resource| told(resource, &live)));
    let secrets = world.all::<Secret>().await;
    let ours = secrets.iter().filter(|secret| secret.type_.as_deref() == Some(SECRET_TYPE));
    lines.extend(ours.filter_map(|secret| stored(secret, &resources, &live)));
    lines
}

fn conditions(
    conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
    generation: Option<i64>,
) -> String {
    let said = conditions.iter().map(|condition| {
        let stale = if condition.observed_generation == generation { "" } else { " (stale)" };
        format!("{}={}/{}{stale}", condition.type_, condition.status, condition.reason)
    });
    said.collect::<Vec<_>>().join(" ")
}

fn told(resource: &WebhookEndpoint, live: &[Endpoint]) -> Line {
    let name = resource.name_any();
    let status = resource.status.clone().unwrap_or_default();
    let mut conditions = conditions(&status.conditions, resource.metadata.generation);
    if resource.metadata.deletion_timestamp.is_some() {
        conditions.push_str(", being deleted");
    }
    let Some(recorded) = &status.endpoint else { return resource_line(&name, &conditions, "no endpoint") };
    let endpoint = match live.iter().find(|endpoint| endpoint.id.as_str() == recorded.id) {
        None => format!("{}, which is gone", recorded.id),
        Some(endpoint) => {
            let truth = shown(&endpoint.url, &endpoint.enabled_events, &endpoint.status);
            let recorded = shown(&recorded.url, &recorded.enabled_events, &recorded.status);
            if truth == recorded { truth } else { format!("{truth}, and says {recorded}") }
        }
    };
    resource_line(&name, &conditions, &endpoint)
}

/// A Secret that has an owner. Whether it holds the truth is seen by the witness.
fn stored(secret: &Secret, resources: &[WebhookEndpoint], live: &[Endpoint]) -> Option<Line> {
    let owner = owner(&secret.metadata)?;
    let name = secret.name_any();
    let Some(owner) = resources.iter().find(|resource| resource.metadata.uid.as_deref() == Some(owner))
    else {
        return Some(line("", format!("Secret {name} belongs to a resource that is gone")));
    };
    let value = |key: &str| {
        let value = secret.data.as_ref().and_then(|data| data.get(key));
        value.map(|value| String::from_utf8_lossy(&value.0).into_owned()).unwrap_or_default()
    };
    let id = value("endpointId");
    let recorded = owner.status.as_ref().and_then(|status| status.endpoint.as_ref());
    let keys = secret.data.iter().flatten().map(|(key, _)| key.as_str()).collect::<Vec<_>>();
    if recorded.is_none_or(|recorded| recorded.id != id) || keys != ["endpointId", "secret", "url"] {
        let says = format!("Secret {name} holds {keys:?} of {id}, and the status says {recorded:?}");
        return Some(line(&owner.name_any(), says));
    }
    let url = live.iter().find(|endpoint| endpoint.id.as_str() == id).map(|endpoint| endpoint.url.clone());
    let url = url.filter(|url| *url == value("url")).unwrap_or_else(|| format!("not {}", value("url")));
    let declared = |pairs: &BTreeMap<String, String>| {
        let mut pairs = pairs.clone();
        pairs.retain(|key, _| !NOT_DECLARED.iter().any(|other| key.starts_with(other)));
        pairs
    };
    let (labels, annotations) = (declared(secret.labels()), declared(secret.annotations()));
    Some(secret_line(&owner.name_any(), &name, &url, &labels, &annotations))
}

/// The endpoints that live and that no resource names.
async fn unheld(world: &World) -> Vec<Endpoint> {
    let resources = world.all::<WebhookEndpoint>().await;
    let held = |endpoint: &Endpoint| {
        let named = resources.iter().filter_map(|resource| resource.status.as_ref()?.endpoint.as_ref());
        named.into_iter().any(|named| named.id == endpoint.id.as_str())
    };
    world.simulator.endpoints(NETWORK).into_iter().filter(|endpoint| !held(endpoint)).collect()
}

/// What differs from what is declared.
pub async fn differences(world: &World, fleet: &Fleet) -> Vec<Line> {
    let unheld = unheld(world).await;
    let (wanted, stands) = (as_declared(&fleet.declared().await, unheld.len()), stands(world).await);
    let missing =
        wanted.difference(&stands).map(|wanted| line(&wanted.about, format!("missing: {}", wanted.says)));
    let excess =
        stands.difference(&wanted).map(|stands| line(&stands.about, format!("instead: {}", stands.says)));
    let mut lines = missing.chain(excess).collect::<Vec<_>>();
    lines.extend(unexplained(world, fleet, &unheld).await);
    lines
}

/// The endpoints that live, that no resource names, and for which there is no good reason: a resource was
/// deleted that was to retain it, or it looks like none of a create any more and a user took its Secret away.
async fn unexplained(world: &World, fleet: &Fleet, unheld: &[Endpoint]) -> Vec<Line> {
    let told = unresolved(world).await;
    let mut lines = Vec::new();
    for number in 0..SIZE {
        let place = fleet.place(number).await;
        let alike = unheld.iter().filter(|endpoint| place.delivers_to(&endpoint.url));
        let alike = alike.filter(|endpoint| !fleet.strangers().contains(&endpoint.id));
        for endpoint in alike {
            let (released, lost) = {
                let seen = fleet.witness.seen();
                (seen.released.contains(&endpoint.id), seen.lost_by_user.contains(&endpoint.id))
            };
            let (retained, edited) = (place.retained > 0, fleet.edited().contains(&endpoint.id));
            let is_told = told.iter().any(|told| told.contains(endpoint.url.as_str()));
            if !(is_told || (released && retained) || (lost && (retained || edited))) {
                let why = format!("{released} {lost} {retained} {edited}");
                let why = format!("nobody holds {} (released, lost, retained, edited: {why})", endpoint.id);
                lines.push(line(&place.name, why));
            }
        }
    }
    lines
}

/// The notes of the Events that tell of creates which were let go unresolved.
async fn unresolved(world: &World) -> Vec<String> {
    let params = ListParams::default().fields("reason=CreateUnresolved");
    let events = Api::<Event>::namespaced(world.client.clone(), &world.namespace).list(&params).await;
    let events = events.expect("the Events can be listed");
    events.items.into_iter().filter_map(|event| event.message).collect()
}

/// What was deleted by the operator and must not be: what nobody declares, and what was retained.
pub fn wrongly_deleted(simulator: &Handle, fleet: &Fleet) -> Vec<Line> {
    let kept = |id: &EndpointId| fleet.strangers().contains(id) || fleet.witness.seen().released.contains(id);
    let ledger = simulator.ledger();
    let deletes = ledger
        .entries()
        .iter()
        .filter(|entry| entry.operation == Operation::Delete && entry.effect == Effect::Applied);
    let wrong = deletes.filter_map(|entry| entry.id.as_ref()).filter(|id| kept(id));
    wrong.map(|id| line("", format!("{id}, which was to be kept, was deleted"))).collect()
}
