//! Deleting a resource.

use super::given::{Given, at, attempt, attempted, check, endpoint, holding, new, ready};
use crate::planning::Removal::{Delete, Retain};
use crate::planning::{Answer, Finalizer, Presence, Progress, SecretState};

#[test]
fn nothing_is_left_of_a_deleted_resource() {
    let deleted = |given: Given| given.removed(Delete);
    check([
        ("the endpoint goes first", deleted(ready()), "delete wh_1 (removed)"),
        ("then the finalizer", deleted(ready().misses("wh_1", Presence::Gone)), "remove the finalizer"),
        ("then it is gone", deleted(ready().with(|o| o.finalizer = Finalizer::Absent)), "Gone: Deleted"),
        ("before the first list", deleted(ready().never_listed()), "delete wh_1 (removed)"),
        (
            "not listed: asked to be deleted all the same",
            deleted(ready().misses("wh_1", Presence::Unlisted)),
            "delete wh_1 (removed)",
        ),
        (
            "the status was lost",
            deleted(ready().with(|o| o.recorded.endpoints.clear())),
            "delete wh_1 (removed)",
        ),
        ("the Secret was lost", deleted(ready().secret_is(SecretState::Absent)), "delete wh_1 (removed)"),
        (
            "the Secret was never moved",
            deleted(
                ready()
                    .secret_is(SecretState::Absent)
                    .with(|o| o.recorded.endpoints.clear())
                    .former("old", holding("wh_1", 1)),
            ),
            "delete wh_1 (removed)",
        ),
        ("status and Secret name two", deleted(ready().recorded("wh_2")), "delete wh_2 (removed)"),
        (
            "and one of them is gone",
            deleted(ready().recorded("wh_2").misses("wh_2", Presence::Gone)),
            "delete wh_1 (removed)",
        ),
        (
            "nothing was ever made",
            deleted(new().with(|o| o.finalizer = Finalizer::Set)),
            "remove the finalizer",
        ),
        (
            "somebody else's Secret is no reason to stay",
            deleted(new().with(|o| o.finalizer = Finalizer::Set).secret_is(SecretState::Foreign)),
            "remove the finalizer",
        ),
        (
            "another resource holds the endpoint too: it stays",
            deleted(ready().contested("wh_1")),
            "remove the finalizer",
        ),
    ]);
}

#[test]
fn an_open_attempt_is_resolved_first() {
    let deleted = |progress| attempted(progress).removed(Delete);
    let unanswered = || deleted(Progress::Unanswered(at(95)));
    check([
        ("its list is waited for", unanswered().listed(90), "list"),
        ("its endpoint is found", unanswered().finds(endpoint("wh_1", 92)), "delete wh_1 (last orphan)"),
        ("nothing shows yet", unanswered(), "Reconciling: ResolvingCreate until 130s"),
        ("it can't be told", unanswered().finds(endpoint("wh_1", 89)), "Stalled: CreateUncertain"),
        ("nothing shows for good", unanswered().listed(130).at(131), "remove the finalizer"),
        ("it was never sent", deleted(Progress::Unsent), "remove the finalizer"),
        ("its endpoint was deleted", deleted(Progress::Undone), "remove the finalizer"),
        (
            "another process recorded it",
            deleted(Progress::Unknown),
            "Reconciling: ResolvingCreate until 130s",
        ),
    ]);
}

#[test]
fn an_endpoint_whose_secret_is_stored_nowhere_goes_whatever_the_policy() {
    let hand = || new().attempt(attempt(1, 90)).in_hand("wh_1", 1, Answer::WithSecret);
    check([
        ("policy Delete", hand().removed(Delete), "delete wh_1 (in hand)"),
        ("policy Retain", hand().removed(Retain), "delete wh_1 (in hand)"),
        ("policy Delete waits for the network", hand().removed(Delete).shut(), "delete wh_1 (in hand)"),
        (
            "the write of its Secret was not answered, and it is stored",
            hand().secret(holding("wh_1", 1)).removed(Retain),
            "record that attempt 1 was answered",
        ),
        (
            "it was stored and released",
            hand().secret_is(SecretState::Foreign).with(|o| o.recorded.resolved_attempt = 1).removed(Retain),
            "remove the finalizer",
        ),
        (
            "policy Retain does not",
            hand().removed(Retain).shut(),
            "remove the finalizer, warning of attempt 1",
        ),
    ]);
}

