//! How often the same is done for one resource, whatever comes of it.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::inventory::Incarnation;
use crate::backoff::Pauses;
use crate::planning::StepKind;

const PAUSES: Pauses = Pauses { first: Duration::from_millis(500), longest: Duration::from_mins(5) };
/// How long after its pause what was done is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// How often the same is done for one resource, whatever comes of it: for two changes without a pause, and then after
/// pauses that grow. No answer shortens them, a good one included: an API that accepts a change and does not make it, or
/// shows each new endpoint as gone, would be asked without end. What a person changes begins anew.
#[derive(Debug, Default)]
pub struct Pace {
    /// What it was done for.
    on: Option<(Option<i64>, Incarnation)>,
    done: Vec<Done>,
}

/// What was done of one kind.
#[derive(Debug)]
struct Done {
    kind: StepKind,
    /// How often.
    count: u32,
    /// How often it has paused.
    pauses: u32,
    /// Until when it is not done again.
    until: Instant,
}

impl Pace {
    /// What is done from now on is for this generation of the resource, and this incarnation of its network.
    pub(super) fn on(&mut self, generation: Option<i64>, incarnation: Incarnation) {
        let on = Some((generation, incarnation));
        if self.on != on {
            *self = Self { on, done: Vec::new() };
        }
    }

    /// Takes in that something was done just now. All pauses are shorter by the factor `hurry`.
    pub fn did(&mut self, kind: StepKind, now: Instant, hurry: NonZeroU16) {
        let hurried = |pause: Duration| pause / u32::from(hurry.get());
        let round = round(&kind);
        self.done.retain(|done| done.kind == kind || now < done.until + hurried(FORGOTTEN));
        match self.done.iter_mut().find(|done| done.kind == kind) {
            Some(done) if now < done.until + hurried(FORGOTTEN) => {
                done.count = done.count.saturating_add(1);
                let pauses = done.count > round && done.count.is_multiple_of(round);
                done.until = if pauses { now + hurried(PAUSES.pause(done.pauses)) } else { now };
                done.pauses = if pauses { done.pauses.saturating_add(1) } else { done.pauses };
            }
            Some(done) => {
                done.count = 1;
                done.pauses = 0;
                done.until = now;
            }
            None => {
                // Few things are done for most resources, and there are many resources.
                self.done.reserve_exact(1);
                self.done.push(Done { kind, count: 1, pauses: 0, until: now });
            }
        }
    }

    /// What is not done yet again, and for how long.
    pub(super) fn resting(&self, now: Instant) -> Vec<(StepKind, Duration)> {
        let left =
            self.done.iter().map(|done| (done.kind.clone(), done.until.saturating_duration_since(now)));
        left.filter(|(_, left)| !left.is_zero()).collect()
    }
}

/// How often it is done for one change: before an endpoint counts as gone, or a create as one that made nothing, all
/// is looked at twice.
fn round(kind: &StepKind) -> u32 {
    match kind {
        StepKind::Look(_) | StepKind::List => 2,
        StepKind::Create
        | StepKind::Change(_)
        | StepKind::Delete(_)
        | StepKind::Prove
        | StepKind::Secret
        | StepKind::Finalizer => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: NonZeroU16 = NonZeroU16::MIN;

    /// How often something is done within a time by somebody who does it as soon as it may be done.
    fn done_within(pace: &mut Pace, kind: &StepKind, start: Instant, time: Duration) -> u32 {
        let (mut now, mut count) = (start, 0);
        while now <= start + time {
            pace.did(kind.clone(), now, CALM);
            count += 1;
            now += pace.resting(now).first().map_or(Duration::ZERO, |(_, left)| *left);
        }
        count
    }

    #[test]
    fn the_same_is_done_ever_more_seldom() {
        let start = Instant::now();
        for (seconds, least, most) in [(0, 2, 2), (1, 3, 3), (60, 8, 9), (3600, 19, 22), (86_400, 270, 298)] {
            for (kind, each) in
                [(StepKind::Create, 1), (StepKind::Look("wh_1".into()), 2), (StepKind::List, 2)]
            {
                let count = done_within(&mut Pace::default(), &kind, start, Duration::from_secs(seconds));
                let expected = each * least..=each * most;
                assert!(expected.contains(&count), "{kind:?} {count} times in {seconds} s");
            }
        }
    }

    #[test]
    fn another_thing_or_another_generation_has_a_pace_of_its_own_and_what_was_long_ago_is_forgotten() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.on(Some(1), Incarnation(1));
        let worn = || {
            let mut pace = Pace { on: pace.on, done: Vec::new() };
            done_within(&mut pace, &StepKind::Create, start, Duration::from_secs(2));
            pace
        };
        let resting = |pace: &Pace| pace.resting(start + Duration::from_secs(2)).len();

        let mut same = worn();
        same.did(StepKind::Delete("wh_1".into()), start + Duration::from_secs(2), CALM);
        same.on(Some(1), Incarnation(1));
        assert_eq!(resting(&same), 1, "the create, and not the delete");
        let mut several = Pace::default();
        for id in ["wh_1", "wh_2", "wh_3"] {
            several.did(StepKind::Delete(id.into()), start, CALM);
        }
        assert!(several.resting(start).is_empty(), "each for itself");
        for (generation, incarnation) in [(2, 1), (1, 2)] {
            let mut other = worn();
            other.on(Some(generation), Incarnation(incarnation));
            assert_eq!(resting(&other), 0);
        }
        let mut old = worn();
        let later = start + Duration::from_hours(1);
        old.did(StepKind::Create, later, CALM);
        assert!(old.resting(later).is_empty(), "it is forgotten");
    }
}
