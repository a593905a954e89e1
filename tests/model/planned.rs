//! What a process would do next: its knowledge goes into the operator's own index, and from there through the
//! operator's own two functions.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use webhook_operator::index::{
    Access, Api, Claim, Clocks, Entry, Index, LocalState, NetworkKey, Resource, ResourceKey, SecretWrite,
    Waits,
};
use webhook_operator::planning::{
    Desired, Drift, Intent, NetworkState, Observed, Overlap, Ownership, Reach, Removal, RetainDeadline,
    Rotation, SecretShape, Step, plan,
};
use webhook_operator::resources::{
    ENDPOINT_ID_ANNOTATION, FINALIZER, GROUP, NetworkConfirmation, OWNER_ANNOTATION,
    PREVIOUS_ENDPOINT_ID_ANNOTATION, RemoteEndpoint, Replacement, RetiringEndpoint,
    SECRET_ATTEMPT_ANNOTATION, WebhookEndpointStatus,
};

use super::api::endpoint_id;
use super::cluster::{self, Generation, Secret, View, uid};
use super::mutation::Mutation;
use super::process::{Process, Sight};
use super::time::{TIMING, Tick, second};

const NAMESPACE: &str = "model";
/// Each of its times is one tick.
pub const ROTATION: Rotation = Rotation {
    interval: None,
    activate_after: Duration::from_secs(10),
    retire_after: Duration::from_secs(10),
    overlap: Overlap::Full,
};

/// A step, and what it was planned from.
#[derive(Debug)]
pub struct Planned {
    pub step: Step,
    pub intent: Intent,
    pub observed: Observed,
}

/// What a process knows of one resource.
type Observation = Option<(Arc<Resource>, Observed)>;

/// Plans are asked for again and again, and most events change nothing that they depend on.
#[derive(Default)]
struct Known {
    observations: HashMap<(u64, usize), Arc<Observation>>,
    latest: Option<Latest>,
}

/// The process that was asked about last.
struct Latest {
    process: Process,
    fingerprint: u64,
    index: Option<Index<()>>,
    plans: HashMap<(usize, Tick, Option<Mutation>), Option<Arc<Planned>>>,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// More would take the memory that the states need.
const MOST_KNOWN: usize = 20_000;

/// What resource `who`'s next activation would do; `None` when this process knows of no such resource.
pub fn planned(process: &Process, who: usize, now: Tick, mutation: Option<Mutation>) -> Option<Arc<Planned>> {
    process.views[who].resource.as_ref()?;
    KNOWN.with_borrow_mut(|known| known.planned(process, who, now, mutation))
}

impl Known {
    fn planned(
        &mut self,
        process: &Process,
        who: usize,
        now: Tick,
        mutation: Option<Mutation>,
    ) -> Option<Arc<Planned>> {
        let Self { observations, latest } = self;
        let latest = match latest.take() {
            Some(same) if same.process == *process => latest.insert(same),
            _ => latest.insert(Latest::of(process)),
        };
        let asked = (who, now, mutation);
        if let Some(planned) = latest.plans.get(&asked) {
            return planned.clone();
        }
        if observations.len() >= MOST_KNOWN {
            observations.clear();
        }
        let observation = observations.entry((latest.fingerprint, who));
        let observation = Arc::clone(observation.or_insert_with(|| Arc::new(latest.observe(who))));
        let planned = observation.as_ref().as_ref().map(|(resource, observed)| {
            Arc::new(think(process, resource, observed.clone(), process.instant(now), mutation))
        });
        latest.plans.insert(asked, planned.clone());
        planned
    }
}

impl Latest {
    fn of(process: &Process) -> Self {
        let mut hasher = DefaultHasher::new();
        process.hash(&mut hasher);
        let fingerprint = hasher.finish();
        Self { process: process.clone(), fingerprint, index: None, plans: HashMap::new() }
    }

