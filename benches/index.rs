//! What one event costs the index, at three sizes of fleet: it must not grow with the fleet.
//!
//! `cargo bench --bench index` measures; beside the times, it tells how much more an event costs in the largest
//! fleet than in the smallest.

#![expect(clippy::expect_used, reason = "a benchmark of what was not built would tell nothing")]
#![expect(clippy::print_stdout, reason = "the ratios are what it is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use webhook_operator::index::{
    Access, Api, Claim, Clocks, Entry, Index, NetworkKey, Resource, ResourceKey, Waits,
};
use webhook_operator::planning::{Attempt, Purpose, SecretShape, plan};
use webhook_operator::provider::{Endpoint, EndpointId, EndpointStatus, EventType};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// So many resources are in one namespace.
const NEIGHBOURS: usize = 50;
const SETTLE: Duration = Duration::from_secs(30);

/// A fleet that is as declared, but that each second resource has a create under way.
struct Fleet {
    index: Index<()>,
    size: usize,
    /// Where the latest event was.
    at: usize,
    version: u64,
}

impl Fleet {
    fn of(size: usize) -> Self {
        let mut index = Index::default();
        let network = network();
        index.put_network(&network, entry());
        for at in 0..size {
            index.note_proven(&key(at).namespace, &SecretShape::default());
            let _ = index.see(resource(at, 1));
            index.see_secret(&secret(at, 1));
        }
        index.note_all_seen();
        let incarnation = index.incarnation(&network).expect("the network is there");
        let token = index.begin_list(&network, incarnation, now()).expect("the same network is there");
        index.end_list(&network, token, (0..size).map(endpoint).collect::<Vec<_>>());
        Self { index, size, at: 0, version: 1 }
    }

    /// Another resource each time, far from the one before.
    fn next(&mut self) -> usize {
        self.version += 1;
        self.at = (self.at + 7_919) % self.size;
        self.at
    }
}

fn now() -> Timestamp {
    Timestamp::constant(1_700_000_000, 0)
}

fn network() -> NetworkKey {
    NetworkKey::cluster("default")
}

fn entry() -> Entry<()> {
    Entry {
        access: Access::default(),
        api: Api::At(Arc::from("https://api.example.com")),
        fingerprint: String::new(),
        timeout: Duration::from_secs(10),
        claim: Claim::default(),
        handle: Ok(()),
    }
}

fn key(at: usize) -> ResourceKey {
    ResourceKey::new(format!("team-{}", at / NEIGHBOURS), format!("endpoint-{at}"))
}

fn url(at: usize) -> String {
    format!("https://hooks.example.com/charging/{at}")
}

fn id(at: usize) -> EndpointId {
    format!("wh_{at}").into()
}

fn attempt(at: usize) -> Attempt {
    Attempt {
        uid: format!("uid-{at}"),
        number: 2,
        since: now(),
        started_at: now(),
        until: None,
        posts: 1,
        url: url(at).as_str().into(),
        enabled_events: [EventType::OcppMessage].into(),
        status: EndpointStatus::Active,
        known: BTreeSet::new(),
        purpose: Purpose::First,
        request: None,
    }
}

fn resource(at: usize, version: u64) -> Resource {
    let ResourceKey { namespace, name } = key(at);
    let declared = json!({
        "apiVersion": "webhookoperator.dev/v1alpha1",
        "kind": "WebhookEndpoint",
        "metadata": {
            "namespace": namespace, "name": name, "uid": format!("uid-{at}"), "generation": 1,
            "resourceVersion": version.to_string(), "finalizers": ["webhookoperator.dev/finalizer"],
        },
        "spec": { "url": url(at), "enabledEvents": ["ocpp.message"] },
        "status": {
            "observedGeneration": 1, "appliedGeneration": 1, "resolvedAttempt": 1,
            "endpoint": {
                "id": id(at), "url": url(at), "enabledEvents": ["ocpp.message"], "status": "active",
            },
            "secret": { "name": name, "endpointId": id(at) },
        },
    });
    let mut resource = Resource::of(&serde_json::from_value(declared).expect("a resource"));
    resource.attempt = (at % 2 == 1).then(|| attempt(at));
    resource
}

