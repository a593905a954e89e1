//! Everything that the simulator knows, behind one lock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::delivery::{DeliveryLog, Sender};
use crate::fault::FaultQueue;
use crate::habits::Habits;
use crate::hold::Release;
use crate::ledger::Ledger;
use crate::operation::Operation;
use crate::store::Store;
use crate::token_endpoint::TokenEndpoint;

/// What calls and tests read and change.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) credentials: Credentials,
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    pub(crate) faults: FaultQueue,
    pub(crate) habits: Habits,
    pub(crate) deliveries: DeliveryLog,
    /// Calls read but not finished.
    pub(crate) in_flight: HashMap<Operation, usize>,
    /// Connections refused before a request was read.
    pub(crate) refused: u64,
    /// TLS handshakes that did not succeed.
    pub(crate) failed_handshakes: u64,
    /// The only audience for which tokens are given.
    pub(crate) audience: String,
    /// Which requests for a token are answered with one.
    pub(crate) token_endpoint: TokenEndpoint,
    /// How long a new token is good for.
    pub(crate) token_lifetime: Duration,
    /// Makes ids.
    pub(crate) rng: StdRng,
}

/// The world and what moves in it.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    /// Wakes those who wait for the world to become something.
    changes: watch::Sender<()>,
    /// Wakes those who wait for time to pass.
    advances: watch::Sender<()>,
    /// Lets go what is held back until released.
    pub(crate) release: Release,
    /// Sends deliveries.
    pub(crate) sender: Sender,
    /// Cancelled when the simulator stops.
    pub(crate) stop: CancellationToken,
}

impl World {
    pub(crate) fn new(config: &Config) -> Self {
        let mut credentials = Credentials::default();
        for network in &config.networks {
            credentials.set_network(network.clone());
        }
        Self {
            clock: Clock::new(config.clock_skew),
            credentials,
            store: Store::new(config.habits.list_order),
            ledger: Ledger::default(),
            faults: FaultQueue::default(),
            habits: config.habits.clone(),
            deliveries: DeliveryLog::new(&config.delivery),
            in_flight: HashMap::new(),
            refused: 0,
            failed_handshakes: 0,
            audience: config.audience.clone(),
            token_endpoint: TokenEndpoint::default(),
            token_lifetime: config.token_lifetime,
            rng: config.seed.map_or_else(StdRng::from_os_rng, StdRng::seed_from_u64),
        }
    }
}

impl Shared {
    pub(crate) fn new(world: World, sender: Sender) -> Self {
        Self {
            world: Mutex::new(world),
            changes: watch::Sender::new(()),
            advances: watch::Sender::new(()),
            release: Release::new(),
            sender,
            stop: CancellationToken::new(),
        }
    }

    /// Reads the world.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        read(&self.lock())
    }

    /// Changes the world and wakes those who wait.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.lock());
        self.changes.send_replace(());
        result
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Moves the API's time forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.change(|world| world.clock.advance(by));
        self.advances.send_replace(());
    }

    /// Waits until this much of the API's time has passed.
    pub(crate) async fn pass(&self, time: Duration) {
        let mut advances = self.advances.subscribe();
        let end = self.read(|world| world.clock.elapsed()) + time;
        loop {
            let rest = end.saturating_sub(self.read(|world| world.clock.elapsed()));
            if rest.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                _ = advances.changed() => {}
            }
        }
    }

    /// A panic of a test's closure must not take the API down with it.
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
