//! What tests read and set while the simulator runs.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::api::add;
use crate::config::{NetworkConfig, Scopes};
use crate::delivery::{Delivery, DeliveryId, Event};
use crate::dispatch;
use crate::endpoint::{Endpoint, EndpointId, INACTIVE, NetworkId, NewEndpoint};
use crate::fault::{Fault, FaultId};
use crate::habits::Habits;
use crate::ledger::Ledger;
use crate::operation::{BASE_PATH, TOKEN_PATH};
use crate::server::Listener;
use crate::store::Lag;
use crate::tls::{Certificate, Certificates, TlsError};
use crate::token_endpoint::TokenEndpoint;
use crate::view::View;
use crate::world::Shared;

/// Reads and steers a running simulator. Clones steer the same one.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) plain: Listener,
    pub(crate) tls: Option<(Listener, Arc<Certificates>)>,
    pub(crate) admin: Option<SocketAddr>,
}

/// How to reach the API by TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Https {
    /// `https://127.0.0.1:<port>/webhooks/v1`
    pub base_url: String,
    /// `https://127.0.0.1:<port>/oauth/token`
    pub token_url: String,
    /// The authority that signed the certificate.
    pub ca_pem: String,
}

/// What was waited for did not come.
#[derive(Debug, thiserror::Error)]
#[error("what was waited for did not come within {bound:?}; {} calls so far, the last ones:{last_calls}", .calls)]
pub struct WaitTimeout {
    /// How long was waited.
    pub bound: Duration,
    /// How many entries the ledger has.
    pub calls: usize,
    /// The last few entries, a line each.
    pub last_calls: String,
}

