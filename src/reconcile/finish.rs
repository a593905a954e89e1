//! How an activation ends: what is reported, and when to look again.

use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::Activation;
use super::failure::Failure;
use super::remote::warn_of_loss;
use crate::backoff::jittered;
use crate::index::{LocalState, Mark, Pause};
use crate::planning::{Again, Outcome, Reach, State};

/// The longest pause while a secret is in memory and nowhere else.
const LONGEST_IN_HAND: Duration = Duration::from_secs(30);
/// How many times in a row a view may turn out to be outdated before the watch is not waited for any more.
const OUTDATED: u32 = 6;
/// A time that lies further ahead is looked at again before: clocks may be set, and a look costs no calls.
const LONGEST: Duration = Duration::from_hours(1);
/// A little later than asked for: on time, it would be a little early.
const LATER: Duration = Duration::from_millis(50);

/// When to look again.
struct Retry {
    /// After this time, or when something changes.
    pause: Option<Duration>,
    /// Whether a list of the network may move the resource on.
    awaits_list: Mark,
}

impl Retry {
    fn after(pause: Option<Duration>) -> Self {
        Self { pause, awaits_list: Mark::Clear }
    }
}

impl Activation<'_> {
    /// Reports how the activation ended, and says when to look again.
    pub(super) async fn finish(&mut self, outcome: Result<Outcome, Failure>) -> Option<Duration> {
        let failed = outcome.is_err();
        let asked = matches!(outcome, Err(Failure::Provider(_)));
        if let Err(Failure::Provider(error)) = &outcome
            && !error.is_held_back()
        {
            self.local(|local| local.retain_deadline.failed(Instant::now()));
        }
        let Retry { pause, awaits_list } = self.conclude(outcome).await;
        let pause = pause.into_iter().chain(self.deadline_left(asked)).min();
        let resource_version = self.version.clone();
        self.local(|local| {
            let until = pause.filter(|_| failed).map(|pause| Instant::now() + pause);
            local.pause = until.map(|until| Pause { resource_version, until });
        });
        self.context.index().set_awaits_list(&self.key, &self.resource.uid, awaits_list);
        pause
    }

    /// How long the network is waited for yet by a resource that is let go in the end.
    fn deadline_left(&self, asked: bool) -> Option<Duration> {
        let (settling, now) = (self.timing().settling(), Instant::now());
        let deadline = self.local(|local| local.retain_deadline)?;
        let left = match deadline.reach(settling, now) {
            // That was the last try.
            Reach::Shut => asked.then_some(Duration::ZERO),
            Reach::Open => deadline.wakes(settling).map(|wakes| wakes.saturating_duration_since(now)),
        };
        left.map(|left| left + LATER)
    }

    async fn conclude(&mut self, outcome: Result<Outcome, Failure>) -> Retry {
        let outdated = self.count_outdated(matches!(outcome, Err(Failure::Outdated)));
        let (outcome, mut retry) = match outcome {
            Ok(outcome) => {
                let retry = self.retry(&outcome);
                (outcome, retry)
            }
            // A view was outdated: the watch brings the newer one. When it does not, it is fetched.
            Err(Failure::Outdated) if outdated <= OUTDATED => return Retry::after(self.next_pause()),
            // Nothing was sent, and nothing went wrong. That its turn came too late is not worth telling.
            Err(Failure::Provider(error)) if error.is_held_back() => match error.retry_after() {
                Some(after) => (Outcome::awaits_budget(), Retry::after(Some(jittered(after)))),
                None => return Retry::after(self.next_pause()),
            },
            Err(failure) => {
                if matches!(failure, Failure::Outdated) {
                    self.fetch().await;
                }
                warn!(reason = failure.reason().as_str(), "{failure}");
                let retry = self.retry_after(&failure);
                (failure.outcome(), retry)
            }
        };
        if outcome.state == State::Gone {
            let lost = self.context.index().let_go(&self.key, &self.resource.uid);
            lost.iter().for_each(warn_of_loss);
            return retry;
        }
        match self.report(&outcome).await {
            Ok(()) => {}
            // It is looked at again at once, since it has changed.
            Err(Failure::Outdated) => retry.pause = self.next_pause(),
            Err(failure) => {
                warn!("can't report on the resource: {failure}");
                retry.pause = self.next_pause();
            }
        }
        retry
    }

    /// How many activations in a row have ended because a view was outdated.
    fn count_outdated(&self, outdated: bool) -> u32 {
        let counted = self.local(|local| {
            local.outdated_views = if outdated { local.outdated_views + 1 } else { 0 };
            local.outdated_views
        });
        counted.unwrap_or(0)
    }

    fn retry(&self, outcome: &Outcome) -> Retry {
        let (at, awaits_list) = match outcome.again {
            Again::WithBackoff => return Retry::after(self.next_pause()),
            Again::OnChange => (None, Mark::Clear),
            Again::At(at) => (Some(at), Mark::Clear),
            Again::AfterList(at) => (at, Mark::Set),
        };
        if awaits_list == Mark::Clear {
            self.local(|local| local.backoff.reset());
        }
        let left = at.map(|at| Duration::try_from(at.duration_since(self.now())).unwrap_or_default());
        Retry { pause: left.map(|left| left.min(LONGEST) + LATER), awaits_list }
    }

    fn retry_after(&self, failure: &Failure) -> Retry {
        let mut asked = failure.retry_after().unwrap_or_default();
        if self.local(|local| local.memory.in_hand().is_some()) == Some(true) {
            asked = asked.min(LONGEST_IN_HAND);
        }
        let awaits_list = if failure.may_pass_with_network() { Mark::Set } else { Mark::Clear };
        Retry { pause: self.next_pause().map(|pause| pause.max(asked)), awaits_list }
    }

    /// The pause before the next try. This is the one place where pauses between tries are hurried: what is
    /// logged is how long they are in life. `None` when the resource is gone.
    pub(super) fn next_pause(&self) -> Option<Duration> {
        let pause = self.local(|local: &mut LocalState| {
            let pause = local.backoff.pause();
            if local.memory.in_hand().is_some() { pause.min(LONGEST_IN_HAND) } else { pause }
        })?;
        debug!(seconds = pause.as_secs_f64(), "pauses before the next try");
        Some(pause / u32::from(self.context.settings.hurry.get()))
    }
}
