//! One network: its client, its inventory, and the lister that keeps the inventory fresh.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::inventory::Inventory;
use crate::backoff::{Backoff, jittered};
use crate::provider::{Client, Endpoint, EndpointId, Error, ErrorClass, Priority};
use crate::state::NetworkKey;

/// The longest pause between lists while they fail for reasons that may pass by themselves.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
    /// Whether another network has taken its place, or none.
    ended: CancellationToken,
}

/// How the latest list ended.
#[derive(Clone, Debug, Default)]
struct Round {
    served: u64,
    failure: Option<Error>,
    succeeded: bool,
    /// Whether another one succeeded before.
    repeated: bool,
}

/// What a list showed.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The endpoints of which it showed something new.
    pub news: BTreeSet<EndpointId>,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Whether it is the first one that succeeded, or ends or begins a time without access, or shows
    /// another reason for it.
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
            ended: CancellationToken::new(),
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
        let shut = matches!(failure.class(), ErrorClass::Unauthorized | ErrorClass::Forbidden);
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

    /// Whether more than one list succeeded.
    #[must_use]
    pub fn was_listed_again(&self) -> bool {
        self.rounds.borrow().repeated
    }

    /// Sends those away that wait for a list: there will be none.
    pub fn end(&self) {
        self.ended.cancel();
    }

    /// Waits for a list that is begun after this call. Callers that wait at the same time share one. It
    /// also ends when the network does.
    ///
    /// # Errors
    ///
    /// When that list fails.
    pub async fn list_afresh(&self) -> Result<(), Error> {
        let ticket = self.tickets.fetch_add(1, Ordering::SeqCst) + 1;
        let mut rounds = self.rounds.subscribe();
        self.wake.notify_one();
        let served = rounds.wait_for(|round| round.served >= ticket);
        // The sender lives as long as `self`.
        let Some(Ok(round)) = self.ended.run_until_cancelled(served).await else { return Ok(()) };
        match &round.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    /// Lists for ever, and tells `on_listed` what each list showed.
    pub async fn keep_listing(
        self: Arc<Self>,
        is_held: impl Fn(&EndpointId) -> bool + Send,
        on_listed: impl Fn(Listed) + Send,
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
                    () = self.client.outage_began() => {
                        if let Some(pause) = self.client.outage_pause() {
                            due = due.min(Instant::now() + pause);
                        }
                        continue;
                    }
                }
            }
            let before = self.failure().map(|failure| failure.reason());
            let never = !self.rounds.borrow().succeeded;
            let outcome = self.list(if asked { Priority::Change } else { Priority::Resync }, &is_held).await;
            let pause = match &outcome {
                Ok(_) => {
                    backoff.reset();
                    jittered(self.interval)
                }
                Err(failure) => {
                    warn!(network = %self.key, reason = failure.reason(), "can't list the network: {failure}");
                    // While the API is down, the next list finds out whether it is back, as soon as it may.
                    let pause = self.client.outage_pause().filter(|pause| !pause.is_zero());
                    let pause = pause.unwrap_or_else(|| longest(failure).min(backoff.pause()));
                    failure.retry_after().unwrap_or_default().max(pause)
                }
            };
            due = Instant::now() + pause;
            let succeeded = outcome.is_ok();
            let (news, failure) = match outcome {
                Ok(news) => (news, None),
                Err(failure) => (BTreeSet::new(), Some(failure)),
            };
            self.rounds.send_modify(|round| {
                round.served = ticket;
                round.repeated |= round.succeeded && failure.is_none();
                round.succeeded |= failure.is_none();
                round.failure = failure;
            });
            let turn = before != self.failure().map(|failure| failure.reason()) || (never && succeeded);
            on_listed(Listed { news, succeeded, turn });
        }
    }

    async fn list(
        &self,
        priority: Priority,
        is_held: &(impl Fn(&EndpointId) -> bool + Send),
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

/// How long to wait at most before listing again: not long when that may help, since so many wait for it; else
/// as long as the regular interval.
fn longest(failure: &Error) -> Duration {
    match failure.class() {
        ErrorClass::Retry | ErrorClass::Ambiguous => jittered(LONGEST_PAUSE),
        _ => Duration::MAX,
    }
}
