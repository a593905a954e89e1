//! One network: its client, and the lister that keeps what is known of it fresh.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::backoff::{Backoff, jittered};
use crate::index::{ListToken, NetworkKey};
use crate::provider::{Client, Endpoint, EndpointId, Error, ErrorClass, Listing, Priority};

/// The longest pause between lists while they fail for reasons that may pass by themselves.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How many ids a log line shows.
const FEW: usize = 10;

/// One network: its client, and the lister that keeps what is known of it fresh.
#[derive(Debug)]
pub struct Network {
    /// The resource that declares it.
    pub key: NetworkKey,
    /// The client for its API.
    pub client: Client,
    /// How long one call may take.
    pub timeout: Duration,
    interval: Duration,
    /// How many lists were asked for.
    tickets: AtomicU64,
    wake: Notify,
    rounds: watch::Sender<Round>,
    /// Whether another network has taken its place, or none.
    ended: CancellationToken,
}

/// How the latest list ended.
#[derive(Clone, Debug, Default)]
struct Round {
    /// Which ticket it served, and so all before.
    served: u64,
    failure: Option<Error>,
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
            tickets: AtomicU64::new(0),
            wake: Notify::new(),
            rounds: watch::Sender::new(Round::default()),
            ended: CancellationToken::new(),
        }
    }

    /// Ends the lister, and sends those away that wait for a list.
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

    /// Lists until the network ends. `begin` is told when a list begins, by the API's clock, `page` before each page
    /// of it, and `end` how it ended and how long it is at most to the next one; for `share` see [`Client::list`].
    pub async fn keep_listing(
        self: Arc<Self>,
        begin: impl Fn(Timestamp) -> Option<ListToken> + Send,
        page: impl Fn() + Send + Sync,
        share: impl Fn(Vec<Endpoint>) -> Vec<Arc<Endpoint>> + Send + Sync,
        end: impl Fn(ListToken, Result<Listing, Error>, Duration) + Send,
    ) {
        let mut backoff = Backoff::new(Duration::from_millis(500), self.interval);
        let mut due = Instant::now();
        loop {
            let ticket = self.tickets.load(Ordering::SeqCst);
            let asked = ticket > self.rounds.borrow().served;
            if !asked {
                tokio::select! {
                    () = self.ended.cancelled() => return,
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
            // A list that is held back would say nothing of the network.
            if self.ended.run_until_cancelled(self.client.may_act()).await.is_none() {
                return;
            }
            let Some(token) = begin(self.client.now()) else { return };
            let priority = if asked { Priority::Change } else { Priority::Resync };
            let Some((token, outcome)) =
                self.ended.run_until_cancelled(self.list(priority, token, &page, &share)).await
            else {
                return;
            };
            let failure = outcome.as_ref().err().cloned();
            let pause = if let Some(failure) = &failure {
                warn!(network = %self.key, reason = failure.reason(), "can't list the network: {failure}");
                // While the API is down, the next list finds out whether it is back, as soon as it may.
                let pause = self.client.outage_pause().filter(|pause| !pause.is_zero());
                let pause = pause.unwrap_or_else(|| longest(failure).min(backoff.pause()));
                failure.retry_after().unwrap_or_default().max(pause)
            } else {
                backoff.reset();
                jittered(self.interval)
            };
            due = Instant::now() + pause;
            end(token, outcome, pause);
            self.rounds.send_modify(|round| *round = Round { served: ticket, failure });
        }
    }

    async fn list(
        &self,
        priority: Priority,
        token: ListToken,
        page: impl Fn(),
        share: impl Fn(Vec<Endpoint>) -> Vec<Arc<Endpoint>>,
    ) -> (ListToken, Result<Listing, Error>) {
        let begun = Instant::now();
        let listing = self.client.list(priority, page, share).await;
        if let Ok(Listing { endpoints, unreadable, nameless }) = &listing {
            debug!(network = %self.key, endpoints = endpoints.len(), "listed");
            if !unreadable.is_empty() || *nameless > 0 {
                let ids = unreadable.iter().take(FEW).map(EndpointId::as_str).collect::<Vec<_>>();
                warn!(
                    network = %self.key, unreadable = unreadable.len(), ?ids, nameless,
                    "the list has items that can't be read: endpoints that it lacks may be among them"
                );
            }
        }
        // The answers may have corrected the clock, which showed the local time before the first.
        let begun = self.client.now().checked_sub(begun.elapsed()).unwrap_or(Timestamp::MIN);
        (token.begun_by(begun), listing)
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
