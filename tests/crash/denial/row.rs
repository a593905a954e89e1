//! One row: a denial that comes at a moment, and what becomes of the process meanwhile.

use std::collections::BTreeSet;
use std::fmt;

use interposer::{CallMatcher, Plan, RemoteOp, Target, When};
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use simulator::{EndpointId, Operation};
use testkit::{NETWORK, SOON, has_condition, message};
use webhook_operator::resources::WebhookEndpoint;

use super::check;
use super::hour::{Begin, Bounds, HOUR, HURRY};
use super::hurried;
use super::imposed::{Denial, Imposed};
use super::rights::{self, Double};
use crate::end::{come_to, expect, stands};
use crate::harness::tell;
use crate::scenario::{CREATE, EMPTY, RENAME, STORED};
use crate::scene::Scene;

/// When the denial comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// Before anything is created.
    Before,
    /// When the endpoint was created and its secret is in memory only.
    InHand,
    /// The same, for an endpoint that takes the place of one that is gone: its Secret is changed.
    Recreated,
    /// When the Secret is to have another name.
    Renamed,
    /// When the Secret is to have another label.
    Dressed,
}

/// What becomes of the operator in the middle of the hour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Process {
    /// Nothing.
    LivesThrough,
    /// SIGKILL, and another one is started.
    Killed,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What keeps the operator from its Secret.
    pub denial: Denial,
    /// When it comes.
    pub moment: Moment,
    /// What becomes of the operator.
    pub process: Process,
}

/// What a row came to.
struct Counts {
    minutes: f64,
    tries: usize,
    posts: usize,
    creates: usize,
    deletes: usize,
    writes: usize,
    events: usize,
}

/// What the columns mean.
pub const HEAD: &str =
    "denial           moment    process       minutes tries posts creates deletes writes events ended";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { denial, moment, process } = self;
        let moment = match moment {
            Moment::Before => "before",
            Moment::InHand => "in hand",
            Moment::Recreated => "recreated",
            Moment::Renamed => "renamed",
            Moment::Dressed => "dressed",
        };
        let process = match process {
            Process::LivesThrough => "lives through",
            Process::Killed => "killed",
        };
        write!(f, "{denial:<16} {moment:<9} {process:<13}")
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minutes, tries, posts, creates, deletes, writes, events } = self;
        write!(f, "{minutes:>7.1} {tries:>5} {posts:>5} {creates:>7} {deletes:>7} {writes:>6} {events:>6}")
    }
}

/// What is going on in a row.
struct Story {
    row: Row,
    scene: Scene,
    double: Double,
    /// The endpoints that somebody else deleted.
    gone: BTreeSet<EndpointId>,
    /// Where the ledger was when the denial came, or what it came for.
    ledger: u64,
    /// What the operator logged in earlier lives.
    logs: String,
}

impl Row {
    /// Lets the hour pass, ends the denial, and shows what it came to or tells what went wrong.
    pub async fn run(self) -> Result<(), String> {
        let counts = self.counts().await?;
        tell(&format!("{self} {counts} well"));
        Ok(())
    }

    async fn counts(self) -> Result<Counts, String> {
        let mut scene = Scene::new("denial").await;
        hurried::hurry(&mut scene.world.options, HURRY);
        if self.denial == Denial::Rbac {
            rights::narrow(&mut scene).await;
            rights::let_write(&scene.world).await;
        }
        let double = Double::of(&scene).await;
        double.until_let().await;
        scene.start();
        let mut story =
            Story { row: self, scene, double, gone: BTreeSet::new(), ledger: 0, logs: String::new() };
        let outcome = story.tell().await;
        let outcome = match outcome {
            Ok(counts) => Ok(counts),
            Err(why) => Err(story.failure(&why).await),
        };
        story.scene.close().await;
        outcome
    }

