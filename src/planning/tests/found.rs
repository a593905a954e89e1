//! Mistakes that the model in `tests/model` found, each as the one plan that was wrong.

use super::given::{at, attempt, attempted, check, endpoint, holding, new, ready};
use crate::planning::{Answer, Attempt, Finalizer, Presence, Progress, Step, plan};
use crate::provider::{Endpoint, EndpointStatus};

/// What is concluded from an attempt's times does not hold for what is sent long after it was recorded.
#[test]
fn an_attempt_is_sent_at_once_or_begun_anew() {
    let unsent = || attempted(Progress::Unsent);
    check([
        ("at once", unsent().at(91), "create"),
        ("at the last moment", unsent().at(100), "create"),
        ("after a refusal and a pause", unsent().at(101), "record attempt 2"),
        (
            "sent at the last moment and unanswered, it settles as late",
            unsent().progress(Progress::Unanswered(at(100))).listed(129).at(129),
            "Reconciling: ResolvingCreate until 130s",
        ),
    ]);
}

/// A person has to look at all that is left, not only at what is doubtful.
#[test]
fn an_uncertain_create_names_all_that_it_may_have_made() {
    let given =
        attempted(Progress::Unanswered(at(95))).finds(endpoint("wh_1", 92)).finds(endpoint("wh_2", 89));
    let Step::End(outcome) = plan(&given.intent, &given.observed, given.now) else {
        panic!("{given:?} has a step to take");
    };
    assert!(outcome.message.contains("wh_1, wh_2"), "{}", outcome.message);
}

/// The API sets an endpoint inactive by itself when it can't deliver, and nobody receives what an
/// orphan sends.
#[test]
fn an_orphan_that_was_set_inactive_is_not_taken_for_somebody_elses() {
    let disabled = || Endpoint { status: EndpointStatus::Inactive, ..endpoint("wh_1", 92) };
    let unanswered = || attempted(Progress::Unanswered(at(95)));
    check([
        ("it can't be told", unanswered().finds(disabled()), "Stalled: CreateUncertain"),
        (
            "one that was there before is not meant",
            unanswered().finds(Endpoint { created_at: Some(at(84)), ..disabled() }),
            "Reconciling: ResolvingCreate until 130s",
        ),
        (
            "one that was known before is not meant",
            unanswered()
                .finds(disabled())
                .attempt(Attempt { known: ["wh_1".into()].into(), ..attempt(1, 90) }),
            "Reconciling: ResolvingCreate until 130s",
        ),
    ]);
}

/// A list may leave out, by a moved page boundary, what was there before the first attempt.
#[test]
fn what_a_series_knows_it_goes_on_knowing() {
    let known = Attempt { known: ["wh_7".into()].into(), ..attempt(1, 90) };
    let settled = |progress| attempted(progress).attempt(known.clone()).listed(130).at(131);
    check([
        (
            "the list leaves it out",
            settled(Progress::Unknown),
            "record attempt 2, post 2 since 90s, knowing wh_7",
        ),
        (
            "the list shows another one",
            settled(Progress::Unknown).finds(endpoint("wh_8", 0)),
            "record attempt 2, post 2 since 90s, knowing wh_7 wh_8",
        ),
        ("a new series starts afresh", settled(Progress::Undone), "record attempt 2"),
    ]);
}

/// A Secret may turn up late: restored from a backup, or hidden by an outdated cache.
#[test]
fn the_only_secret_of_a_live_endpoint_is_not_overwritten() {
    let hand = || new().attempt(attempt(2, 90)).in_hand("wh_2", 2, Answer::WithSecret);
    let late = || hand().secret(holding("wh_1", 1));
    let undone = || new().attempt(attempt(2, 90)).progress(Progress::Undone).secret(holding("wh_1", 1));
    check([
        ("the new endpoint goes instead", late().sees(endpoint("wh_1", 0)), "delete wh_2 (in hand)"),
        (
            "also when it is under another name",
            hand().former("old", holding("wh_1", 1)).sees(endpoint("wh_1", 0)),
            "delete wh_2 (in hand)",
        ),
        ("then the stored one is kept", undone().sees(endpoint("wh_1", 0)), "Ready: Available"),
        (
            "one whose endpoint is gone is overwritten",
            late().misses("wh_1", Presence::Gone),
            "store the secret",
        ),
        (
            "and is what another attempt is begun for",
            undone().misses("wh_1", Presence::Gone),
            "record attempt 3",
        ),
    ]);
}

/// A backup may bring a resource back without finalizers, and people remove them.
#[test]
fn what_has_something_to_lose_has_the_finalizer() {
    let bare = |given: super::given::Given| given.with(|observed| observed.finalizer = Finalizer::Absent);
    check([
        ("a stored endpoint", bare(ready()), "set the finalizer"),
        ("an endpoint in the status only", bare(new().recorded("wh_1")), "set the finalizer"),
        (
            "a Secret under another name only",
            bare(new().former("old", holding("wh_1", 1))),
            "set the finalizer",
        ),
        ("an open attempt", bare(attempted(Progress::Unknown)), "set the finalizer"),
        (
            "a secret in hand is stored first",
            bare(attempted(Progress::Unsent).in_hand("wh_1", 1, Answer::WithSecret)),
            "store the secret",
        ),
        ("nothing yet", bare(new()), "record attempt 1"),
        (
            "nothing any more",
            bare(attempted(Progress::Unknown).with(|observed| observed.uid = "another".to_owned())),
            "record attempt 2",
        ),
    ]);
}
