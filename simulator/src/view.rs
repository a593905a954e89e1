//! The simulator's state as tests read it.

use secrecy::SecretString;

use crate::delivery::Delivery;
use crate::endpoint::{Endpoint, EndpointId, NetworkId};
use crate::fault::{Fault, FaultId};
use crate::ledger::Ledger;
use crate::operation::Operation;
use crate::world::World;

/// The simulator's state at one moment. It is the truth: lag and faults don't blur it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    world: &'a World,
}

impl<'a> View<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self { world }
    }

    /// Every call so far.
    #[must_use]
    pub fn ledger(&self) -> &'a Ledger {
        &self.world.ledger
    }

    /// The network's endpoints, in the order of its lists.
    pub fn endpoints(&self, network: &NetworkId) -> impl Iterator<Item = &'a Endpoint> + use<'a> {
        self.world.store.endpoints(network)
    }

    /// Every network's endpoints.
    pub fn all_endpoints(&self) -> impl Iterator<Item = &'a Endpoint> + use<'a> {
        let store = &self.world.store;
        store.networks().flat_map(|network| store.endpoints(network))
    }

    /// One endpoint, if it exists.
    #[must_use]
    pub fn endpoint(&self, id: &EndpointId) -> Option<&'a Endpoint> {
        self.world.store.truth(id)
    }

    /// The secret of an endpoint, also of one that is gone.
    #[must_use]
    pub fn secret_of(&self, id: &EndpointId) -> Option<&'a SecretString> {
        self.world.store.secret(id)
    }

    /// Every delivery so far, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> &'a [Delivery] {
        self.world.deliveries.all()
    }

    /// The faults still waiting, with how often each was met.
    pub fn faults(&self) -> impl Iterator<Item = (FaultId, &'a Fault, u64)> + use<'a> {
        self.world.faults.waiting()
    }

    /// How many calls of an operation are read but not finished: those that hang, or are held back.
    #[must_use]
    pub fn in_flight(&self, operation: Operation) -> usize {
        self.world.in_flight.get(&operation).copied().unwrap_or_default()
    }

    /// How many connections were refused before a request was read.
    #[must_use]
    pub fn refused_connections(&self) -> u64 {
        self.world.refused
    }

    /// How many TLS handshakes did not succeed.
    #[must_use]
    pub fn failed_handshakes(&self) -> u64 {
        self.world.failed_handshakes
    }
}
