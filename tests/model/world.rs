//! The whole of one state: the remote API, the cluster, the process, the clock, and the faults to come.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use webhook_operator::planning::Attempt;

use super::api::Api;
use super::cluster::{Place, View};
use super::mutation::Mutation;
use super::planned::{Planned, planned};
use super::process::Process;
use super::time::Tick;

/// Faults and deeds that are still to come.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Budget {
    /// Crashes of the process.
    pub crashes: u8,
    /// Calls whose request or answer is lost.
    pub lost: u8,
    /// Creates that are refused, or answered without a secret.
    pub refused: u8,
    /// Lists and GETs that do not show what is fresh.
    pub lagging: u8,
    /// Lists that leave out one endpoint of any age.
    pub gaps: u8,
    /// Ticks in which the API shows an empty copy.
    pub failovers: u8,
    /// Starts with a cache that shows an earlier version.
    pub stale: u8,
    /// Times that Secrets can't be written for a while.
    pub denials: u8,
    /// Lists that nobody asked for.
    pub resyncs: u8,
    /// Times that the network is given up.
    pub shut: u8,
    /// Steps between whose plan and performance something else happens.
    pub between: u8,
    /// What people, and the API by itself, will do; each once, at any time.
    pub deeds: BTreeSet<Deed>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Deed {
    /// `kubectl delete` of a resource.
    DeleteResource(usize),
    /// Another `enabledEvents` in a resource.
    ChangeEvents(usize),
    /// Another `url` in a resource.
    ChangeUrl(usize),
    /// The one that it had before.
    ChangeUrlAgain(usize),
    /// Somebody asks for another secret.
    Rotate(usize),
    /// And for another one.
    RotateAgain(usize),
    /// `spec.paused` in a resource, and not any more.
    Pause(usize),
    Resume(usize),
    /// Another `secret.name` in a resource.
    MoveSecret(usize),
    /// Somebody deletes the endpoint that a resource holds.
    DeleteEndpoint(usize),
    /// Somebody deletes a resource's Secret.
    DeleteSecret(usize),
    /// Somebody creates a Secret of that name.
    ForeignSecret(usize),
    /// A backup brings back the Secret that a resource once had.
    RestoreSecret(usize),
    /// The same without its owner reference.
    RestoreOwnerless(usize),
    /// Somebody strips a resource's Secret of its owner reference.
    StripSecret(usize),
    /// An identical endpoint by hand, within the clock skew before an attempt of this tick.
    IdenticalJustBefore,
    /// An identical endpoint by hand, in the second in which an attempt of this tick begins, but listed
    /// before.
    IdenticalListed,
    /// An identical endpoint by hand, at any moment; for runs in which every create is answered.
    Identical,
    /// An endpoint by hand with the same URL and other events.
    OtherEvents,
    /// The API sets the oldest endpoint inactive that was made for a resource.
    Disable(usize),
}

/// A step that is planned, and not performed yet.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Begun {
    pub who: usize,
    /// The process as it was then.
    pub process: Arc<Process>,
    /// When that was.
    pub at: Tick,
}

/// What must never happen, and did.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Flaw {
    /// An endpoint that was made by hand was deleted or changed.
    ForeignEndpointTouched,
    /// A Secret that is somebody else's was written.
    ForeignSecretTouched,
    /// The secret of a live endpoint was overwritten by another's.
    StoredSecretOverwritten,
    /// An endpoint was deleted whose secret is stored, though its resource is to be kept.
    StoredEndpointDeleted,
    /// A resource was reported Ready without the true secret of a live endpoint, or though the endpoint was not
    /// as declared when it was last seen.
    UntrueReady,
    /// An endpoint that delivers was set inactive, or deleted, and no other one delivers whose secret is stored.
    Gap,
    /// An endpoint was set active whose secret is not stored.
    ActivatedUnstored,
    /// An endpoint was set active before those who use its secret had their time to load it.
    ActivatedEarly,
    /// An endpoint was deleted before it had its time to try its deliveries again.
    RetriesCut,
    /// The endpoints of a resource were changed though everything was to stay as it is.
    PauseIgnored,
    /// An endpoint was changed to what was declared once, and is not any more.
    OutdatedPatch,
    /// A resource was let go with an attempt unresolved, though the network, or a Secret, could tell what became of it.
    GivenUp,
}

/// What the clock shows at the start; before it, there is room for what was there already.
const START: Tick = 2;

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct World {
    pub now: Tick,
    pub api: Api,
    pub places: Vec<Place>,
    pub process: Process,
    /// A step between plan and perform.
    pub begun: Option<Begun>,
    /// Whether Secrets can't be written.
    pub denied: bool,
    pub budget: Budget,
    pub flaws: BTreeSet<Flaw>,
    /// What somebody deleted remotely by hand: `Ready` may outlive it until the next list.
    pub removed_by_hand: BTreeSet<super::api::Id>,
    /// The attempts that people were warned of when their resources were let go.
    pub warned_of: Vec<Attempt>,
}

impl World {
    pub fn starting_with(places: Vec<View>, api: Api, budget: Budget) -> Self {
        let places: Vec<_> = places.into_iter().map(|now| Place { now, ..Place::default() }).collect();
        let process = Process::start(places.iter().map(|place| place.now.clone()).collect(), 0);
        Self {
            now: START,
            api,
            places,
            process,
            begun: None,
            denied: false,
            budget,
            flaws: BTreeSet::new(),
            removed_by_hand: BTreeSet::new(),
            warned_of: Vec::new(),
        }
    }

    pub fn everybody(&self) -> std::ops::Range<usize> {
        0..self.places.len()
    }

    /// What resource `who`'s next activation would do, or is about to do.
    pub fn plan(&self, who: usize, mutation: Option<Mutation>) -> Option<Arc<Planned>> {
        match &self.begun {
            Some(begun) if begun.who == who => planned(&begun.process, who, begun.at, mutation),
            _ => planned(&self.process, who, self.now, mutation),
        }
    }

    /// What that activation goes by.
    pub fn view(&self, who: usize) -> &View {
        match &self.begun {
            Some(begun) if begun.who == who => &begun.process.views[who],
            _ => &self.process.views[who],
        }
    }

    /// What the clock shows the process.
    pub fn instant(&self) -> Timestamp {
        self.process.instant(self.now)
    }

    /// Time passes.
    pub fn advance(&mut self) {
        self.now += 1;
        self.api.away = false;
        self.api.expire(self.now);
    }

    /// Whether the process sees resource `who` and its Secret as they are.
    pub fn is_up_to_date(&self, who: usize) -> bool {
        self.process.views[who] == self.places[who].now
    }

    pub fn catch_up(&mut self, who: usize) {
        let now = self.places[who].now.clone();
        if now.resource.is_none() {
            self.process.memories[who] = webhook_operator::planning::Memory::default();
        }
        self.process.views[who] = now;
        if self.budget.stale == 0 || self.budget.crashes == 0 {
            self.places[who].forget();
        }
    }
}
