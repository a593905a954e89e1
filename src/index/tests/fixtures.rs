//! Resources, Secrets and networks for the tests of the index.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

use crate::index::{
    Access, Api, Claim, Clocks, Entry, Index, ListToken, NetworkKey, Resource, ResourceKey, Seen,
};
use crate::planning::{Attempt, Purpose};
use crate::provider::{Endpoint, EndpointStatus, EventType};
use crate::resources::{
    ENDPOINT_ID_ANNOTATION, FINALIZER, NetworkConfirmation, RemoteEndpoint, SECRET_ATTEMPT_ANNOTATION,
};

pub(super) const URL: &str = "https://example.com/charging";

pub(super) fn key(name: &str) -> ResourceKey {
    ResourceKey::new("billing", name)
}

pub(super) fn network(name: &str) -> NetworkKey {
    NetworkKey::cluster(name)
}

/// A resource of network `a` with this name, and the same for a uid.
pub(super) fn resource(name: &str, version: u64) -> Resource {
    let declared = json!({
        "apiVersion": "webhookoperator.dev/v1alpha1",
        "kind": "WebhookEndpoint",
        "metadata": {
            "namespace": "billing", "name": name, "uid": name, "resourceVersion": version.to_string(),
            "generation": 1, "finalizers": [FINALIZER],
        },
        "spec": { "networkRef": { "name": "a" }, "url": URL, "enabledEvents": ["ocpp.message"] },
    });
    Resource::of(&serde_json::from_value(declared).unwrap())
}

/// A resource whose status names this endpoint.
pub(super) fn holding(name: &str, version: u64, id: &str) -> Resource {
    let mut resource = resource(name, version);
    resource.status.endpoint = Some(RemoteEndpoint {
        id: id.to_owned(),
        network_id: None,
        url: URL.to_owned(),
        requested_url: None,
        enabled_events: vec!["ocpp.message".to_owned()],
        status: "active".to_owned(),
        created_at: None,
    });
    resource
}

pub(super) fn attempt(name: &str, url: &str) -> Attempt {
    Attempt {
        uid: name.to_owned(),
        number: 1,
        since: at(0),
        started_at: at(0),
        until: None,
        posts: 1,
        url: url.into(),
        enabled_events: [EventType::OcppMessage].into(),
        status: EndpointStatus::Active,
        known: BTreeSet::new(),
        purpose: Purpose::First,
        request: None,
    }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(super) fn clocks(second: i64) -> Clocks {
    Clocks { api: at(second), cluster: at(second), monotonic: Instant::now() }
}

pub(super) fn endpoint(id: &str) -> Endpoint {
    Endpoint {
        id: id.into(),
        network_id: None,
        url: URL.into(),
        enabled_events: [EventType::OcppMessage].into(),
        status: EndpointStatus::Active,
        created_at: None,
    }
}

/// The metadata of a Secret with the secret of an endpoint, which attempt 1 made; owned by a resource, or by
/// none.
pub(super) fn secret(name: &str, owner: Option<&str>, id: &str, version: u64) -> ObjectMeta {
    let owner = owner.map(|owner| {
        json!({
            "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "name": owner, "uid": owner,
        })
    });
    let meta = json!({
        "namespace": "billing", "name": name, "resourceVersion": version.to_string(),
        "annotations": { ENDPOINT_ID_ANNOTATION: id, SECRET_ATTEMPT_ANNOTATION: "1" },
        "ownerReferences": owner.into_iter().collect::<Vec<_>>(),
    });
    serde_json::from_value(meta).unwrap()
}

/// That it is certain which network it is.
pub(super) fn confirmed() -> Claim {
    Claim { confirmation: Some(NetworkConfirmation::default()), ..Claim::default() }
}

/// A network that works, at an API of this name.
pub(super) fn entry(api: &str) -> Entry<()> {
    Entry {
        access: Access::default(),
        api: Api::At(Arc::from(format!("https://{api}.example.com"))),
        fingerprint: api.to_owned(),
        timeout: Duration::from_secs(10),
        claim: confirmed(),
        handle: Ok(()),
    }
}

/// What is known once these resources, and network `a`, were seen.
pub(super) fn knowing(resources: impl IntoIterator<Item = Resource>) -> Index<()> {
    let mut index = Index::default();
    for resource in resources {
        assert_eq!(index.see(resource), Seen::Taken);
    }
    index.put_network(&network("a"), entry("a"));
    index
}

/// Begins a list of network `a`, if there is one.
pub(super) fn begin_list(index: &mut Index<()>, now: Timestamp) -> Option<ListToken> {
    let incarnation = index.incarnation(&network("a"))?;
    index.begin_list(&network("a"), incarnation, now)
}

/// Takes in a list of network `a`, begun at this second.
pub(super) fn list(index: &mut Index<()>, second: i64, ids: &[&str]) -> Vec<String> {
    let token = begin_list(index, at(second)).unwrap();
    let woken = index.end_list(&network("a"), token, ids.iter().map(|id| endpoint(id)).collect::<Vec<_>>());
    woken.into_iter().map(|key| key.name.to_string()).collect()
}
