//! What an undisturbed run of a scenario teaches, and what a disturbed one is held against.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock};

use futures::future::join_all;
use interposer::{Call, CallMatcher, Outcome, Plan, RemoteOp, Shape, Side, Signature, Target, When};
use simulator::{Ledger, Operation};
use tokio::sync::OnceCell;

use crate::end::{come_to, expect, network_line};
use crate::harness::{Asked, Matrix};
use crate::scenario::{self, EMPTY, Scenario, Toll};
use crate::scene::Scene;

/// A moment of a call at which the operator is killed.
#[derive(Clone, Debug)]
pub struct Point {
    /// The call.
    pub call: Signature,
    /// The moment.
    pub when: When,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.call, self.when)
    }
}

impl Point {
    /// Whether the call writes to Kubernetes, and not to the remote API.
    pub fn writes_kubernetes(&self) -> bool {
        self.call.shape.to_string().starts_with(&Side::Kubernetes.to_string())
    }

    /// Whether the call writes the network.
    pub fn is_of_network(&self) -> bool {
        depends_on_time(&self.call.shape)
    }

    /// Whether it is this call, when `before` calls were made before the scenario began.
    pub fn is(&self, call: &Call, before: u64) -> bool {
        if depends_on_time(&self.call.shape) {
            call.sequence > before && call.signature.shape == self.call.shape
        } else if call.signature.shape == self.call.shape {
            // What comes after it is the same call, tried again.
            call.sequence > before && call.signature >= self.call
        } else {
            false
        }
    }

    /// The plan to stop there, when `before` calls were made before the scenario began.
    pub fn plan(&self, before: u64) -> Plan {
        let point = self.clone();
        let at = CallMatcher::matching(move |made| point.is(made, before));
        Plan { at, when: self.when }
    }
}

/// The points around these calls. A network's status tells what each list showed, and its finalizer is written
/// again where the cache was late, so how often a network is written depends on time; a crash around it is the same
/// whichever it is, and the first of a kind is a point.
pub fn points<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<Point> {
    let mut shapes = BTreeSet::new();
    let signatures = calls.map(|call| &call.signature);
    let firsts = signatures.filter(|call| shapes.insert(call.shape.clone()) || !depends_on_time(&call.shape));
    firsts.flat_map(|call| When::ALL.map(|when| Point { call: call.clone(), when })).collect()
}

fn depends_on_time(shape: &Shape) -> bool {
    shape.to_string().contains("clusterwebhooknetworks")
}

/// How many secrets died with the operator: the API showed them, and no Secret holds them.
pub fn lost_secrets(calls: &[Call]) -> usize {
    let done = |call: &Call| matches!(call.outcome, Outcome::Answered(status) if status.is_success());
    calls.iter().filter(|call| done(call)).fold(0, |in_hand, call| match &call.target {
        Target::Remote(RemoteOp::Create) => in_hand + 1,
        Target::Kubernetes(resource) if resource.resource == "secrets" && !call.dry_run => {
            in_hand.saturating_sub(1)
        }
        _ => in_hand,
    })
}

/// What an undisturbed run taught.
pub struct Learnt {
    /// The scenario's mutations, in order.
    pub points: Vec<Point>,
    /// Every call that the operator made, before the scenario began included.
    known: BTreeSet<Signature>,
    /// What took effect since the scenario began.
    pub effects: Effects,
    /// What a crash does to that.
    toll: Toll,
    /// Whether lists lag, so that how often the status is written, and a change is made again, depends on time.
    lags: bool,
}

/// What took effect remotely.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Effects {
    /// Endpoints created.
    pub creates: usize,
    /// Endpoints changed.
    pub patches: usize,
    /// Endpoints deleted.
    pub deletes: usize,
}

impl Effects {
    /// Those that a ledger shows.
    pub fn of(ledger: &Ledger) -> Self {
        let [creates, patches, deletes] = [Operation::Create, Operation::Patch, Operation::Delete]
            .map(|operation| ledger.effects(operation));
        Self { creates, patches, deletes }
    }

    /// What a secret that was lost costs: its endpoint is deleted, and another one created.
    fn and_lost(self, secrets: usize) -> Self {
        Self { creates: self.creates + secrets, deletes: self.deletes + secrets, ..self }
    }
}

/// What a scenario teaches, or what went wrong without a crash.
type Lesson = Result<Arc<Learnt>, String>;

/// What is learnt of a scenario, once for all tests.
///
/// # Errors
///
/// When it ends wrong without a crash.
pub async fn learnt(scenario: Scenario) -> Lesson {
    static ALL: LazyLock<BTreeMap<&str, OnceCell<Lesson>>> =
        LazyLock::new(|| scenario::all().map(|scenario| (scenario.name, OnceCell::new())).collect());
    let learn = async || {
        let learnt = tokio::spawn(learn(scenario)).await.unwrap_or_else(|panic| Err(panic.to_string()));
        learnt.map(Arc::new).map_err(|why| format!("without a crash: {why}"))
    };
    ALL[scenario.name].get_or_init(learn).await.clone()
}

/// That each scenario ends well without a crash.
pub fn matrix() -> Matrix {
    let mut matrix = Matrix::new("learn", 6);
    for scenario in scenario::all() {
        matrix.add([scenario.name], async move || learnt(scenario).await.map(drop));
    }
    matrix
}

