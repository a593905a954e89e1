//! One network: its client, its inventory, and the lister that keeps the inventory fresh.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::inventory::Inventory;
use crate::backoff::{Backoff, jittered};
use crate::provider::{Client, Endpoint, EndpointId, Error, Priority};
use crate::state::NetworkKey;

/// One network: its client, its inventory, and the lister that keeps the inventory fresh.
#[derive(Debug)]
pub struct Network {
    /// The resource that declares it.
    pub key: NetworkKey,
    /// The client for its API.
    pub client: Client,
    /// How long one call may take.
    pub timeout: Duration,
    interval: Duration,
    inventory: Mutex<Inventory>,
    tickets: AtomicU64,
    wake: Notify,
    rounds: watch::Sender<Round>,
}

/// How the latest list ended.
#[derive(Clone, Debug, Default)]
struct Round {
    served: u64,
    failure: Option<Error>,
    succeeded: bool,
    /// Whether no other list will come.
    ended: bool,
}

/// Why there is no fresh list.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotListed {
    /// The list failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// The network was removed, or replaced by one with other settings.
    #[error("the network is not listed any more: look it up again")]
    Ended,
}

/// Tells those who wait for a list when its lister ends, also when it is aborted.
struct Ending(Arc<Network>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.rounds.send_modify(|round| round.ended = true);
    }
}

/// What a list showed.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The endpoints of which it showed something new.
    pub news: BTreeSet<EndpointId>,
    /// Whether it is the first one that succeeded, or ends or begins a time without access.
    pub turn: bool,
}

impl Network {
    /// A network whose calls take at most `timeout`, and that is listed every `interval`, and up to a
    /// tenth of it more at random.
    #[must_use]
    pub fn new(key: NetworkKey, client: Client, timeout: Duration, interval: Duration) -> Self {
        Self {
            key,
            client,
            timeout,
            interval,
            inventory: Mutex::default(),
            tickets: AtomicU64::new(0),
            wake: Notify::new(),
            rounds: watch::Sender::new(Round::default()),
        }
    }