    /// The Secret that can't be written.
    fn secret(self) -> &'static str {
        if self.moment == Moment::Renamed { "moved" } else { "hook" }
    }

    fn in_hand(self) -> bool {
        matches!(self.moment, Moment::InHand | Moment::Recreated)
    }

    /// Whether the endpoint whose secret is in memory stays so for the whole hour.
    fn keeps(self) -> bool {
        self.process == Process::LivesThrough && self.denial != Denial::Foreign
    }

    fn bounds(self) -> Bounds {
        let in_hand = self.in_hand() && self.denial != Denial::Foreign;
        match self.process {
            Process::LivesThrough => Bounds::of(HOUR, in_hand),
            Process::Killed => Bounds::of(HOUR / 2.0, in_hand).and(Bounds::of(HOUR / 2.0, false)),
        }
    }
}

impl Story {
    async fn tell(&mut self) -> Result<Counts, String> {
        let row = self.row;
        self.prepare().await?;
        let calls = self.scene.calls();
        let begin = Begin::now(&self.scene);
        let imposed = self.strike().await?;
        self.scene.world.condition("hook", "Stalled", "True", row.denial.reason()).await;
        let kept = self.scene.world.api::<Secret>().get_opt("hook").await.expect("Secrets can be read");
        let passed = self.pass_hour(begin).await?;
        let during = self.scene.gate.journal().into_iter().filter(|call| call.sequence > calls);
        let during = during.collect::<Vec<_>>();
        let ledger = self.scene.world.simulator.ledger().since(self.ledger);
        let mut counts = Counts {
            minutes: passed / 60.0,
            tries: check::refusals(&during),
            posts: ledger.count(Operation::Create),
            creates: ledger.effects(Operation::Create),
            deletes: ledger.effects(Operation::Delete),
            writes: check::other_writes(&during),
            events: check::events(&during),
        };
        self.check_hour(&counts)?;
        self.check_status().await?;
        imposed.check(&self.scene.world).await?;
        let still = self.scene.world.api::<Secret>().get_opt("hook").await.expect("Secrets can be read");
        if still != kept {
            return Err("the Secret that was there changed".to_owned());
        }

        imposed.lift(&self.scene.world, &self.double).await;
        let calls = self.scene.calls();
        come_to(&self.scene, &self.end(), 1).await?;
        let after = self.scene.gate.journal().into_iter().filter(|call| call.sequence > calls);
        expect("tries refused after the denial", check::refusals(&after.collect::<Vec<_>>()), 0..=0)?;
        let ledger = self.scene.world.simulator.ledger().since(self.ledger);
        counts.posts = ledger.count(Operation::Create);
        counts.creates = ledger.effects(Operation::Create);
        counts.deletes = ledger.effects(Operation::Delete);
        self.check_end(&counts).await?;
        Ok(counts)
    }

    /// Brings about what the denial meets.
    async fn prepare(&mut self) -> Result<(), String> {
        come_to(&self.scene, &[EMPTY.to_owned()], 1).await?;
        if !matches!(self.row.moment, Moment::Before | Moment::InHand) {
            self.scene.world.endpoint("hook", json!({})).await;
            come_to(&self.scene, &CREATE.end(), 1).await?;
            self.ledger = self.scene.world.simulator.ledger().last_sequence();
        }
        Ok(())
    }

    /// The denial comes, at its moment.
    async fn strike(&mut self) -> Result<Imposed, String> {
        let world = &self.scene.world;
        let (denial, name) = (self.row.denial, self.row.secret());
        if self.row.in_hand() {
            let before = self.scene.calls();
            let create = CallMatcher::matching(move |call| {
                call.sequence > before && call.target == Target::Remote(RemoteOp::Create)
            });
            self.scene.gate.plan([Plan { at: create, when: When::AnswerDelivered }]);
            if self.row.moment == Moment::InHand {
                world.endpoint("hook", json!({})).await;
            } else {
                for endpoint in world.simulator.endpoints(NETWORK) {
                    world.simulator.delete(&endpoint.id);
                    self.gone.insert(endpoint.id);
                }
            }
            self.scene.gate.reached(SOON).await.map_err(|error| error.to_string())?;
            let imposed = denial.impose(world, &self.double, name).await;
            self.scene.gate.resume();
            return Ok(imposed);
        }
        let imposed = denial.impose(world, &self.double, name).await;
        match self.row.moment {
            Moment::Renamed => {
                world.change("hook", json!({ "spec": { "secret": { "name": "moved" } } })).await;
            }
            Moment::Dressed => {
                world.change("hook", json!({ "spec": { "secret": { "labels": { "team": "a" } } } })).await;
            }
            Moment::Before | Moment::InHand | Moment::Recreated => {
                world.endpoint("hook", json!({})).await;
            }
        }
        Ok(imposed)
    }