    fn observe(&mut self, who: usize) -> Observation {
        // Whatever is known was known by then.
        let at = self.process.instant(Tick::MAX);
        let clocks = Clocks { api: at, cluster: at, monotonic: *START };
        let index = self.index.get_or_insert_with(|| index(&self.process));
        index.observe(&key(who), clocks, Waits { settle: TIMING.settle, recovery: Duration::ZERO })
    }
}

fn think(
    process: &Process,
    resource: &Resource,
    mut observed: Observed,
    now: Timestamp,
    mutation: Option<Mutation>,
) -> Planned {
    let intent = resource.intent.clone();
    let step = match mutation {
        None => plan(&intent, &observed, now),
        Some(mutation) => mutation.plan(&intent, &mut observed, now, process),
    };
    Planned { step, intent, observed }
}

/// The moment of all plans, by the clock that is never set: what is waited for by it is told otherwise.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What the process knows, as the operator keeps it.
fn index(process: &Process) -> Index<()> {
    let mut index = Index::default();
    let network = network();
    index.put_network(
        &network,
        Entry {
            access: Access::default(),
            api: Api::At(Arc::from("https://api.example.com")),
            fingerprint: String::new(),
            timeout: TIMING.call,
            claim: Claim { confirmation: Some(NetworkConfirmation::default()), ..Claim::default() },
            handle: Ok(()),
        },
    );
    for (who, view) in process.views.iter().enumerate() {
        for (name, secret) in view.secrets.all() {
            let policy = view.resource.as_ref().map_or(Removal::Delete, |resource| resource.policy);
            if let Some(shown) = meta(who, name, secret, policy) {
                index.see_secret(&shown);
            }
        }
        if let Some(shown) = &view.resource {
            let _ = index.see(resource(who, shown));
        }
        if let Some(local) = index.local(&key(who), &uid(who)) {
            *local = local_state(process, who, view);
        }
    }
    for (id, who) in &process.created {
        index.created(&key(*who), &uid(*who), &endpoint_id(*id));
    }
    if process.proven {
        for policy in [Removal::Delete, Removal::Retain] {
            index.note_proven(NAMESPACE, &shape(String::new(), policy));
        }
    }
    if let Some(through) = index.incarnation(&network) {
        for (id, since) in process.missing() {
            index.saw_missing(&network, through, &endpoint_id(id), process.instant(since));
        }
    }
    if let Some(listed_at) = process.listed_at
        && let Some(token) = index
            .incarnation(&network)
            .and_then(|one| index.begin_list(&network, one, process.instant(listed_at)))
    {
        let listed: Vec<_> = process.present().map(|(id, shown)| shown.endpoint(id)).collect();
        index.end_list(&network, token, listed);
    }
    if let Some(through) = index.incarnation(&network) {
        for (id, _) in process.seen.iter().filter(|(_, sight)| **sight == Sight::Gone) {
            index.saw_gone(&network, through, &endpoint_id(*id));
        }
    }
    index
}

fn network() -> NetworkKey {
    NetworkKey::cluster("default")
}

fn key(who: usize) -> ResourceKey {
    ResourceKey::new(NAMESPACE, format!("resource-{who}"))
}

fn resource(who: usize, shown: &cluster::Resource) -> Resource {
    let cluster::Resource {
        request,
        name,
        policy,
        deleting,
        paused,
        finalizer,
        attempt,
        recorded,
        recorded_url,
        next,
        retiring,
        asked,
        answered,
        resolved,
        generation,
        condition: _,
    } = shown;
    let desired = request.endpoint();
    let endpoint = recorded.map(|id| RemoteEndpoint {
        id: endpoint_id(id).to_string(),
        network_id: None,
        url: recorded_url.map_or_else(String::new, |(url, slashed)| {
            format!("{}{}", url.text(), if slashed { "/" } else { "" })
        }),
        requested_url: recorded_url.filter(|(_, slashed)| *slashed).map(|(url, _)| url.text().to_owned()),
        enabled_events: request.events.set().iter().map(ToString::to_string).collect(),
        status: String::new(),
        created_at: None,
    });
    let replacement = next.map(|(id, url, since)| Replacement {
        id: endpoint_id(id).to_string(),
        url: url.text().to_owned(),
        requested_url: None,
        since: Some(Time(second(since))),
        takes_over_at: None,
    });
    let retiring = retiring.iter().map(|(id, since)| RetiringEndpoint {
        id: endpoint_id(*id).to_string(),
        since: Time(second(*since)),
        until: None,
    });
    let now = 1;
    Resource {
        key: key(who),
        uid: uid(who),
        resource_version: None,
        generation: Some(now),
        created_at: None,
        finalizers: finalizer.then(|| FINALIZER.to_owned()).into_iter().collect(),
        network: network(),
        url: desired.url.clone(),
        secret_name: name.text(who),
        list_request: None,
        attempt: attempt.as_deref().cloned(),
        status: WebhookEndpointStatus {
            observed_generation: (*generation != Generation::New).then_some(now),
            endpoint,
            replacement,
            retiring: retiring.collect(),
            handled_rotation: (*answered > 0).then(|| answered.to_string()),
            resolved_attempt: i64::try_from(*resolved).ok().filter(|number| *number > 0),
            applied_generation: (*generation == Generation::Applied).then_some(now),
            ..WebhookEndpointStatus::default()
        },
        intent: intent(*deleting, *paused, *policy, || Desired {
            endpoint: desired,
            secret: shape(name.text(who), *policy),
            drift: Drift::Correct,
            adopt: None,
            rotation: ROTATION,
            rotate: (*asked > 0).then(|| asked.to_string()),
        }),
    }
}

fn intent(deleting: bool, paused: bool, policy: Removal, desired: impl FnOnce() -> Desired) -> Intent {
    match (deleting, paused) {
        (false, false) => Intent::Converge(desired()),
        (false, true) => Intent::Pause(desired()),
        (true, false) => Intent::Finalize(policy),
        (true, true) => Intent::PauseDeletion,
    }
}

fn shape(name: String, policy: Removal) -> SecretShape {
    let ownership = match policy {
        Removal::Delete => Ownership::Reference,
        Removal::Retain => Ownership::Note,
    };
    SecretShape { name, ownership, ..SecretShape::default() }
}

/// The metadata of a Secret of ours; the watch shows no others.
fn meta(who: usize, name: cluster::Name, secret: &Secret, policy: Removal) -> Option<ObjectMeta> {
    let (endpoint, attempt, previous, is_owned) = match secret {
        Secret::Absent | Secret::Foreign => return None,
        Secret::Held { endpoint, attempt, genuine: _, previous } => (*endpoint, *attempt, previous, true),
        Secret::Released { endpoint, attempt, previous } => (*endpoint, *attempt, previous, false),
    };
    let owner = OwnerReference {
        api_version: format!("{GROUP}/v1alpha1"),
        kind: "WebhookEndpoint".to_owned(),
        name: key(who).name.to_string(),
        uid: uid(who),
        ..OwnerReference::default()
    };
    let mut annotations = BTreeMap::from([
        (ENDPOINT_ID_ANNOTATION.to_owned(), endpoint_id(endpoint).to_string()),
        (SECRET_ATTEMPT_ANNOTATION.to_owned(), attempt.to_string()),
    ]);
    if !previous.is_empty() {
        let ids = previous.iter().map(|id| endpoint_id(*id).to_string()).collect::<Vec<_>>().join(",");
        annotations.insert(PREVIOUS_ENDPOINT_ID_ANNOTATION.to_owned(), ids);
    }
    let is_noted = is_owned && policy == Removal::Retain;
    if is_noted {
        annotations.insert(OWNER_ANNOTATION.to_owned(), format!("{}/{}", owner.name, owner.uid));
    }
    Some(ObjectMeta {
        namespace: Some(NAMESPACE.to_owned()),
        name: Some(name.text(who)),
        annotations: Some(annotations),
        owner_references: (is_owned && !is_noted).then(|| vec![owner]),
        ..ObjectMeta::default()
    })
}

fn local_state(process: &Process, who: usize, view: &View) -> LocalState {
    // That a Secret is somebody else's shows when it is written.
    let foreign = *view.declared_secret() == Secret::Foreign;
    let declared = view.resource.as_ref().map(|resource| resource.name.text(who));
    LocalState {
        memory: process.memories[who].clone(),
        secret_write: declared.filter(|_| foreign).map_or(SecretWrite::Usual, SecretWrite::Foreign),
        retain_deadline: match process.reach {
            Reach::Open => RetainDeadline::default(),
            Reach::Shut => passed(),
        },
        ..LocalState::default()
    }
}

/// A network that has failed for long.
fn passed() -> RetainDeadline {
    let mut deadline = RetainDeadline::default();
    deadline.observe(&Intent::Finalize(Removal::Retain), &NetworkState::default(), *START);
    deadline.failed(*START);
    deadline.failed(*START + Duration::from_mins(1));
    deadline
}