    /// The inventory. The lock is held for no longer than a look or an entry takes.
    pub fn inventory(&self) -> MutexGuard<'_, Inventory> {
        self.inventory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the network can't be worked with, if it can't: it was never listed, or its credentials
    /// are not accepted any more. A network that is merely down now has been listed before.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        let round = self.rounds.borrow();
        let failure = round.failure.as_ref()?;
        let shut = matches!(
            failure.class(),
            crate::provider::ErrorClass::Unauthorized | crate::provider::ErrorClass::Forbidden
        );
        (shut || !round.succeeded).then(|| failure.clone())
    }

    /// How the latest list ended: `None` before the first.
    #[must_use]
    pub fn latest(&self) -> Option<Result<(), Error>> {
        let round = self.rounds.borrow();
        match &round.failure {
            Some(failure) => Some(Err(failure.clone())),
            None => round.succeeded.then_some(Ok(())),
        }
    }

    /// Waits for a list that is begun after this call. Callers that wait at the same time share one.
    ///
    /// # Errors
    ///
    /// When that list fails, or will never come.
    pub async fn list_afresh(&self) -> Result<(), NotListed> {
        let ticket = self.tickets.fetch_add(1, Ordering::SeqCst) + 1;
        let mut rounds = self.rounds.subscribe();
        self.wake.notify_one();
        let Ok(round) = rounds.wait_for(|round| round.served >= ticket || round.ended).await else {
            // The sender lives as long as `self`.
            return Err(NotListed::Ended);
        };
        if round.served < ticket {
            return Err(NotListed::Ended);
        }
        match &round.failure {
            Some(failure) => Err(failure.clone().into()),
            None => Ok(()),
        }
    }

    /// Lists for ever, and tells `on_listed` what each list showed.
    pub fn keep_listing<H, L>(self: Arc<Self>, is_held: H, on_listed: L) -> impl Future<Output = ()> + Send + use<H, L>
    where
        H: Fn(&EndpointId) -> bool + Send + Sync,
        L: Fn(Listed) + Send + Sync,
    {
        // Made here, since what is aborted at once never runs.
        let ending = Ending(self);
        async move {
            let network = &ending.0;
            network.list_for_ever(is_held, on_listed).await;
        }
    }

    async fn list_for_ever(
        &self,
        is_held: impl Fn(&EndpointId) -> bool + Send + Sync,
        on_listed: impl Fn(Listed) + Send + Sync,
    ) {
        let mut backoff = Backoff::new(Duration::from_millis(500), self.interval);
        let mut due = Instant::now();
        loop {
            let ticket = self.tickets.load(Ordering::SeqCst);
            let asked = ticket > self.rounds.borrow().served;
            if !asked {
                tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = self.wake.notified() => continue,
                }
            }
            let before = self.failure().is_some();
            let never = !self.rounds.borrow().succeeded;
            let outcome = self.list(if asked { Priority::Change } else { Priority::Resync }, &is_held).await;
            let pause = match &outcome {
                Ok(_) => {
                    backoff.reset();
                    jittered(self.interval)
                }
                Err(failure) => {
                    warn!(network = %self.key, reason = failure.reason(), "can't list the network: {failure}");
                    failure.retry_after().unwrap_or_default().max(backoff.next())
                }
            };
            due = Instant::now() + pause;
            let (news, failure) = match outcome {
                Ok(news) => (news, None),
                Err(failure) => (BTreeSet::new(), Some(failure)),
            };
            self.rounds.send_modify(|round| {
                round.served = ticket;
                round.succeeded |= failure.is_none();
                round.failure = failure;
            });
            let turn = before != self.failure().is_some() || never;
            on_listed(Listed { news, turn });
        }
    }

    async fn list(
        &self,
        priority: Priority,
        is_held: &(impl Fn(&EndpointId) -> bool + Send + Sync),
    ) -> Result<BTreeSet<EndpointId>, Error> {
        let begun = Instant::now();
        let token = self.inventory().begin_list(self.client.now());
        let items = self
            .client
            .list(priority)
            .try_fold(Vec::<Endpoint>::new(), |mut items, page| async move {
                items.extend(page.items);
                Ok(items)
            })
            .await?;
        debug!(network = %self.key, endpoints = items.len(), "listed");
        // The answers may have corrected the clock, which showed the local time before the first.
        let begun = self.client.now().checked_sub(begun.elapsed()).unwrap_or(Timestamp::MIN);
        Ok(self.inventory().end_list(token.begun_by(begun), items, is_held))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::provider::{AddressPolicy, Auth, ClientConfig, Limits};

    const SOON: Duration = Duration::from_secs(30);

    /// A network whose API takes connections and never answers.
    async fn silent() -> (Arc<Network>, tokio::net::TcpListener) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(ClientConfig {
            api_url: format!("http://{}", listener.local_addr().unwrap()).parse().unwrap(),
            auth: Auth::BearerToken(SecretString::from("token")),
            timeout: Duration::from_mins(5),
            limits: Limits { requests_per_second: 10.0, burst: 10, in_flight: 4 },
            ca_bundle: None,
            allow_http: true,
            address_policy: AddressPolicy::Any,
        });
        let key = NetworkKey::Cluster { name: "default".to_owned() };
        (Arc::new(Network::new(key, client.unwrap(), Duration::from_mins(5), Duration::from_mins(5))), listener)
    }

    #[tokio::test]
    async fn nobody_waits_for_the_list_of_a_network_that_is_gone() {
        let (network, listener) = silent().await;
        let lister = tokio::spawn(Arc::clone(&network).keep_listing(|_| true, |_| {}));
        let waiting = tokio::spawn({
            let network = Arc::clone(&network);
            async move { network.list_afresh().await }
        });
        let _connection = listener.accept().await.unwrap();
        lister.abort();
        let outcome = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
        assert!(matches!(outcome, Err(NotListed::Ended)), "{outcome:?}");
        let late = tokio::time::timeout(SOON, network.list_afresh()).await.unwrap();
        assert!(matches!(late, Err(NotListed::Ended)), "{late:?}");
    }
}