#[test]
fn what_is_retained_is_let_go() {
    let released = || ready().secret_is(SecretState::Ownerless(holding("wh_1", 1)));
    let retained = |given: Given| given.removed(Retain);
    check([
        ("the Secret is released", retained(ready()), "release the Secret"),
        (
            "and so is one under another name",
            retained(ready().secret_is(SecretState::Absent).former("old", holding("wh_1", 1))),
            "release Secret old",
        ),
        ("then the finalizer goes, and the endpoint stays", retained(released()), "remove the finalizer"),
        ("without a network, too", retained(released().never_listed().shut()), "remove the finalizer"),
        (
            "before the first list, too: nothing is open",
            retained(released().never_listed()),
            "remove the finalizer",
        ),
        (
            "where only the Secret shows the answer, that goes on record first",
            retained(ready().with(|o| o.recorded.resolved_attempt = 0)),
            "record that attempt 1 was answered",
        ),
        (
            "also where that Secret has another name",
            retained(
                ready()
                    .with(|o| o.recorded.resolved_attempt = 0)
                    .secret_is(SecretState::Absent)
                    .former("old", holding("wh_1", 1)),
            ),
            "record that attempt 1 was answered",
        ),
    ]);
}

#[test]
fn an_open_attempt_is_resolved_before_anything_is_retained() {
    let retained = |progress| attempted(progress).removed(Retain);
    let unanswered = || retained(Progress::Unanswered(at(95)));
    // Endpoint wh_0 and its Secret are to stay; attempt 1 was to replace it.
    let replacing = || unanswered().secret(holding("wh_0", 0)).recorded("wh_0").finds(endpoint("wh_1", 92));
    check([
        ("its first list is waited for", unanswered().never_listed(), "Reconciling: AwaitingList"),
        ("its list is asked for", unanswered().listed(90), "list"),
        ("its endpoint is found", unanswered().finds(endpoint("wh_1", 92)), "delete wh_1 (last orphan)"),
        ("it is found before the Secret is released", replacing(), "delete wh_1 (last orphan)"),
        ("then the Secret is released", replacing().progress(Progress::Undone), "release the Secret"),
        ("nothing shows yet", unanswered(), "Reconciling: ResolvingCreate until 130s"),
        ("nothing shows for good", unanswered().listed(130).at(131), "remove the finalizer"),
        ("it was never sent", retained(Progress::Unsent), "remove the finalizer"),
        ("its endpoint was deleted", retained(Progress::Undone), "remove the finalizer"),
        (
            "another process recorded it",
            retained(Progress::Unknown),
            "Reconciling: ResolvingCreate until 130s",
        ),
    ]);
}

#[test]
fn what_can_not_be_resolved_is_let_go_with_a_warning() {
    let retained = |progress| attempted(progress).removed(Retain);
    let unanswered = || retained(Progress::Unanswered(at(95)));
    let warns = "remove the finalizer, warning of attempt 1";
    check([
        ("it can't be told what it made", unanswered().finds(endpoint("wh_1", 89)), warns),
        ("never listed", unanswered().never_listed().shut(), warns),
        ("listed before it was sent", unanswered().listed(90).shut(), warns),
        ("nothing shows yet", unanswered().shut(), warns),
        (
            "its endpoint is found, and can't be deleted",
            unanswered().finds(endpoint("wh_1", 92)).shut(),
            warns,
        ),
        ("another process recorded it", retained(Progress::Unknown).shut(), warns),
        (
            "the Secret of another endpoint is released all the same",
            unanswered().secret(holding("wh_0", 0)).shut(),
            "release the Secret",
        ),
        ("it was never sent: nothing to warn of", retained(Progress::Unsent).shut(), "remove the finalizer"),
        ("its endpoint was deleted", retained(Progress::Undone).shut(), "remove the finalizer"),
        ("nothing shows for good", unanswered().listed(130).at(131).shut(), "remove the finalizer"),
        (
            "what is to be deleted waits for the network",
            attempted(Progress::Unknown).removed(Delete).never_listed().shut(),
            "Reconciling: AwaitingList",
        ),
    ]);
}
