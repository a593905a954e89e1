//! One run of the model checker.

use std::fmt::{self, Display, Formatter};

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::events::Event;
use super::mutation::Mutation;
use super::properties;
use super::recovery::{self, Recovery};
use super::time::Tick;
use super::world::{Flaw, World};

const ENDS_WELL: &str = "it ends well once faults stop";

/// Where a run starts, and how far it goes.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub starts: Vec<World>,
    /// What the clock shows at most.
    pub horizon: Tick,
    /// How many events happen at most.
    pub depth: usize,
}

#[derive(Debug)]
pub struct Exploration {
    pub scenario: Scenario,
    pub mutation: Option<Mutation>,
    pub recovery: Recovery,
}

impl Model for Exploration {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        self.scenario.starts.clone()
    }

    fn actions(&self, state: &World, actions: &mut Vec<Event>) {
        state.events(self.scenario.horizon, self.mutation, actions);
    }

    fn next_state(&self, last_state: &World, action: Event) -> Option<World> {
        Some(last_state.after(action, self.mutation)).filter(|next| next != last_state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing leaks", |_, world| properties::nothing_leaks(world)),
            Property::always("Ready is true", |_, world: &World| !world.flaws.contains(&Flaw::UntrueReady)),
            Property::always("no foreign endpoint is touched", |_, world: &World| {
                !world.flaws.contains(&Flaw::ForeignEndpointTouched)
            }),
            Property::always("no foreign Secret is touched", |_, world: &World| {
                !world.flaws.contains(&Flaw::ForeignSecretTouched)
            }),
            Property::always("no stored endpoint is deleted", |_, world: &World| {
                !world.flaws.contains(&Flaw::StoredEndpointDeleted)
            }),
            Property::always("no secret of a live endpoint is overwritten", |_, world: &World| {
                !world.flaws.contains(&Flaw::StoredSecretOverwritten)
            }),
            Property::always("nothing that delivers ends before another one does", |_, world: &World| {
                !world.flaws.contains(&Flaw::Gap)
            }),
            Property::always("nothing is activated whose secret is not stored", |_, world: &World| {
                !world.flaws.contains(&Flaw::ActivatedUnstored)
            }),
            Property::always("nothing is activated before its time", |_, world: &World| {
                !world.flaws.contains(&Flaw::ActivatedEarly)
            }),
            Property::always("nothing is deleted before its time", |_, world: &World| {
                !world.flaws.contains(&Flaw::RetriesCut)
            }),
            Property::always("what is paused stays as it is", |_, world: &World| {
                !world.flaws.contains(&Flaw::PauseIgnored)
            }),
            Property::always("nothing outdated is brought back", |_, world: &World| {
                !world.flaws.contains(&Flaw::OutdatedPatch)
            }),
            Property::always("nothing is given up that can be told", |_, world: &World| {
                !world.flaws.contains(&Flaw::GivenUp)
            }),
            Property::always(ENDS_WELL, |model: &Self, world| model.recovery.holds(world, model.mutation)),
        ]
    }
}

/// Explores `scenario`, until a property is violated or there is no more to see.
pub fn explore(scenario: Scenario, mutation: Option<Mutation>) -> impl Checker<Exploration> {
    let depth = scenario.depth;
    Exploration { scenario, mutation, recovery: Recovery::default() }
        .checker()
        .threads(1)
        .target_max_depth(depth)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join()
}

/// A violated property, and the way there.
#[derive(Debug)]
pub struct Found {
    pub property: &'static str,
    pub steps: usize,
    told: String,
}

impl Found {
    pub fn of(checked: &impl Checker<Exploration>) -> Option<Self> {
        let mutation = checked.model().mutation;
        // What was done tells more than what it would lead to.
        let (property, path) =
            checked.discoveries().into_iter().min_by_key(|(name, _)| (*name == ENDS_WELL, *name))?;
        let mut told = Vec::new();
        let mut steps = 0;
        let mut last = None;
        for (world, event) in path.into_vec() {
            if let Some(event) = event {
                steps += 1;
                told.push(world.tell(event, mutation));
            }
            last = Some(world);
        }
        if let Some(last) = last {
            told.push(format!("flaws: {:?}", last.flaws));
            told.push(format!(
                "without more faults: {:?}",
                checked.model().recovery.ends_well(&last, mutation)
            ));
            told.extend(recovery::narrate(&last, mutation));
        }
        Some(Self { property, steps, told: told.join("\n  ") })
    }
}

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "not always: {}\n  {}", self.property, self.told)
    }
}
