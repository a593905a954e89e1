//! Who goes first: changes in the order in which they came, then resyncs.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use super::super::config::Priority;

/// Of so many requests in a row that overtake a waiting resync, the next is the resync: a network
/// whose inventory never gets through would no longer notice drift.
const CHANGES_IN_A_ROW: u32 = 9;

/// The requests that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    changes: VecDeque<Waiter>,
    resyncs: VecDeque<Waiter>,
    joined: u64,
    /// Changes that went out since a resync began to wait or went out.
    changes_in_a_row: u32,
}

/// A request that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    /// Counts up in the order in which they came.
    number: u64,
    /// Told when it is the first, or may be.
    pub(super) wake: Arc<Notify>,
}

impl Queue {
    pub(super) fn join(&mut self, priority: Priority) -> Waiter {
        self.joined += 1;
        let waiter = Waiter { number: self.joined, wake: Arc::default() };
        match priority {
            Priority::Change => self.changes.push_back(waiter.clone()),
            Priority::Resync => self.resyncs.push_back(waiter.clone()),
        }
        waiter
    }

    /// How many go before one that joins now.
    pub(super) fn ahead(&self, priority: Priority) -> usize {
        match priority {
            Priority::Change => self.changes.len(),
            Priority::Resync => {
                let overtaking = (self.resyncs.len() + 1).saturating_mul(CHANGES_IN_A_ROW as usize);
                self.changes.len().min(overtaking) + self.resyncs.len()
            }
        }
    }

    /// Whether this one is the next to go out.
    pub(super) fn is_first(&self, waiter: &Waiter) -> bool {
        self.first().is_some_and(|first| first.number == waiter.number)
    }

    /// Tells the first one that something has changed.
    pub(super) fn wake_first(&self) {
        if let Some(first) = self.first() {
            first.wake.notify_one();
        }
    }

    /// Takes the first one out, which goes.
    pub(super) fn pop(&mut self) {
        let is_change = self.first_is_change();
        let overtakes = is_change && !self.resyncs.is_empty();
        self.changes_in_a_row = if overtakes { self.changes_in_a_row + 1 } else { 0 };
        if is_change {
            self.changes.pop_front()
        } else {
            self.resyncs.pop_front()
        };
    }

    /// Takes one out that gives up, if it is still there.
    pub(super) fn leave(&mut self, waiter: &Waiter) {
        for waiting in [&mut self.changes, &mut self.resyncs] {
            if let Ok(at) = waiting.binary_search_by_key(&waiter.number, |other| other.number) {
                waiting.remove(at);
            }
        }
    }

    fn first(&self) -> Option<&Waiter> {
        if self.first_is_change() { self.changes.front() } else { self.resyncs.front() }
    }

    fn first_is_change(&self) -> bool {
        let resync_is_due = !self.resyncs.is_empty() && self.changes_in_a_row >= CHANGES_IN_A_ROW;
        !self.changes.is_empty() && !resync_is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets all go, in order.
    fn drain(queue: &mut Queue) -> Vec<u64> {
        let mut gone = Vec::new();
        while let Some(number) = queue.first().map(|first| first.number) {
            queue.pop();
            gone.push(number);
        }
        gone
    }

    #[test]
    fn changes_go_ahead_of_resyncs_in_the_order_they_came() {
        let mut queue = Queue::default();
        let resync = queue.join(Priority::Resync);
        let first = queue.join(Priority::Change);
        let second = queue.join(Priority::Change);

        assert!(queue.is_first(&first) && !queue.is_first(&resync));
        assert_eq!((queue.ahead(Priority::Change), queue.ahead(Priority::Resync)), (2, 3));
        assert_eq!(drain(&mut queue), [first.number, second.number, resync.number]);
    }

    #[test]
    fn resyncs_are_not_starved() {
        let mut queue = Queue::default();
        let resync = queue.join(Priority::Resync);
        for _ in 0..50 {
            queue.join(Priority::Change);
        }
        let at = drain(&mut queue).iter().position(|number| *number == resync.number);
        assert_eq!(at, Some(CHANGES_IN_A_ROW as usize));
    }

    #[test]
    fn one_that_gives_up_lets_the_next_go() {
        let mut queue = Queue::default();
        let first = queue.join(Priority::Change);
        let second = queue.join(Priority::Resync);

        queue.leave(&first);

        assert!(queue.is_first(&second));
    }
}
