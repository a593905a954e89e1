//! Conditions as Kubernetes and kstatus read them: pure.
//!
//! `Ready` and `Synced` are always there; `Reconciling` and `Stalled` only while they hold, as kstatus
//! expects of conditions that are abnormal when true
//! (<https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md>).

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The types of condition in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Type {
    /// As declared when last seen, and usable.
    Ready,
    /// The latest reconciliation left nothing to do.
    Synced,
    /// Work is under way; present only while true.
    Reconciling,
    /// Only a change by a person helps; present only while true.
    Stalled,
}

impl Type {
    /// The type as conditions spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Synced => "Synced",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

/// One condition to be.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Its type.
    pub kind: Type,
    /// `Some(true)` is `True`, `None` is `Unknown`.
    pub status: Option<bool>,
    /// Why, for machines.
    pub reason: &'a str,
    /// Why, for people.
    pub message: &'a str,
}

impl Wanted<'_> {
    fn status(&self) -> &'static str {
        match self.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        }
    }

    /// Whether a condition says the same, in whatever words.
    #[must_use]
    pub fn agrees(&self, said: &Condition, generation: Option<i64>) -> bool {
        said.status == self.status() && said.reason == self.reason && said.observed_generation == generation
    }
}

/// The most bytes of a message: the API server takes as many in an Event, and nobody reads more.
const LONGEST_MESSAGE: usize = 1024;

/// The conditions to be, with the transition times of those that keep their status.
#[must_use]
pub fn merge(
    before: &[Condition],
    wanted: &[Wanted<'_>],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    wanted
        .iter()
        .map(|wanted| {
            let status = wanted.status();
            let earlier = find(before, wanted.kind).filter(|earlier| earlier.status == status);
            Condition {
                type_: wanted.kind.as_str().to_owned(),
                status: status.to_owned(),
                reason: wanted.reason.to_owned(),
                message: shorten(wanted.message),
                observed_generation: generation,
                last_transition_time: earlier
                    .map_or_else(|| whole_seconds(now), |earlier| earlier.last_transition_time.clone()),
            }
        })
        .collect()
}

/// A time as Kubernetes stores it: to the second.
pub(crate) fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// The condition of a type.
#[must_use]
pub fn find(conditions: &[Condition], kind: Type) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == kind.as_str())
}

/// Cut to the longest that is told in one place, between characters.
pub(crate) fn shorten(message: &str) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let end = (0..=LONGEST_MESSAGE - 3).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn wanted(status: bool, message: &str) -> Wanted<'_> {
        Wanted { kind: Type::Ready, status: Some(status), reason: "Because", message }
    }

    #[test]
    fn the_transition_time_moves_with_the_status_only() {
        let first = merge(&[], &[wanted(true, "a")], Some(1), at(10));
        assert_eq!(first[0].last_transition_time.0, at(10));
        let second = merge(&first, &[wanted(true, "b")], Some(2), at(20));
        assert_eq!(second[0].last_transition_time.0, at(10));
        assert_eq!(second[0].message, "b");
        assert_eq!(second[0].observed_generation, Some(2));
        let third = merge(&second, &[wanted(false, "c")], Some(2), at(30));
        assert_eq!(third[0].last_transition_time.0, at(30));
    }

    #[test]
    fn a_condition_that_does_not_hold_any_more_is_gone() {
        let stalled = Wanted { kind: Type::Stalled, status: Some(true), reason: "Because", message: "" };
        let before = merge(&[], &[stalled], None, at(1));
        assert!(find(&merge(&before, &[wanted(true, "")], None, at(2)), Type::Stalled).is_none());
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = "é".repeat(2000);
        let cut = &merge(&[], &[wanted(true, &long)], None, at(1))[0].message;
        assert!(cut.len() <= LONGEST_MESSAGE && cut.ends_with('…'));
    }
}