#[expect(clippy::must_use_candidate, reason = "methods that act also tell what they did, for those who care")]
impl Handle {
    /// `http://127.0.0.1:<port>/webhooks/v1`
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}{BASE_PATH}", self.plain.address)
    }

    /// `http://127.0.0.1:<port>/oauth/token`
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("http://{}{TOKEN_PATH}", self.plain.address)
    }

    /// How to reach the API by TLS, if it listens with TLS.
    #[must_use]
    pub fn https(&self) -> Option<Https> {
        let (listener, certificates) = self.tls.as_ref()?;
        Some(Https {
            base_url: format!("https://{}{BASE_PATH}", listener.address),
            token_url: format!("https://{}{TOKEN_PATH}", listener.address),
            ca_pem: certificates.ca_pem(),
        })
    }

    /// `http://127.0.0.1:<port>/_simulator`, if it is served.
    #[must_use]
    pub fn admin_url(&self) -> Option<String> {
        self.admin.map(|address| format!("http://{address}/_simulator"))
    }

    /// Reads the state at one moment. `read` must not use a `Handle`: the state is locked.
    pub fn view<T>(&self, read: impl FnOnce(View<'_>) -> T) -> T {
        self.shared.read(|world| read(View::new(world)))
    }

    /// Waits, without polling, until `read` finds what it looks for. `read` must not use a `Handle`:
    /// the state is locked.
    ///
    /// # Errors
    ///
    /// When it is not found within `bound`.
    pub async fn wait_for<T>(
        &self,
        bound: Duration,
        mut read: impl FnMut(View<'_>) -> Option<T>,
    ) -> Result<T, WaitTimeout> {
        let mut changes = self.shared.changes();
        let found = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = self.view(&mut read) {
                    return found;
                }
                // The sender lives in `self.shared`, so there is always another change to wait for.
                let _ = changes.changed().await;
            }
        };
        tokio::time::timeout(bound, found).await.map_err(|_| self.timed_out(bound))
    }

    /// Waits, without polling, until `holds` does. `holds` must not use a `Handle`: the state is
    /// locked.
    ///
    /// # Errors
    ///
    /// When it does not within `bound`.
    pub async fn wait_until(
        &self,
        bound: Duration,
        mut holds: impl FnMut(View<'_>) -> bool,
    ) -> Result<(), WaitTimeout> {
        self.wait_for(bound, |view| holds(view).then_some(())).await
    }

    /// Every call so far, as a copy.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.view(|view| view.ledger().clone())
    }

    /// The network's endpoints as they are, in the order of its lists.
    #[must_use]
    pub fn endpoints(&self, network: impl Into<NetworkId>) -> Vec<Endpoint> {
        let network = network.into();
        self.view(|view| view.endpoints(&network).cloned().collect())
    }

    /// One endpoint as it is.
    #[must_use]
    pub fn endpoint(&self, id: &EndpointId) -> Option<Endpoint> {
        self.view(|view| view.endpoint(id).cloned())
    }

    /// The secret of an endpoint, also of one that is gone: the truth to compare with.
    #[must_use]
    pub fn secret_of(&self, id: &EndpointId) -> Option<SecretString> {
        self.view(|view| view.secret_of(id).cloned())
    }

    /// Every delivery so far, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.view(|view| view.deliveries().to_vec())
    }

    /// Makes an endpoint behind everybody's back: the ledger does not tell of it.
    pub fn insert(&self, network: impl Into<NetworkId>, endpoint: NewEndpoint) -> EndpointId {
        let network = network.into();
        self.shared.change(|world| add(world, &network, endpoint))
    }

    /// Changes an endpoint behind everybody's back, also to what the API itself would refuse; its id
    /// and network stay. Gives it as it is now, or `None` if there is none.
    pub fn edit(&self, id: &EndpointId, change: impl FnOnce(&mut Endpoint)) -> Option<Endpoint> {
        self.shared.change(|world| world.store.edit(id, change).cloned())
    }

    /// Deletes an endpoint behind everybody's back; tells whether there was one.
    pub fn delete(&self, id: &EndpointId) -> bool {
        self.shared.change(|world| world.store.delete(id))
    }

    /// Sets an endpoint inactive, as the vendor does after a long time without a successful
    /// delivery; tells whether there was one.
    pub fn disable(&self, id: &EndpointId) -> bool {
        self.edit(id, |endpoint| INACTIVE.clone_into(&mut endpoint.status)).is_some()
    }

    /// Lets the vendor set endpoints inactive after so many failed attempts in a row, or never.
    pub fn disable_after(&self, failures: Option<u32>) {
        self.shared.change(|world| world.deliveries.set_disable_after(failures));
    }

    /// Makes calls go wrong from now on.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.shared.change(|world| world.faults.inject(fault))
    }

    /// Removes a fault; tells whether it was still waiting. Calls that met it go on as they are.
    pub fn clear_fault(&self, id: FaultId) -> bool {
        self.shared.change(|world| world.faults.clear(id))
    }

    /// Removes every fault. Calls that met one go on as they are.
    pub fn clear_faults(&self) {
        self.shared.change(|world| world.faults.clear_all());
    }

    /// Sets what writes do to readers from now on.
    pub fn set_lag(&self, lag: Lag) {
        self.shared.change(|world| world.store.set_lag(lag));
    }

    /// Lets go everything that is held back until released: late answers, deferred effects, and
    /// writes that lists or gets do not show yet.
    pub fn release(&self) {
        self.shared.change(|world| world.store.release());
        self.shared.release.release();
    }

    /// Changes how the API behaves where its page is silent.
    pub fn set_habits(&self, change: impl FnOnce(&mut Habits)) {
        self.shared.change(|world| {
            change(&mut world.habits);
            world.store.set_order(world.habits.list_order);
        });
    }

    /// How the API behaves where its page is silent.
    #[must_use]
    pub fn habits(&self) -> Habits {
        self.shared.read(|world| world.habits.clone())
    }

    /// Limits which requests for a token are answered with one.
    pub fn set_token_endpoint(&self, token_endpoint: TokenEndpoint) {
        self.shared.change(|world| world.token_endpoint = token_endpoint);
    }

    /// Adds a network, or replaces its credentials. Issued OAuth tokens stay good; static tokens that
    /// are not named again do not.
    pub fn set_network(&self, network: NetworkConfig) {
        self.shared.change(|world| world.credentials.set_network(network));
    }

    /// Sets what a network's tokens may do: static ones at once, OAuth tokens from the next one on.
    pub fn set_scopes(&self, network: impl Into<NetworkId>, scopes: Scopes) {
        let network = network.into();
        self.shared.change(|world| world.credentials.set_scopes(&network, scopes));
    }

    /// Makes every token of a network worthless.
    pub fn revoke_tokens(&self, network: impl Into<NetworkId>) {
        let network = network.into();
        self.shared.change(|world| world.credentials.revoke_tokens(&network));
    }

    /// Sets how long tokens issued from now on are good for, by the API's clock; whole seconds.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.shared.change(|world| world.token_lifetime = lifetime);
    }

    /// The API's time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.read(|world| world.clock.now())
    }

    /// Moves the API's time forward: tokens expire, retries of deliveries fall due.
    pub fn advance_clock(&self, by: Duration) {
        self.shared.advance(by);
    }

    /// Sets how far the API's time of day is ahead of this machine's (behind, if negative), advances
    /// apart.
    pub fn set_clock_skew(&self, skew: SignedDuration) {
        self.shared.change(|world| world.clock.set_skew(skew));
    }

    /// Sends a signed delivery to every active endpoint of the event's network that subscribes to its
    /// type. Must be called within a tokio runtime.
    pub fn deliver(&self, event: &Event) -> Vec<DeliveryId> {
        dispatch::deliver(&self.shared, event)
    }

    /// Closes the API's ports and connections, so that the machine itself refuses clients.
    ///
    /// # Errors
    ///
    /// When the simulator has stopped.
    pub async fn suspend(&self) -> io::Result<()> {
        for listener in self.listeners() {
            listener.close().await?;
        }
        Ok(())
    }

    /// Opens the API's ports again.
    ///
    /// # Errors
    ///
    /// When a port was taken meanwhile, or the simulator has stopped.
    pub async fn resume(&self) -> io::Result<()> {
        for listener in self.listeners() {
            listener.open().await?;
        }
        Ok(())
    }

    /// Shows another certificate from the next TLS connection on; nothing without a TLS listener.
    ///
    /// # Errors
    ///
    /// When the certificate cannot be made.
    pub fn show_certificate(&self, certificate: Certificate) -> Result<(), TlsError> {
        match &self.tls {
            Some((_, certificates)) => certificates.show(certificate),
            None => Ok(()),
        }
    }

    fn listeners(&self) -> impl Iterator<Item = &Listener> {
        std::iter::once(&self.plain).chain(self.tls.iter().map(|(listener, _)| listener))
    }

    fn timed_out(&self, bound: Duration) -> WaitTimeout {
        self.view(|view| {
            let entries = view.ledger().entries();
            let mut last_calls = String::new();
            for entry in entries.iter().rev().take(5).rev() {
                let _ = write!(
                    last_calls,
                    "\n  {} {} status {:?} effect {:?} fault {:?}",
                    entry.sequence, entry.operation, entry.status, entry.effect, entry.fault,
                );
            }
            WaitTimeout { bound, calls: entries.len(), last_calls }
        })
    }
}
