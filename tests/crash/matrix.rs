//! The matrix: every mutating call of a scenario, three moments of each, and what a crash there may cost.

use std::collections::BTreeSet;
use std::fmt;

use interposer::{Call, CallMatcher, Outcome, Plan, RemoteOp, Shape, Signature, Target, When};
use simulator::{Ledger, Operation};

use crate::end::come_to;
use crate::scenario::{EMPTY, Scenario};
use crate::scene::Scene;
use crate::support::SOON;

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
    /// The plan to stop there, when `before` calls were made before the scenario began.
    fn plan(&self, before: u64) -> Plan {
        let call = self.call.clone();
        let at = if depends_on_time(&call.shape) {
            CallMatcher::matching(move |made| made.sequence > before && made.signature.shape == call.shape)
        } else {
            CallMatcher::Signature(call)
        };
        Plan { at, when: self.when }
    }
}

/// The points around these calls. A network's status tells what each list showed, so how often it is
/// written depends on time; a crash around it is the same whichever it is, and its first is a point.
pub fn points<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<Point> {
    let mut shapes = BTreeSet::new();
    let signatures = calls.map(|call| &call.signature);
    let firsts = signatures.filter(|call| shapes.insert(call.shape.clone()) || !depends_on_time(&call.shape));
    firsts.flat_map(|call| When::ALL.map(|when| Point { call: call.clone(), when })).collect()
}

fn depends_on_time(shape: &Shape) -> bool {
    let shape = shape.to_string();
    shape.contains("clusterwebhooknetworks") && shape.ends_with("/status")
}

/// How many secrets died with the operator: the API showed them, and no Secret holds them.
fn lost_secrets(calls: &[Call]) -> usize {
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
    /// Creates and deletes that took effect since the scenario began.
    pub effects: Effects,
}

/// Creates and deletes that took effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Effects {
    /// Endpoints created.
    pub creates: usize,
    /// Endpoints deleted.
    pub deletes: usize,
}

impl Effects {
    fn of(ledger: &Ledger) -> Self {
        Self { creates: ledger.effects(Operation::Create), deletes: ledger.effects(Operation::Delete) }
    }

    /// What a secret that was lost costs: its endpoint is deleted, and another one created.
    fn and_lost(self, secrets: usize) -> Self {
        Self { creates: self.creates + secrets, deletes: self.deletes + secrets }
    }
}

/// Runs a scenario without a crash, checks how it ends, and learns its calls.
pub async fn learn(scenario: &Scenario) -> Learnt {
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = begin(&scene, scenario).await;
    (scenario.act)(&scene).await;
    let end = come_to(&scene, &scenario.end(), 2).await;
    end.unwrap_or_else(|report| panic!("{} without a crash: {report}", scenario.name));
    let effects = Effects::of(&scene.world.simulator.ledger().since(begin.ledger));
    let expected = Effects { creates: scenario.creates, deletes: scenario.deletes };
    assert_eq!(effects, expected, "{} without a crash", scenario.name);
    let calls = scene.gate.mutations();
    let points = points(calls.iter().filter(|call| call.sequence > begin.calls));
    let known = calls.iter().map(|call| call.signature.clone()).collect();
    scene.close().await;
    Learnt { points, known, effects }
}

/// Where a scenario begins.
struct Begin {
    calls: u64,
    ledger: u64,
}

/// Waits until the operator has nothing left to do before the scenario, and prepares it.
async fn begin(scene: &Scene, scenario: &Scenario) -> Begin {
    let settled = come_to(scene, &[EMPTY.to_owned()], 1).await;
    settled.unwrap_or_else(|report| panic!("{} before it begins: {report}", scenario.name));
    (scenario.prepare)(scene).await;
    Begin { calls: scene.calls(), ledger: scene.world.simulator.ledger().last_sequence() }
}

/// How a run with crashes went.
pub struct Run {
    /// How many of the points were reached.
    pub reached: usize,
    /// What the operator did after the last crash.
    pub recovery: Vec<Call>,
    /// What went wrong.
    pub verdict: Result<(), String>,
}

/// Runs a scenario, kills the operator at each of `points` in turn, and checks how it ends. The first
/// must be reached. What the operator does after a crash depends a little on time, so a later one need
/// not be.
pub async fn crash(scenario: Scenario, learnt: &Learnt, points: &[Point]) -> Run {
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = begin(&scene, &scenario).await;
    scene.gate.plan(points.iter().map(|point| point.plan(begin.calls)));
    (scenario.act)(&scene).await;
    let (reached, lost, verdict) = kill_at_each(&mut scene, &scenario, points).await;
    let verdict = verdict.and_then(|()| check(&scene, learnt, lost, &begin));
    let recovery = scene.gate.mutations_in(scene.gate.life());
    scene.close().await;
    Run { reached, recovery, verdict }
}

/// Gives how many points were reached, how many secrets were lost there, and whether all ended well.
async fn kill_at_each(
    scene: &mut Scene,
    scenario: &Scenario,
    points: &[Point],
) -> (usize, usize, Result<(), String>) {
    let end = scenario.end();
    let mut lost = 0;
    for reached in 0..points.len() {
        let stopped = scene.gate.reached(SOON);
        let ended = async {
            match reached {
                0 => std::future::pending().await,
                _ => come_to(scene, &end, 2).await,
            }
        };
        tokio::select! {
            biased;
            stop = stopped => if let Err(error) = stop {
                return (reached, lost, Err(format!("{error}\nthe operator's log:\n{}", scene.log())));
            },
            ended = ended => return (reached, lost, ended),
        }
        scene.kill().await;
        lost += lost_secrets(&scene.gate.mutations_in(scene.gate.life() - 1));
        scene.start();
    }
    (points.len(), lost, come_to(scene, &end, 2).await)
}

fn check(scene: &Scene, learnt: &Learnt, lost: usize, begin: &Begin) -> Result<(), String> {
    let ledger = scene.world.simulator.ledger().since(begin.ledger);
    let (effects, expected) = (Effects::of(&ledger), learnt.effects.and_lost(lost));
    if effects != expected {
        return Err(format!("{effects:?} took effect, expected {expected:?}\n{}", mutations(scene)));
    }
    let calls = scene.gate.mutations().into_iter().filter(|call| call.sequence > begin.calls);
    let unplanned = calls.into_iter().find(|call| !learnt.covers(call));
    match unplanned {
        Some(call) => Err(format!("a call without a plan: {call}\n{}", mutations(scene))),
        None => Ok(()),
    }
}

impl Learnt {
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
        call.life > 0 && (again || matches!(call.target, Target::Remote(RemoteOp::Delete(_))))
    }
}

fn mutations(scene: &Scene) -> String {
    scene.gate.mutations().iter().map(|call| format!("  {call}")).collect::<Vec<_>>().join("\n")
}
