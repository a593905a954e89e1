//! A run from its beginning to its end.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::json;
use simulator::Operation;
use testkit::World;
use testkit::audit::Mark;
use tokio::sync::mpsc;
use webhook_operator::resources::WebhookEndpoint;

use crate::change::{Change, Deed};
use crate::fleet::{Fleet, SIZE};
use crate::standing::{Line, as_declared, differences, stands, wrongly_deleted};
use crate::trouble::Troubles;

/// How many users are at work at a time; each keeps to some of the resources.
const USERS: usize = 8;
/// How many deeds a user can be behind.
const BEHIND: usize = 2;
/// How long it may take until all is as declared once the faults have ended.
const SETTLING: Duration = Duration::from_mins(3);
/// How many lists an end gets that was good: an unanswered create settles within fewer.
const LATER: usize = 4;
/// How much of the journals and logs a failure shows of a resource.
const SHOWN: usize = 40;
/// How much of a line of a log is shown.
const WIDTH: usize = 400;

/// Whether what differs may yet come to be as declared.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Patience {
    Left,
    Over,
}

/// A run.
pub struct Story {
    seed: u64,
    rng: StdRng,
    world: World,
    fleet: Arc<Fleet>,
    troubles: Troubles,
}

impl Story {
    pub async fn begin(seed: u64) -> Self {
        let mut world = World::without_operator("changes").await;
        let troubles = Troubles::new(&mut world);
        world.options.arguments.extend(["--secret-recovery-grace", "1s"].map(str::to_owned));
        let fleet = Arc::new(Fleet::new(&world));
        world.add_network(json!({})).await;
        world.start_operator();
        world.network_ready().await;
        Self { seed, rng: StdRng::seed_from_u64(seed), world, fleet, troubles }
    }

    /// So many changes take place.
    pub async fn go_on(&mut self, changes: usize) {
        let began = Instant::now();
        let wanted = self.fleet.done() + changes;
        let (users, at_work): (Vec<_>, Vec<_>) = (0..USERS).map(|_| self.user()).unzip();
        while self.fleet.done() < wanted {
            match Change::draw(&mut self.rng, SIZE) {
                Change::Of(place, deed) => {
                    if users[place % USERS].send((place, deed)).await.is_err() {
                        break;
                    }
                }
                Change::Trouble(trouble) => {
                    self.troubles.make(trouble, &mut self.world, &self.fleet).await;
                }
            }
        }
        drop(users);
        for user in at_work {
            user.await.expect("no user is refused");
        }
        let done = self.fleet.done();
        eprintln!("{done} changes; the last {changes} took {:.1?}", began.elapsed());
    }

    fn user(&self) -> (mpsc::Sender<(usize, Deed)>, tokio::task::JoinHandle<()>) {
        let (deeds, mut to_do) = mpsc::channel::<(usize, Deed)>(BEHIND);
        let fleet = Arc::clone(&self.fleet);
        let user = tokio::spawn(async move {
            while let Some((place, deed)) = to_do.recv().await {
                fleet.carry_out(place, &deed).await;
            }
        });
        (deeds, user)
    }

    /// The faults end, and with some help of the users, who do what the conditions say, all comes to be as
    /// declared, and stays so.
    pub async fn settle(&mut self) {
        let began = Instant::now();
        self.troubles.end(&self.world);
        let mut well = 0;
        loop {
            let differences = differences(&self.world, &self.fleet).await;
            let patience = if began.elapsed() > SETTLING { Patience::Over } else { Patience::Left };
            self.check(&differences, patience);
            well = if differences.is_empty() { well + 1 } else { 0 };
            if well > LATER {
                break;
            }
            if !differences.is_empty() {
                for number in 0..SIZE {
                    let mut place = self.fleet.place(number).await;
                    self.fleet.unpause(&mut place).await;
                    self.fleet.follow_advice(&mut place).await;
                }
                self.fleet.let_patience_pass(&self.world.all::<WebhookEndpoint>().await).await;
            }
            self.world.lists(1).await;
        }
        eprintln!("all is as declared after {:.1?}; {} endpoints live", began.elapsed(), self.fleet.living());
    }

