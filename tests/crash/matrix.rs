//! The matrix: every mutating call of a scenario, three moments of each, and what a crash there may cost.

use interposer::Call;
use testkit::SOON;

use crate::end::come_to;
use crate::learnt::{Learnt, Point, begin, check, lost_secrets};
use crate::scenario::Scenario;
use crate::scene::Scene;

/// How a run with crashes went.
pub struct Run {
    /// How many of the points were reached.
    pub reached: usize,
    /// What the operator did after the last crash.
    pub recovery: Vec<Call>,
    /// What went wrong.
    pub verdict: Result<(), String>,
}

impl Run {
    /// One that did not come so far.
    pub fn failed(why: String) -> Self {
        Self { reached: 0, recovery: Vec::new(), verdict: Err(why) }
    }
}

/// Runs a scenario, kills the operator at each of `points` in turn, and checks how it ends. The first
/// must be reached. What the operator does after a crash depends a little on time, so a later one need
/// not be. The end is good when it is so after as many lists of the network.
pub async fn crash(scenario: Scenario, learnt: &Learnt, points: &[Point], looks: usize) -> Run {
    let mut scene = Scene::new(scenario.name).await;
    scene.start();
    let begin = match begin(&scene, &scenario).await {
        Ok(begin) => begin,
        Err(why) => return Run::failed(why),
    };
    scene.gate.plan(points.iter().map(|point| point.plan(begin.calls)));
    (scenario.act)(&scene).await;
    let (reached, lost, verdict) = kill_at_each(&mut scene, &scenario, points, looks).await;
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
    looks: usize,
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
    (points.len(), lost, come_to(scene, &end, looks).await)
}
