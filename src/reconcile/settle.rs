//! How an activation ends: what is reported, and when to look again.

use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use tracing::{debug, warn};

use super::deadline::RetainDeadline;
use super::failure::Failure;
use super::mind::Mind;
use super::{Activation, Context};
use crate::backoff::jittered;
use crate::planning::{Reach, Reason, Rest, State};

/// The longest pause while a secret is in memory and nowhere else.
const LONGEST_IN_HAND: Duration = Duration::from_secs(30);
/// How many times in a row a view may turn out to be outdated before the watch is not waited for any more.
const OUTDATED: u32 = 6;

/// When to look again.
pub(super) struct Retry {
    /// After this time, or when something changes.
    pub(super) pause: Option<Duration>,
    /// Whether a list of the network may move the resource on.
    pub(super) waiting: bool,
}

/// The pause before the next try. This is the one place where pauses between tries are hurried: what is
/// logged is how long they are in life.
pub(super) fn next_pause(context: &Context, mind: &mut Mind) -> Duration {
    let pause = mind.backoff.pause();
    let pause = if mind.memory.in_hand().is_some() { pause.min(LONGEST_IN_HAND) } else { pause };
    debug!(seconds = pause.as_secs_f64(), "pauses before the next try");
    pause / u32::from(context.settings.hurry.get())
}

impl Activation<'_> {
    /// After a start, and while a network's client is replaced, there is nothing to tell that a resource
    /// does not say better already: a fleet that is as declared stays unwritten.
    fn has_better_to_say(&self, rest: &Rest) -> bool {
        let reported = self.view.status.as_ref().and_then(|status| status.observed_generation);
        rest.reason == Reason::AwaitingList && reported == self.view.metadata.generation
    }

    /// Reports how the activation ended, and says when to look again.
    pub(super) async fn settle(&mut self, outcome: Result<Rest, Failure>) -> Retry {
        if let Err(Failure::Provider(error)) = &outcome
            && !error.is_held_back()
        {
            self.mind.retain_deadline.failed(Instant::now());
        }
        let asked = matches!(outcome, Err(Failure::Provider(_)));
        let mut retry = self.conclude(outcome).await;
        let (deadline, now) = (self.mind.retain_deadline, Instant::now());
        let left = match deadline.reach(self.settling(), now) {
            // That was the last try.
            Reach::Shut => asked.then_some(Duration::ZERO),
            Reach::Open => deadline.wakes(self.settling()).map(|wakes| wakes.saturating_duration_since(now)),
        };
        // A little later: on time, it would be a little early.
        let left = left.map(|left| left + Duration::from_millis(50));
        retry.pause = retry.pause.into_iter().chain(left).min();
        retry
    }

    async fn conclude(&mut self, outcome: Result<Rest, Failure>) -> Retry {
        if !matches!(outcome, Err(Failure::Outdated)) {
            self.mind.outdated = 0;
        }
        let (rest, mut retry) = match outcome {
            Ok(rest) => {
                let pause = rest.wake.map(|wake| {
                    let left = wake.duration_since(self.now());
                    Duration::try_from(left).unwrap_or_default() + Duration::from_millis(50)
                });
                let probing = rest.reason == Reason::SecretNotOurs;
                let pause = if probing { Some(self.next_pause()) } else { pause };
                // What a list shows does not move a foreign Secret away.
                let waiting = !probing && matches!(rest.state, State::Reconciling | State::Stalled);
                if !probing && !waiting {
                    self.mind.backoff.reset();
                }
                (rest, Retry { pause, waiting })
            }
            // A view was outdated: the watch brings the newer one. When it does not, it is fetched.
            Err(Failure::Outdated) if self.mind.outdated < OUTDATED => {
                self.mind.outdated += 1;
                return Retry { pause: Some(self.next_pause()), waiting: false };
            }
            // The budget is short: nothing went wrong, and there is nothing to tell.
            Err(Failure::Provider(error)) if error.is_held_back() => {
                let pause = jittered(error.retry_after().unwrap_or(Duration::from_secs(1)));
                return Retry { pause: Some(pause), waiting: false };
            }
            Err(failure) => {
                if matches!(failure, Failure::Outdated) {
                    self.fetch_view().await;
                }
                warn!(reason = failure.reason().as_str(), "{failure}");
                let mut asked = failure.retry_after().unwrap_or_default();
                if self.mind.memory.in_hand().is_some() {
                    asked = asked.min(LONGEST_IN_HAND);
                }
                let pause = self.next_pause().max(asked);
                (failure.rest(), Retry { pause: Some(pause), waiting: failure.may_pass_with_network() })
            }
        };
        if rest.state == State::Gone {
            self.mind.retain_deadline = RetainDeadline::default();
            self.context.forget(self.key, &self.view.uid().unwrap_or_default());
            return retry;
        }
        if self.has_better_to_say(&rest) {
            return retry;
        }
        if let Err(failure) = self.report(&rest).await {
            warn!("can't report on the resource: {failure}");
            retry.pause = Some(self.next_pause());
        }
        retry
    }

    fn next_pause(&mut self) -> Duration {
        next_pause(self.context, self.mind)
    }
}