/// A matrix for each of the scenarios that may be asked for, with the cells that follow from what is learnt of it.
/// Where that goes wrong, the only cell says so.
pub async fn matrices(
    asked: &Asked,
    name: &str,
    scenarios: impl Iterator<Item = Scenario>,
    at_a_time: usize,
    fill: impl Fn(Scenario, &Arc<Learnt>, &mut Matrix),
) -> Vec<Matrix> {
    let wanted = scenarios.map(|scenario| (scenario, format!("{name}/{}", scenario.name)));
    let wanted = wanted.filter(|(_, name)| asked.may_want(&format!("{name}/")));
    let matrices = wanted.map(async |(scenario, name)| {
        let mut matrix = Matrix::new(name, at_a_time);
        match learnt(scenario).await {
            Ok(learnt) => fill(scenario, &learnt, &mut matrix),
            Err(why) => matrix.add(["learn"], async move || Err(why)),
        }
        matrix
    });
    join_all(matrices).await
}

/// Runs a scenario without a crash, twice, checks how it ends, and learns its calls. Only those are points that both
/// runs made: others depend on time.
async fn learn(scenario: Scenario) -> Result<Learnt, String> {
    let (mut learnt, other) = futures::future::try_join(watch(scenario), watch(scenario)).await?;
    expect_same(learnt.effects, other.effects)?;
    learnt.points.retain(|point| other.points.iter().any(|also| also.call == point.call));
    learnt.known.extend(other.known);
    Ok(learnt)
}

fn expect_same(effects: Effects, others: Effects) -> Result<(), String> {
    if effects == others {
        Ok(())
    } else {
        Err(format!("{effects:?} took effect, and another time {others:?}"))
    }
}

/// Runs a scenario without a crash, and checks how it ends.
async fn watch(scenario: Scenario) -> Result<Learnt, String> {
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = begin(&scene, &scenario).await?;
    let network = network_line(&scene).await;
    (scenario.act)(&scene).await;
    come_to(&scene, &scenario.end(), 2).await?;
    let effects = Effects::of(&scene.world.simulator.ledger().since(begin.ledger));
    expect("creates", effects.creates, scenario.creates..=scenario.creates)?;
    expect("deletes", effects.deletes, scenario.deletes..=scenario.deletes)?;
    let calls = scene.gate.mutations();
    let mut points = points(calls.iter().filter(|call| call.sequence > begin.calls));
    // Where the network ends as it began, whether a list showed what was there meanwhile depends on time.
    let is_telling = network_line(&scene).await != network;
    points.retain(|point| is_telling || !point.is_of_network());
    let known = calls.iter().map(|call| call.signature.clone()).collect();
    scene.close().await;
    Ok(Learnt { points, known, effects, toll: scenario.toll, lags: false })
}

/// Where a scenario begins.
pub struct Begin {
    /// How many calls were made before it.
    pub calls: u64,
    /// The ledger's last line before it.
    pub ledger: u64,
}

/// Waits until the operator has nothing left to do before the scenario, and prepares it.
///
/// # Errors
///
/// When it has not in time.
pub async fn begin(scene: &Scene, scenario: &Scenario) -> Result<Begin, String> {
    let settled = come_to(scene, &[EMPTY.to_owned()], 1).await;
    settled.map_err(|report| format!("before it begins: {report}"))?;
    (scenario.prepare)(scene).await;
    Ok(Begin { calls: scene.calls(), ledger: scene.world.simulator.ledger().last_sequence() })
}

/// Holds a run against what was learnt; so many secrets were lost with the operator.
///
/// # Errors
///
/// When creates, deletes or changes took effect that should not have, or calls were made without a plan.
pub fn check(scene: &Scene, learnt: &Learnt, lost: usize, begin: &Begin) -> Result<(), String> {
    let ledger = scene.world.simulator.ledger().since(begin.ledger);
    let (mut effects, expected) = (Effects::of(&ledger), learnt.effects.and_lost(lost));
    if learnt.lags && effects.patches > 0 {
        effects.patches = expected.patches;
    }
    let is_right = match learnt.toll {
        Toll::PerSecret => effects == expected,
        Toll::AtMost => effects.creates <= expected.creates && effects.deletes == effects.creates,
    };
    if !is_right {
        return Err(format!("{effects:?} took effect, expected {expected:?}\n{}", mutations(scene)));
    }
    let calls = scene.gate.mutations().into_iter().filter(|call| call.sequence > begin.calls);
    let unplanned = calls.into_iter().find(|call| !learnt.lags && !learnt.covers(call));
    match unplanned {
        Some(call) => Err(format!("a call without a plan: {call}\n{}", mutations(scene))),
        None => Ok(()),
    }
}

impl Learnt {
    /// The same for lists that lag: only those calls are points that are made whatever the lists show.
    pub fn lagging(&self) -> Self {
        let Self { points, known, effects, toll, lags: _ } = self;
        let mut points = points.clone();
        points.retain(|point| !point.call.shape.to_string().ends_with("/status"));
        Self { points, known: known.clone(), effects: *effects, toll: *toll, lags: true }
    }

    /// Whether a call has a plan: in the first life it was learnt; later, it is what was learnt, done or
    /// shown possible again, or the deletion of a lost create's endpoint.
    fn covers(&self, call: &Call) -> bool {
        let shape = &call.signature.shape;
        if depends_on_time(shape) || (call.life == 0 && self.known.contains(&call.signature)) {
            return true;
        }
        let shape = shape.to_string();
        let shape = shape.trim_end_matches(" (dry run)");
        let again =
            self.known.iter().any(|known| known.shape.to_string().trim_end_matches(" (dry run)") == shape);
        call.life > 0 && (again || call.dry_run || matches!(call.target, Target::Remote(RemoteOp::Delete(_))))
    }
}

fn mutations(scene: &Scene) -> String {
    scene.gate.mutations().iter().map(|call| format!("  {call}")).collect::<Vec<_>>().join("\n")
}
