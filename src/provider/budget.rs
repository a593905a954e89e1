//! The request budget of a network: rate, burst, requests in flight, and who goes first. No clock, no
//! I/O: every question comes with the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::bucket::Bucket;
use super::config::{Limits, Priority};
use super::pause::Pause;

/// Of so many requests in a row that overtake a waiting resync, the next is the resync: a network
/// whose inventory never gets through would no longer notice drift.
const CHANGES_IN_A_ROW: u32 = 9;
/// The pauses after a 429 that does not say how long to wait.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// Whether a request may go out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It goes out now and counts as in flight.
    Go,
    /// It is the next, after this long.
    In(Duration),
    /// Others go first, or too many are in flight: something else has to happen.
    NotYet,
}

/// The state of a network's budget.
#[derive(Debug)]
pub(super) struct Budget {
    bucket: Bucket,
    max_in_flight: u32,
    in_flight: u32,
    changes: VecDeque<Ticket>,
    resyncs: VecDeque<Ticket>,
    issued: u64,
    /// Changes that went out since a resync began to wait or went out.
    changes_in_a_row: u32,
    /// What the API asked for with a 429.
    pause: Pause,
    /// When the latest pause was asked for.
    paused_at: Option<Instant>,
}

impl Budget {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            bucket: Bucket::new(limits, now),
            max_in_flight: limits.in_flight,
            in_flight: 0,
            changes: VecDeque::new(),
            resyncs: VecDeque::new(),
            issued: 0,
            changes_in_a_row: 0,
            pause: Pause::growing(FIRST_PAUSE, LONGEST_PAUSE),
            paused_at: None,
        }
    }

    /// What is left of a pause that the API asked for.
    pub(super) fn paused(&self, now: Instant) -> Option<Duration> {
        self.pause.remaining(now)
    }

    /// How long a request that queues up now will wait at least.
    pub(super) fn foreseen_wait(&self, priority: Priority, now: Instant) -> Duration {
        let ahead = match priority {
            Priority::Change => self.changes.len(),
            Priority::Resync => self.changes.len() + self.resyncs.len(),
        };
        self.bucket.wait(ahead, now)
    }

    /// Queues a request up.
    pub(super) fn join(&mut self, priority: Priority) -> Ticket {
        self.issued += 1;
        let ticket = Ticket(self.issued);
        match priority {
            Priority::Change => self.changes.push_back(ticket),
            Priority::Resync => self.resyncs.push_back(ticket),
        }
        ticket
    }

    /// Takes a request out of the queue, whether it went out or gave up.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        for queue in [&mut self.changes, &mut self.resyncs] {
            if let Ok(at) = queue.binary_search(&ticket) {
                queue.remove(at);
            }
        }
    }

    /// The request whose turn is next.
    pub(super) fn next(&self) -> Option<Ticket> {
        let resync_is_due = self.changes_in_a_row >= CHANGES_IN_A_ROW;
        match (self.changes.front(), self.resyncs.front()) {
            (Some(_), Some(resync)) if resync_is_due => Some(*resync),
            (Some(change), _) => Some(*change),
            (None, resync) => resync.copied(),
        }
    }

    /// Asks for a request's turn, with at most `allowance` in flight.
    pub(super) fn turn(&mut self, ticket: Ticket, allowance: u32, now: Instant) -> Turn {
        if self.next() != Some(ticket) || self.in_flight >= self.max_in_flight.min(allowance) {
            return Turn::NotYet;
        }
        if !self.bucket.take(now) {
            return Turn::In(self.bucket.wait(0, now));
        }
        let overtakes = self.changes.front() == Some(&ticket) && !self.resyncs.is_empty();
        self.changes_in_a_row = if overtakes { self.changes_in_a_row + 1 } else { 0 };
        self.leave(ticket);
        self.in_flight += 1;
        Turn::Go
    }

    /// Notes that a request is no longer in flight.
    pub(super) fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Notes that the API asked a request that went out at `sent` for a pause, for `asked` or without
    /// saying how long.
    pub(super) fn limited(&mut self, sent: Instant, asked: Option<Duration>, now: Instant) {
        // The answers to requests that were out together are one refusal, not many.
        let same_wave = self.paused_at.is_some_and(|paused_at| sent < paused_at);
        if same_wave && asked.is_none() {
            return;
        }
        let rest = self.pause.begin(now, asked);
        self.paused_at = Some(now);
        self.bucket.close(now + rest);
    }

    /// Notes that the API served a request that went out at `sent`.
    pub(super) fn served(&mut self, sent: Instant) {
        if self.paused_at.is_none_or(|paused_at| sent >= paused_at) {
            self.pause.reset();
        }
    }

    /// Gives up what was saved for a burst.
    pub(super) fn calm_down(&mut self, now: Instant) {
        self.bucket.close(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn budget(burst: u32, in_flight: u32, now: Instant) -> Budget {
        Budget::new(Limits { requests_per_second: 10.0, burst, in_flight }, now)
    }

    /// Lets everything out that may go at `now`, in order.
    fn drain(budget: &mut Budget, now: Instant) -> Vec<Ticket> {
        let mut out = Vec::new();
        while let Some(ticket) = budget.next()
            && budget.turn(ticket, u32::MAX, now) == Turn::Go
        {
            out.push(ticket);
        }
        out
    }

    #[test]
    fn changes_go_ahead_of_resyncs_in_the_order_they_came() {
        let now = Instant::now();
        let mut budget = budget(10, 10, now);
        let resync = budget.join(Priority::Resync);
        let first = budget.join(Priority::Change);
        let second = budget.join(Priority::Change);

        assert_eq!(budget.turn(resync, u32::MAX, now), Turn::NotYet);
        assert_eq!(drain(&mut budget, now), [first, second, resync]);
    }

    #[test]
    fn resyncs_are_not_starved() {
        let now = Instant::now();
        let mut budget = budget(100, 100, now);
        let resync = budget.join(Priority::Resync);
        for _ in 0..50 {
            budget.join(Priority::Change);
        }
        let place = drain(&mut budget, now).iter().position(|ticket| *ticket == resync);
        assert_eq!(place, Some(CHANGES_IN_A_ROW as usize));
    }

    #[test]
    fn no_more_are_in_flight_than_allowed() {
        let now = Instant::now();
        let mut budget = budget(10, 2, now);
        let tickets: Vec<_> = (0..4).map(|_| budget.join(Priority::Change)).collect();

        assert_eq!(drain(&mut budget, now), tickets[..2]);
        budget.release();
        assert_eq!(budget.turn(tickets[2], 1, now), Turn::NotYet);
        assert_eq!(budget.turn(tickets[2], 2, now), Turn::Go);
    }

    #[test]
    fn one_that_gives_up_lets_the_next_go() {
        let now = Instant::now();
        let mut budget = budget(10, 1, now);
        let first = budget.join(Priority::Change);
        let second = budget.join(Priority::Resync);

        budget.leave(first);

        assert_eq!(budget.turn(second, 1, now), Turn::Go);
    }

    #[test]
    fn tells_how_long_the_next_has_to_wait() {
        let now = Instant::now();
        let mut budget = budget(1, 10, now);
        let first = budget.join(Priority::Change);
        let second = budget.join(Priority::Change);
        assert_eq!(budget.turn(first, 10, now), Turn::Go);

        let Turn::In(wait) = budget.turn(second, 10, now) else { panic!("it has to wait") };

        assert_eq!(wait, SECOND / 10);
        assert_eq!(budget.turn(second, 10, now + wait), Turn::Go);
        assert_eq!(budget.foreseen_wait(Priority::Change, now + wait), SECOND / 10);
    }

    #[test]
    fn a_pause_holds_for_every_request_and_ends_without_a_burst() {
        let now = Instant::now();
        let mut budget = budget(20, 20, now);
        for _ in 0..3 {
            budget.join(Priority::Change);
        }
        budget.limited(now, Some(7 * SECOND), now);

        assert_eq!(budget.paused(now), Some(7 * SECOND));
        assert_eq!(drain(&mut budget, now + 6 * SECOND), []);
        assert_eq!(drain(&mut budget, now + 7 * SECOND).len(), 1);
    }

    #[test]
    fn pauses_of_our_own_grow_once_per_wave_and_start_again_when_served() {
        let start = Instant::now();
        let mut budget = budget(20, 20, start);
        // Three requests that were out together are refused one after the other.
        for at in [1, 2, 3] {
            budget.limited(start, None, start + at * Duration::from_millis(1));
        }
        let mut now = start + Duration::from_millis(1);
        assert_eq!(budget.paused(now), Some(SECOND));

        // One that is sent after the pause is refused again.
        now += SECOND;
        budget.limited(now, None, now);
        assert_eq!(budget.paused(now), Some(2 * SECOND));

        // An answer to a request from before the pause says nothing about it.
        budget.served(start);
        assert_eq!(budget.paused(now), Some(2 * SECOND));

        now += 2 * SECOND;
        budget.served(now);
        budget.limited(now, None, now);
        assert_eq!(budget.paused(now), Some(SECOND));
    }
}
