//! Whether the loops of the operator go round.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The loops that are looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulses(Arc<Mutex<Vec<Weak<Beat>>>>);

/// A loop that is looked at as long as this exists.
#[derive(Clone, Debug)]
pub(super) struct Pulse(Arc<Beat>);

#[derive(Debug)]
struct Beat {
    /// What goes round.
    of: String,
    /// When it is to have gone round once more.
    due: Mutex<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pulses {
    /// Looks at a loop, which is to go round within this time.
    pub(super) fn of(&self, of: String, within: Duration) -> Pulse {
        let beat = Arc::new(Beat { of, due: Mutex::new(Instant::now() + within) });
        let mut beats = lock(&self.0);
        beats.retain(|beat| beat.strong_count() > 0);
        beats.push(Arc::downgrade(&beat));
        Pulse(beat)
    }

    /// A loop that stands still, if one does.
    pub(super) fn standing(&self, now: Instant) -> Option<String> {
        let beats = lock(&self.0);
        let beats = beats.iter().filter_map(Weak::upgrade);
        let mut standing = beats.filter(|beat| *lock(&beat.due) < now);
        standing.next().map(|beat| beat.of.clone())
    }
}

impl Pulse {
    /// It has gone round, and is to do so again within this time.
    pub(super) fn beat(&self, within: Duration) {
        *lock(&self.0.due) = Instant::now() + within;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_stands_still_when_its_time_is_over() {
        let (minute, pulses) = (Duration::from_mins(1), Pulses::default());
        let pulse = pulses.of("the lister".to_owned(), minute);
        let later = Instant::now() + 2 * minute;
        assert_eq!(pulses.standing(Instant::now()), None);
        assert_eq!(pulses.standing(later).as_deref(), Some("the lister"));
        pulse.beat(3 * minute);
        assert_eq!(pulses.standing(later), None);
        drop(pulse);
        assert_eq!(pulses.standing(later + 3 * minute), None, "it has ended");
    }
}