    /// Fails the test when something is that must never be, or that must not be any more.
    fn check(&self, differences: &[Line], patience: Patience) {
        let violations = self.fleet.witness.violations();
        let deleted = wrongly_deleted(&self.world.simulator, &self.fleet);
        let too_long = !differences.is_empty() && patience == Patience::Over;
        if violations.is_empty() && deleted.is_empty() && !too_long {
            return;
        }
        let lines = deleted.iter().chain(differences).map(|line| format!("{}: {}", line.about, line.says));
        let lines = violations.iter().cloned().chain(lines).collect::<Vec<_>>().join("\n");
        let mut about = differences.iter().map(|line| line.about.as_str()).collect::<Vec<_>>();
        about.extend(violations.iter().flat_map(|text| text.split('"')).filter(|word| word.starts_with('e')));
        about.sort_unstable();
        about.dedup();
        let about = about.into_iter().filter(|about| !about.is_empty()).take(3);
        let stories = about.map(|about| self.story_of(about)).collect::<Vec<_>>().join("\n");
        panic!("CHANGES_SEED={}\n{lines}\n{stories}", self.seed);
    }

    /// What was done to a resource, and what its endpoints went through.
    fn story_of(&self, name: &str) -> String {
        let number = name[1..3].parse::<usize>().expect("a number");
        let Some(place) = self.fleet.try_place(number) else { return String::new() };
        let mut text = format!("--- {name}: the last changes ---\n");
        let from = place.journal.len().saturating_sub(SHOWN);
        place.journal[from..].iter().for_each(|line| {
            let _ = writeln!(text, "{line}");
        });
        let ledger = self.world.simulator.ledger();
        let created = ledger.calls(Operation::Create);
        let ids = created.filter(|entry| entry.url.as_deref().is_some_and(|url| place.delivers_to(url)));
        let ids = ids.filter_map(|entry| entry.id.clone()).collect::<Vec<_>>();
        let _ = writeln!(text, "--- {name}: the ledger ---");
        let entries = ledger.entries().iter().filter(|entry| {
            entry.url.as_deref().is_some_and(|url| place.delivers_to(url))
                || entry.id.as_ref().is_some_and(|id| ids.contains(id))
        });
        let entries = entries.collect::<Vec<_>>();
        entries.iter().skip(entries.len().saturating_sub(SHOWN)).for_each(|entry| {
            let id = entry.id.as_ref().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(
                text,
                "{:>6} {} {} {id} {:?} status {:?} fault {:?}",
                entry.sequence, entry.time, entry.operation, entry.effect, entry.status, entry.fault
            );
        });
        let _ = writeln!(text, "--- {name}: the log ---");
        let logs = self.troubles.logs.iter().cloned().chain([self.world.operator().log()]);
        let logs = logs.collect::<Vec<_>>().join("\n--- another operator ---\n");
        let own = format!("name=\"{name}\"");
        let mut lines =
            logs.lines().filter(|line| line.starts_with("---") || line.contains(&own)).collect::<Vec<_>>();
        lines.dedup();
        lines.iter().skip(lines.len().saturating_sub(2 * SHOWN)).for_each(|line| {
            let _ = writeln!(text, "{line:.WIDTH$}");
        });
        text
    }

    /// What is as declared costs nothing, also after another start.
    pub async fn costs_nothing_more(&mut self) {
        for restarted in [false, true] {
            if restarted {
                assert!(self.world.operator().stop(), "it stops with success");
                self.troubles.start_again(&mut self.world);
            }
            let (mark, sequence) = (Mark::now(), self.world.simulator.ledger().last_sequence());
            self.world.lists(LATER).await;
            let mut writes = mark.requests(self.world.operator());
            writes.retain(testkit::audit::Request::is_write);
            assert!(writes.is_empty(), "CHANGES_SEED={}: {writes:?}", self.seed);
            let ledger = self.world.simulator.ledger().since(sequence);
            assert_eq!(ledger.writes(), 0, "CHANGES_SEED={}", self.seed);
        }
    }

    /// Another world that never was any other way stands the same.
    pub async fn is_as_from_nothing(&self) {
        let world = World::new("from-nothing").await;
        let declared = self.fleet.declared().await;
        for (name, manifest) in &declared {
            world.endpoint(name, manifest.spec(&world.namespace)).await;
        }
        world.all_ready(declared.len()).await;
        world.network_counts(i64::try_from(declared.len()).expect("a few"), 0, 0).await;
        world.lists(2).await;
        let from_nothing = stands(&world).await;
        assert_eq!(from_nothing, as_declared(&declared, 0), "the manifests alone");
        let of_resources =
            |lines: std::collections::BTreeSet<Line>| lines.into_iter().filter(|line| !line.about.is_empty());
        let ours = of_resources(stands(&self.world).await).collect::<Vec<_>>();
        assert_eq!(ours, of_resources(from_nothing).collect::<Vec<_>>(), "CHANGES_SEED={}", self.seed);
    }

    /// Checks for the last time.
    pub async fn end(self) {
        self.check(&differences(&self.world, &self.fleet).await, Patience::Over);
    }
}
