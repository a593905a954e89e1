//! Which events were accepted before.

use std::collections::{HashSet, VecDeque};

/// How many of the latest events are remembered. One comes twice when two endpoints deliver it, moments apart, and when
/// an answer is lost, an hour apart. A service that runs in several Pods remembers them in its database.
const MOST: usize = 100_000;

/// The ids of the latest events.
#[derive(Default)]
pub(crate) struct Seen {
    ids: HashSet<String>,
    /// The oldest first.
    order: VecDeque<String>,
}

impl Seen {
    /// Whether this event is the first of this id. From now on it is not.
    pub(crate) fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_remembered() {
        let mut seen = Seen::default();
        for number in 0..=MOST {
            assert!(seen.is_new(&number.to_string()));
        }
        assert!(!seen.is_new("1"));
        assert!(seen.is_new("0"), "it was the oldest");
        assert_eq!((seen.ids.len(), seen.order.len()), (MOST, MOST));
    }
}
