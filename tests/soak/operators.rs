//! The operator, which is killed and started again.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use testkit::World;

use crate::account::Account;

/// Kills the operator now and then.
pub struct Killer {
    rng: StdRng,
    next: Instant,
}

impl Killer {
    pub fn new(seed: u64) -> Self {
        let mut killer = Self { rng: StdRng::seed_from_u64(seed), next: Instant::now() };
        killer.wait(2_000..8_000);
        killer
    }

    /// Kills the operator if it is time to, or starts the next one.
    pub fn perhaps(&mut self, world: &mut World, account: &Account) {
        if Instant::now() < self.next {
            return;
        }
        if let Some(operator) = world.own.take() {
            operator.kill();
            account.killed();
            self.wait(0..1_500);
        } else {
            revive(world);
            self.wait(2_000..8_000);
        }
    }

    fn wait(&mut self, milliseconds: std::ops::Range<u64>) {
        self.next = Instant::now() + Duration::from_millis(self.rng.random_range(milliseconds));
    }
}

/// Has the operator live.
pub fn revive(world: &mut World) {
    if world.own.is_none() {
        world.start_operator();
    }
}
