//! How long a network is waited for by a resource that is let go in the end, whether or not it answers: pure.

use std::time::{Duration, Instant};

use super::intent::{Intent, Removal};
use super::network::NetworkState;
use super::outcome::Reason;

/// How long a network may be missing or fail every call.
const FAILING: Duration = Duration::from_secs(10);
/// How long finding out about a create may take in all, beyond its settling.
const LONGEST: Duration = Duration::from_mins(2);

/// Whether a network is still waited for.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Reach {
    /// It can be asked, or there is still hope that it can.
    #[default]
    Open,
    /// It is missing, can't be used, or fails: a resource that is to be retained does not wait for it any more.
    Shut,
}

/// What a network has done since a resource was to be let go.
#[derive(Clone, Copy, Debug, Default)]
pub struct RetainDeadline {
    /// When it was first to be asked.
    began: Option<Instant>,
    /// Since when it has been missing, or not fit to be asked.
    unavailable: Option<Instant>,
    /// When a call failed first, and when one did last, since one succeeded.
    failing: Option<(Instant, Instant)>,
}

impl RetainDeadline {
    /// Takes in how the network stands. Only a resource that is to be retained goes on without it.
    pub fn observe(&mut self, intent: &Intent, network: &NetworkState, now: Instant) {
        match (intent, network) {
            (
                Intent::Converge(_)
                | Intent::Pause(_)
                | Intent::PauseDeletion
                | Intent::Unreadable(_)
                | Intent::Finalize(Removal::Delete),
                _,
            ) => {
                *self = Self::default();
            }
            // The watch has not shown it yet.
            (_, NetworkState::Unavailable(unavailable)) if unavailable.reason != Reason::AwaitingList => {
                self.unavailable(now);
            }
            _ => self.available(now),
        }
    }

    /// The network can be asked.
    fn available(&mut self, now: Instant) {
        self.began.get_or_insert(now);
        self.unavailable = None;
    }

    /// The network is missing, or not fit to be asked.
    fn unavailable(&mut self, now: Instant) {
        self.began.get_or_insert(now);
        self.unavailable.get_or_insert(now);
    }

    /// A call failed. That says nothing unless the resource is to be let go.
    pub fn failed(&mut self, now: Instant) {
        if self.began.is_some() {
            let (first, _) = self.failing.unwrap_or((now, now));
            self.failing = Some((first, now));
        }
    }

    /// A call succeeded, or there is nothing to ask for now.
    pub fn answered(&mut self) {
        self.failing = None;
    }

    /// When to look again at the latest: the network is not waited for any more then, or is asked once more
    /// before that. `settling` is how long finding out about a create takes when all is well. `None` when
    /// nothing waits.
    #[must_use]
    pub fn wakes(&self, settling: Duration) -> Option<Instant> {
        let last_try = self.failing.map(|(first, _)| first + FAILING);
        self.ends(settling).into_iter().chain(last_try).min()
    }

    /// When the network is not waited for any more, whatever it does.
    fn ends(&self, settling: Duration) -> Option<Instant> {
        let longest = self.began.map(|began| began + settling + LONGEST);
        let unavailable = self.unavailable.map(|since| since + FAILING);
        longest.into_iter().chain(unavailable).min()
    }

    /// Whether the network can be asked, as planning sees it.
    #[must_use]
    pub fn reach(&self, settling: Duration, now: Instant) -> Reach {
        let failed = self.failing.is_some_and(|(first, last)| last >= first + FAILING);
        let ended = self.ends(settling).is_some_and(|end| end <= now);
        if failed || ended { Reach::Shut } else { Reach::Open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_waited_for_as_long_as_there_is_hope_and_not_for_ever() {
        type Story = fn(&mut RetainDeadline, &dyn Fn(u64) -> Instant);
        let rows: [(&str, Story, Option<u64>); 10] = [
            ("nothing waits", |_, _| {}, None),
            ("it can be asked", |deadline, at| deadline.available(at(0)), Some(150)),
            ("it is missing", |deadline, at| deadline.unavailable(at(0)), Some(10)),
            (
                "it is still missing",
                |deadline, at| [0, 5].into_iter().for_each(|second| deadline.unavailable(at(second))),
                Some(10),
            ),
            (
                "it came back",
                |deadline, at| {
                    deadline.unavailable(at(0));
                    deadline.available(at(5));
                },
                Some(150),
            ),
            (
                "it fails",
                |deadline, at| {
                    deadline.available(at(0));
                    deadline.failed(at(20));
                    deadline.failed(at(25));
                    deadline.failed(at(30));
                },
                Some(30),
            ),
            (
                "it failed once, and was not asked since",
                |deadline, at| {
                    deadline.available(at(0));
                    deadline.failed(at(20));
                },
                Some(150),
            ),
            (
                "it failed, and answers again",
                |deadline, at| {
                    deadline.available(at(0));
                    deadline.failed(at(20));
                    deadline.answered();
                },
                Some(150),
            ),
            (
                "it fails now and then",
                |deadline, at| {
                    deadline.available(at(0));
                    for second in [20, 80, 145] {
                        deadline.answered();
                        deadline.failed(at(second));
                    }
                },
                Some(150),
            ),
            (
                "that its calls fail is not forgotten while it is declared anew",
                |deadline, at| {
                    deadline.available(at(0));
                    deadline.failed(at(20));
                    deadline.available(at(25));
                    deadline.failed(at(30));
                },
                Some(30),
            ),
        ];
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let settling = Duration::from_secs(30);
        for (name, story, expected) in rows {
            let mut deadline = RetainDeadline::default();
            story(&mut deadline, &at);
            let Some(end) = expected else {
                assert_eq!(deadline.wakes(settling), None, "{name}");
                continue;
            };
            assert!(deadline.wakes(settling) <= Some(at(end)), "{name}");
            assert_eq!(deadline.reach(settling, at(end)), Reach::Shut, "{name}");
            if deadline.failing.is_none_or(|(_, last)| last < at(end)) {
                assert_eq!(deadline.reach(settling, at(end - 1)), Reach::Open, "{name}");
            }
        }
    }
}