    /// Gives how many seconds of the operator's time passed.
    async fn pass_hour(&mut self, begin: Begin) -> Result<f64, String> {
        if self.row.process == Process::LivesThrough {
            return begin.pass(&self.scene, HOUR).await;
        }
        let half = begin.pass(&self.scene, HOUR / 2.0).await?;
        self.logs = self.scene.log();
        self.scene.kill().await;
        self.scene.start();
        Ok(half + Begin::now(&self.scene).pass(&self.scene, HOUR / 2.0).await?)
    }

    fn check_hour(&self, counts: &Counts) -> Result<(), String> {
        let row = self.row;
        let bounds = row.bounds();
        if !bounds.allow(counts.tries) {
            return Err(format!("{} tries, expected {bounds:?}", counts.tries));
        }
        let created = usize::from(row.in_hand());
        expect("POSTs in the hour", counts.posts, created..=created)?;
        expect("creates in the hour", counts.creates, created..=created)?;
        let deleted = if row.keeps() { 0 } else { created };
        expect("deletes in the hour", counts.deletes, deleted..=deleted)?;
        expect("other writes to Kubernetes in the hour", counts.writes, 1..=8)?;
        expect("writes of Events in the hour", counts.events, 1..=4)
    }

    async fn check_status(&self) -> Result<(), String> {
        let resource = self.scene.world.api::<WebhookEndpoint>().get("hook").await.expect("it is there");
        if !has_condition(&resource, "Stalled", "True", self.row.denial.reason()) {
            return Err("the resource does not say any more what is wrong".to_owned());
        }
        let told = message(&resource, "Stalled");
        let name = format!("Secret {:?}", self.row.secret());
        if told.contains(&name) { Ok(()) } else { Err(format!("{told:?} does not name {name}")) }
    }

    /// How the world stands when the denial is over.
    fn end(&self) -> Vec<String> {
        match self.row.moment {
            Moment::Renamed => RENAME.end(),
            Moment::Dressed => {
                let dressed = |line: String| if line == STORED { format!("{line}, team=a") } else { line };
                CREATE.end().into_iter().map(dressed).collect()
            }
            Moment::Before | Moment::InHand | Moment::Recreated => CREATE.end(),
        }
    }

    async fn check_end(&self, counts: &Counts) -> Result<(), String> {
        let row = self.row;
        let (creates, deletes) = match row.moment {
            Moment::Before => (1, 0),
            Moment::InHand | Moment::Recreated if row.keeps() => (1, 0),
            Moment::InHand | Moment::Recreated => (2, 1),
            Moment::Renamed | Moment::Dressed => (0, 0),
        };
        expect("POSTs", counts.posts, creates..=creates)?;
        expect("creates", counts.creates, creates..=creates)?;
        expect("deletes", counts.deletes, deletes..=deletes)?;
        let live = check::most_live(&self.scene.world.simulator.ledger(), &self.gone);
        expect("endpoints live at one time", live, 1..=1)?;
        let logs = self.logs.clone() + &self.scene.log();
        check::tells_no_secret(&self.scene, &logs).await
    }

    /// What went wrong, how the world stands, and the end of the operator's log.
    async fn failure(&self, why: &str) -> String {
        let stands = stands(&self.scene).await.join("\n  ");
        let log = self.scene.log();
        let lines = log.lines().collect::<Vec<_>>();
        let end = lines[lines.len().saturating_sub(40)..].join("\n  ");
        format!("{why}\nit stands so:\n  {stands}\nthe end of the operator's log:\n  {end}")
    }
}
