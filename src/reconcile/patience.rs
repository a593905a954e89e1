//! How long a network is waited for by a resource that is let go in the end, whether or not it answers: pure.

use std::time::{Duration, Instant};

use crate::planning::Reach;

/// How long a network may be missing or fail every call.
const FAILING: Duration = Duration::from_secs(10);
/// How long finding out about a create may take in all, beyond its settling.
const LONGEST: Duration = Duration::from_mins(2);

/// What a network has done since a resource was to be let go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// When it was first to be asked.
    began: Option<Instant>,
    /// Since when it has been missing, or not fit to be asked.
    unavailable: Option<Instant>,
    /// Since when it has failed every call.
    failing: Option<Instant>,
}

impl Patience {
    /// The network can be asked.
    pub(super) fn available(&mut self, now: Instant) {
        self.began.get_or_insert(now);
        self.unavailable = None;
    }

    /// The network is missing, or not fit to be asked.
    pub(super) fn unavailable(&mut self, now: Instant) {
        self.began.get_or_insert(now);
        self.unavailable.get_or_insert(now);
    }

    /// A call failed.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failing.get_or_insert(now);
    }

    /// A call succeeded, or there is nothing to ask for now.
    pub(super) fn answered(&mut self) {
        self.failing = None;
    }

    /// When the network is not waited for any more; `settling` is how long finding out about a create takes
    /// when all is well. `None` when nothing waits.
    pub(super) fn ends(&self, settling: Duration) -> Option<Instant> {
        let longest = self.began.map(|began| began + settling + LONGEST);
        let failing = [self.unavailable, self.failing].into_iter().flatten().map(|since| since + FAILING);
        longest.into_iter().chain(failing).min()
    }

    /// Whether the network can be asked, as planning sees it.
    pub(super) fn reach(&self, settling: Duration, now: Instant) -> Reach {
        match self.ends(settling) {
            Some(end) if end <= now => Reach::Shut,
            _ => Reach::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_waited_for_as_long_as_there_is_hope_and_not_for_ever() {
        type Story = fn(&mut Patience, &dyn Fn(u64) -> Instant);
        let rows: [(&str, Story, Option<u64>); 9] = [
            ("nothing waits", |_, _| {}, None),
            ("it can be asked", |patience, at| patience.available(at(0)), Some(150)),
            ("it is missing", |patience, at| patience.unavailable(at(0)), Some(10)),
            (
                "it is still missing",
                |patience, at| [0, 5].into_iter().for_each(|second| patience.unavailable(at(second))),
                Some(10),
            ),
            (
                "it came back",
                |patience, at| {
                    patience.unavailable(at(0));
                    patience.available(at(5));
                },
                Some(150),
            ),
            (
                "it fails",
                |patience, at| {
                    patience.available(at(0));
                    patience.failed(at(20));
                    patience.failed(at(25));
                },
                Some(30),
            ),
            (
                "it failed, and answers again",
                |patience, at| {
                    patience.available(at(0));
                    patience.failed(at(20));
                    patience.answered();
                },
                Some(150),
            ),
            (
                "it fails now and then",
                |patience, at| {
                    patience.available(at(0));
                    for second in [20, 80, 145] {
                        patience.answered();
                        patience.failed(at(second));
                    }
                },
                Some(150),
            ),
            (
                "that its calls fail is not forgotten while it is declared anew",
                |patience, at| {
                    patience.available(at(0));
                    patience.failed(at(20));
                    patience.available(at(25));
                },
                Some(30),
            ),
        ];
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let settling = Duration::from_secs(30);
        for (name, story, expected) in rows {
            let mut patience = Patience::default();
            story(&mut patience, &at);
            assert_eq!(patience.ends(settling), expected.map(at), "{name}");
            let Some(end) = expected else { continue };
            assert_eq!(patience.reach(settling, at(end - 1)), Reach::Open, "{name}");
            assert_eq!(patience.reach(settling, at(end)), Reach::Shut, "{name}");
        }
    }
}
