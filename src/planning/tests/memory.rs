//! What a process remembers of an attempt.

use super::given::{at, attempt};
use crate::planning::{Answer, Attempt, DeleteCause, InHand, Memory, Progress, Remainder};

/// What is remembered of attempt 1 after `happens`.
fn after(happens: impl FnOnce(&mut Memory, &Attempt)) -> Memory {
    let attempt = attempt(1, 0);
    let mut memory = Memory::default();
    memory.recording(&attempt);
    happens(&mut memory, &attempt);
    memory
}

#[test]
fn a_number_that_nothing_could_be_added_to_is_not_believed() {
    let mut written = serde_json::to_value(attempt(1, 0)).unwrap();
    written["number"] = u64::MAX.into();
    assert!(serde_json::from_value::<Attempt>(written).is_err());
}

fn orphan(attempt: &Attempt, remainder: Remainder) -> DeleteCause {
    DeleteCause::Orphan { attempt: Box::new(attempt.clone()), rival_posts: 0, remainder }
}

#[test]
fn the_progress_of_an_attempt_is_on_the_safe_side_at_every_moment() {
    for (moment, memory, expected) in [
        ("another process recorded it", Memory::default(), Progress::Unknown),
        ("recorded", after(|_, _| {}), Progress::Unsent),
        ("about to be sent, and then dropped", after(|m, _| m.sending(at(1))), Progress::Unanswered(at(1))),
        (
            "unanswered",
            after(|m, _| {
                m.sending(at(1));
                m.unanswered(at(9));
            }),
            Progress::Unanswered(at(9)),
        ),
        (
            "refused",
            after(|m, _| {
                m.sending(at(1));
                m.refused();
            }),
            Progress::Unsent,
        ),
        (
            "an orphan of several deleted",
            after(|m, attempt| {
                m.sending(at(1));
                m.deleted(&"wh_1".into(), &orphan(attempt, Remainder::Others));
            }),
            Progress::Unanswered(at(1)),
        ),
        (
            "the last orphan deleted",
            after(|m, attempt| {
                m.sending(at(1));
                m.deleted(&"wh_1".into(), &orphan(attempt, Remainder::Nothing));
            }),
            Progress::Undone,
        ),
        (
            "the endpoint in hand deleted",
            after(|m, _| {
                m.sending(at(1));
                m.created("wh_1".into(), Answer::WithSecret);
                m.deleted(&"wh_1".into(), &DeleteCause::InHand);
            }),
            Progress::Undone,
        ),
        ("stored", after(|m, _| m.stored()), Progress::Unknown),
        (
            "another attempt recorded since",
            after(|m, _| m.recording(&super::given::attempt(2, 5))),
            Progress::Unknown,
        ),
        (
            "the same number recorded again",
            after(|m, _| m.recording(&super::given::attempt(1, 5))),
            Progress::Unknown,
        ),
    ] {
        assert_eq!(memory.progress(&attempt(1, 0)), expected, "{moment}");
    }
}

#[test]
fn the_last_orphan_of_another_process_counts_as_undone() {
    let attempt = attempt(1, 0);
    let mut memory = Memory::default();
    memory.deleted(&"wh_1".into(), &orphan(&attempt, Remainder::Nothing));
    assert_eq!(memory.progress(&attempt), Progress::Undone);
}

#[test]
fn what_is_in_hand_stays_until_it_is_stored_or_deleted() {
    let created = || after(|memory, _| memory.created("wh_1".into(), Answer::WithSecret));
    let hand = InHand { attempt: 1, id: "wh_1".into(), answer: Answer::WithSecret };
    assert_eq!(created().in_hand(), Some(&hand));

    let mut stored = created();
    stored.stored();
    assert_eq!(stored.in_hand(), None);

    let mut another_deleted = created();
    another_deleted.deleted(&"wh_2".into(), &DeleteCause::Removed);
    assert_eq!(another_deleted.in_hand(), Some(&hand));

    let mut deleted = created();
    deleted.deleted(&"wh_1".into(), &DeleteCause::Removed);
    assert_eq!(deleted.in_hand(), None);
}

#[test]
fn reactivations_in_a_row_are_counted_and_forgotten_after_two_quiet_days() {
    let mut memory = Memory::default();
    let day = 24 * 3600;
    for (seconds, count) in [(0, 1), (60, 2), (day, 3), (3 * day - 1, 4), (5 * day, 1)] {
        memory.activated(&"wh_1".into(), at(seconds));
        assert_eq!(memory.activations().map(|(_, last)| last.count), Some(count), "at {seconds} s");
    }
}
