//! Whose turn it is: each network's resources among themselves, so that a network whose API hangs holds
//! up no other's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::index::NetworkKey;

/// A number of slots for each network.
#[derive(Debug)]
pub(super) struct Slots {
    /// How many each network has.
    each: usize,
    /// Of the networks that some are in use of, or waited for.
    networks: Mutex<HashMap<NetworkKey, Arc<Semaphore>>>,
    closed: CancellationToken,
}

impl Slots {
    pub(super) fn new(each: u16) -> Self {
        Self { each: each.into(), networks: Mutex::default(), closed: CancellationToken::new() }
    }

    /// Waits for one of a network's slots, first come, first served; `None` once they are closed.
    pub(super) async fn enter(&self, network: &NetworkKey) -> Option<OwnedSemaphorePermit> {
        let slots = {
            let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
            networks.retain(|other, slots| other == network || Arc::strong_count(slots) > 1);
            let slots =
                networks.entry(network.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.each)));
            Arc::clone(slots)
        };
        tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            // The semaphores themselves are never closed.
            slot = slots.acquire_owned() => slot.ok(),
        }
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn network(name: &str) -> NetworkKey {
        NetworkKey::Cluster { name: name.to_owned() }
    }

    #[tokio::test]
    async fn a_network_whose_slots_are_taken_holds_up_no_other() {
        let slots = Slots::new(1);
        let taken = slots.enter(&network("down")).await;
        assert!(slots.enter(&network("down")).now_or_never().is_none(), "it waits");

        assert!(slots.enter(&network("up")).now_or_never().flatten().is_some());

        drop(taken);
        assert!(slots.enter(&network("down")).now_or_never().flatten().is_some());
    }

    #[tokio::test]
    async fn those_that_wait_are_sent_away_when_the_slots_close() {
        let slots = Slots::new(1);
        let network_a = network("a");
        let _taken = slots.enter(&network_a).await;
        let waiting = slots.enter(&network_a);
        slots.close();
        assert!(waiting.await.is_none());
        assert!(slots.enter(&network("b")).await.is_none());
    }

    #[tokio::test]
    async fn networks_that_nobody_uses_are_forgotten() {
        let slots = Slots::new(1);
        for number in 0..100 {
            slots.enter(&network(&number.to_string())).await;
        }
        assert_eq!(slots.networks.lock().unwrap().len(), 1);
    }
}
