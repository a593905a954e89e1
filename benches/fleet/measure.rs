//! What something costs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use simulator::Operation;
use testkit::World;
use testkit::audit::Tail;

use crate::meter::Meter;

/// How long nothing is asked of anybody before a phase counts as over.
const QUIET: Duration = Duration::from_millis(1_500);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// When a phase is given up.
const LONGEST: Duration = Duration::from_mins(15);

/// What a phase of a fleet cost.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    pub phase: String,
    /// How many resources there are.
    pub size: usize,
    /// Until nothing more was asked of anybody, in seconds.
    pub seconds: f64,
    /// Of the operator's processor time.
    pub cpu_seconds: f64,
    /// Requests to Kubernetes by verb and resource; watches left out.
    pub kubernetes: BTreeMap<String, usize>,
    /// Requests to the remote API by operation.
    pub remote: BTreeMap<String, usize>,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// At the end, in bytes.
    pub memory: u64,
    /// At most so far, in bytes.
    pub peak_memory: u64,
}

impl Figures {
    pub fn each(&self, total: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "fleets are small numbers")]
        let size = self.size as f64;
        total / size
    }

    pub fn rate(&self) -> f64 {
        1.0 / self.each(self.seconds)
    }

    /// The writes to Kubernetes, Events apart.
    pub fn writes(&self) -> usize {
        let writes = self.kubernetes.iter().filter(|(what, _)| {
            let (verb, resource) = what.split_once(' ').unwrap_or_default();
            ["create", "patch", "update", "delete"].contains(&verb) && resource != "events"
        });
        writes.map(|(_, count)| count).sum()
    }

    pub fn events(&self) -> usize {
        self.kubernetes.get("create events").copied().unwrap_or(0)
    }

    pub fn reads(&self) -> usize {
        let reads =
            self.kubernetes.iter().filter(|(what, _)| what.starts_with("get") || what.starts_with("list"));
        reads.map(|(_, count)| count).sum()
    }

    pub fn calls(&self, operation: Operation) -> usize {
        self.remote.get(&operation.to_string()).copied().unwrap_or(0)
    }
}

/// Takes the figures of phases, one after the other.
pub struct Measure {
    pub meters: [Meter; 2],
    tail: Tail,
    began: Instant,
    sequence: u64,
    cpu: Duration,
    bytes: [u64; 2],
    kubernetes: BTreeMap<String, usize>,
    remote: BTreeMap<String, usize>,
}

impl Measure {
    pub fn new(meters: [Meter; 2]) -> Self {
        Self {
            meters,
            tail: Tail::begin(),
            began: Instant::now(),
            sequence: 0,
            cpu: Duration::ZERO,
            bytes: [0; 2],
            kubernetes: BTreeMap::new(),
            remote: BTreeMap::new(),
        }
    }

    /// A phase begins, once nothing is asked of anybody any more for what came before.
    pub async fn begin(&mut self, world: &World) {
        let mut latest = Instant::now();
        while latest.elapsed() < QUIET && world.own.is_some() {
            if self.take_in(world) {
                latest = Instant::now();
            }
            tokio::time::sleep(LOOK).await;
        }
        self.tail = Tail::begin();
        self.kubernetes.clear();
        self.remote.clear();
        self.sequence = world.simulator.view(|view| view.ledger().last_sequence());
        self.cpu = world.own.as_ref().map_or(Duration::ZERO, |operator| operator.usage().cpu);
        self.bytes = self.bytes_so_far();
        self.began = Instant::now();
    }

    fn bytes_so_far(&self) -> [u64; 2] {
        let [kubernetes, remote] = [0, 1].map(|meter: usize| self.meters[meter].bytes());
        [kubernetes[0] + remote[0], kubernetes[1] + remote[1]]
    }

    /// Waits until `is_over`, and until nothing more is asked of anybody, and takes the figures.
    pub async fn end(
        &mut self,
        world: &World,
        phase: &str,
        size: usize,
        is_over: impl Fn(&Figures) -> bool,
    ) -> Figures {
        let mut latest = self.began;
        let mut told = Instant::now();
        loop {
            if self.take_in(world) {
                latest = Instant::now();
            }
            let quiet = latest.elapsed() >= QUIET;
            let figures = self.figures(world, phase, size, latest);
            if quiet && is_over(&figures) {
                return figures;
            }
            assert!(self.began.elapsed() < LONGEST, "{phase} takes too long: {figures:#?}");
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                crate::tell(&format!(
                    "  {phase}: {} writes to Kubernetes, {:?}",
                    figures.writes(),
                    figures.remote
                ));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes in what was asked since the last time; tells whether that was anything.
    fn take_in(&mut self, world: &World) -> bool {
        let Self { sequence, remote, .. } = self;
        let before = *sequence;
        world.simulator.view(|view| {
            let entries = view.ledger().entries();
            for entry in &entries[entries.partition_point(|entry| entry.sequence <= before)..] {
                *remote.entry(entry.operation.to_string()).or_default() += 1;
                *sequence = entry.sequence;
            }
        });
        let called = before != *sequence;
        let Some(operator) = &world.own else { return called };
        let requests = self.tail.next(operator.credential());
        for request in &requests {
            let dry = if request.dry_run { " (dry run)" } else { "" };
            *self.kubernetes.entry(format!("{} {}{dry}", request.verb, request.resource)).or_default() += 1;
        }
        called || !requests.is_empty()
    }

    fn figures(&self, world: &World, phase: &str, size: usize, latest: Instant) -> Figures {
        let usage = world.own.as_ref().map(testkit::Operator::usage);
        let bytes = self.bytes_so_far();
        Figures {
            phase: phase.to_owned(),
            size,
            seconds: latest.duration_since(self.began).as_secs_f64(),
            cpu_seconds: usage.map_or(0.0, |usage| usage.cpu.saturating_sub(self.cpu).as_secs_f64()),
            kubernetes: self.kubernetes.clone(),
            remote: self.remote.clone(),
            bytes_sent: bytes[0] - self.bytes[0],
            bytes_received: bytes[1] - self.bytes[1],
            memory: usage.map_or(0, |usage| usage.memory),
            peak_memory: usage.map_or(0, |usage| usage.peak),
        }
    }
}