fn secret(at: usize, version: u64) -> ObjectMeta {
    let ResourceKey { namespace, name } = key(at);
    let meta = json!({
        "namespace": namespace, "name": name, "resourceVersion": version.to_string(),
        "annotations": { "webhookoperator.dev/endpoint-id": id(at), "webhookoperator.dev/attempt": "1" },
        "ownerReferences": [{
            "apiVersion": "webhookoperator.dev/v1alpha1", "kind": "WebhookEndpoint", "name": name,
            "uid": format!("uid-{at}"),
        }],
    });
    serde_json::from_value(meta).expect("metadata")
}

fn endpoint(at: usize) -> Endpoint {
    Endpoint {
        id: id(at),
        network_id: None,
        url: url(at).as_str().into(),
        enabled_events: [EventType::OcppMessage].into(),
        status: EndpointStatus::Active,
        created_at: None,
    }
}

fn resource_event(fleet: &mut Fleet) -> Duration {
    let at = fleet.next();
    let shown = fleet.index.resource(&key(at)).expect("it is there");
    let mut shown = Resource::clone(&shown);
    shown.resource_version = Some(fleet.version.to_string());
    timed(|| fleet.index.see(shown))
}

fn secret_event(fleet: &mut Fleet) -> Duration {
    let at = fleet.next();
    let shown = secret(at, fleet.version);
    timed(|| fleet.index.see_secret(&shown))
}

fn observe_and_plan(fleet: &mut Fleet) -> Duration {
    let key = key(fleet.next());
    let clocks = Clocks { api: now(), cluster: now(), monotonic: Instant::now() };
    timed(|| {
        let (resource, observed) = fleet
            .index
            .observe(&key, clocks, Waits { settle: SETTLE, recovery: SETTLE })
            .expect("it is there");
        plan(&resource.intent, &observed, now())
    })
}

fn rival_lookup(fleet: &mut Fleet) -> Duration {
    let at = fleet.next();
    let (key, attempt) = (key(at), attempt(at));
    timed(|| fleet.index.rival_posts(&key, &attempt))
}

fn own_create(fleet: &mut Fleet) -> Duration {
    let at = fleet.next();
    let (key, uid, made) = (key(at), format!("uid-{at}"), EndpointId::from(format!("wh_new_{at}")));
    timed(|| {
        fleet.index.created(&key, &uid, &made);
        fleet.index.deleted(&key, &uid, &made);
    })
}

fn timed<T>(event: impl FnOnce() -> T) -> Duration {
    let begun = Instant::now();
    let outcome = black_box(event());
    let took = begun.elapsed();
    drop(outcome);
    took
}

fn main() {
    type Event = fn(&mut Fleet) -> Duration;
    let events: [(&str, Event); 5] = [
        ("a resource event", resource_event),
        ("a Secret event", secret_event),
        ("observe and plan", observe_and_plan),
        ("a rival lookup", rival_lookup),
        ("an own create", own_create),
    ];
    let mut criterion = Criterion::default().configure_from_args();
    // The best of the samples: what else the machine does is no cost of ours.
    let mut best = BTreeMap::<(&str, usize), Duration>::new();
    for size in SIZES {
        let mut fleet = Fleet::of(size);
        for (name, event) in events {
            criterion.benchmark_group(name).bench_with_input(
                BenchmarkId::from_parameter(size),
                &(),
                |bencher, ()| {
                    bencher.iter_custom(|times| {
                        let took = (0..times).map(|_| event(&mut fleet)).sum::<Duration>();
                        let each = took / u32::try_from(times).unwrap_or(u32::MAX);
                        best.entry((name, size)).and_modify(|best| *best = each.min(*best)).or_insert(each);
                        took
                    });
                },
            );
        }
    }
    criterion.final_summary();
    let [smallest, .., largest] = SIZES;
    for (name, _) in events {
        if let (Some(small), Some(large)) = (best.get(&(name, smallest)), best.get(&(name, largest))) {
            let ratio = large.as_secs_f64() / small.as_secs_f64();
            println!("{name}: {small:?} of {smallest}, {large:?} of {largest}: {ratio:.1} times as much");
        }
    }
}
