//! What became of a create that was not answered.

use super::given::{Given, at, attempt, attempted, both, check, endpoint, holding, rewritten};
use crate::planning::{Attempt, Progress, Unread};
use crate::provider::{Endpoint, EndpointStatus};

/// Attempt 1, begun at 90 s, sent, and not answered at 95 s; listed at 100 s.
fn unanswered() -> Given {
    attempted(Progress::Unanswered(at(95)))
}

#[test]
fn a_list_that_is_newer_than_the_attempt_is_waited_for() {
    check([
        ("no list yet", unanswered().never_listed(), "Reconciling: AwaitingList"),
        ("listed before it was sent", unanswered().listed(80), "list"),
        ("listed before it was given up", unanswered().listed(95), "list"),
        (
            "of another process, listed before it was recorded",
            attempted(Progress::Unknown).listed(90),
            "list",
        ),
        (
            "of another process, listed since",
            attempted(Progress::Unknown),
            "Reconciling: ResolvingCreate until 130s",
        ),
    ]);
}

#[test]
fn what_it_made_is_deleted() {
    let found = |created| unanswered().finds(endpoint("wh_1", created));
    check([
        ("made when it was sent", found(92), "delete wh_1 (last orphan)"),
        ("made in the second in which it was recorded", found(90), "delete wh_1 (last orphan)"),
        ("made at the last moment", found(135), "delete wh_1 (last orphan)"),
        (
            "found by another process",
            attempted(Progress::Unknown).finds(endpoint("wh_1", 92)),
            "delete wh_1 (last orphan)",
        ),
        (
            "its URL was rewritten by the API",
            unanswered().finds(rewritten("wh_1", 92)),
            "delete wh_1 (last orphan)",
        ),
        (
            "one of two that the series may have made",
            unanswered()
                .attempt(Attempt { posts: 2, ..attempt(2, 90) })
                .finds(endpoint("wh_1", 92))
                .finds(endpoint("wh_2", 93)),
            "delete wh_1 (orphan)",
        ),
        ("it or what a rival made: both go, one by each", found(92).rivals(1), "delete wh_1 (orphan)"),
        ("both at once", found(92).finds(endpoint("wh_2", 92)).rivals(1), "delete wh_1 (orphan)"),
        (
            "of a create before this one, that this one was not sent after",
            attempted(Progress::Unsent)
                .attempt(Attempt { posts: 2, since: at(50), until: Some(at(50)), ..attempt(2, 90) })
                .finds(endpoint("wh_1", 52)),
            "delete wh_1 (orphan)",
        ),
    ]);
}

#[test]
fn what_it_did_not_make_is_left_alone() {
    let found = |endpoint| unanswered().finds(endpoint);
    let waits = "Reconciling: ResolvingCreate until 130s";
    let known = Attempt { known: ["wh_1".into()].into(), ..attempt(1, 90) };
    check([
        ("made before", found(endpoint("wh_1", 84)), waits),
        ("known before", found(endpoint("wh_1", 92)).attempt(known), waits),
        ("other events", found(Endpoint { enabled_events: both(), ..endpoint("wh_1", 92) }), waits),
        (
            "another URL",
            found(Endpoint { url: "https://b.example.com".into(), ..endpoint("wh_1", 92) }),
            waits,
        ),
        (
            "a status that nobody asked for",
            found(Endpoint { status: EndpointStatus::Other("paused".to_owned()), ..endpoint("wh_1", 92) }),
            waits,
        ),
        ("held by this resource", found(endpoint("wh_1", 92)).recorded("wh_1"), waits),
        ("stored by this resource", found(endpoint("wh_1", 92)).former("old", holding("wh_1", 0)), waits),
    ]);
}

#[test]
fn what_can_not_be_told_is_left_alone_and_reported() {
    let found = |endpoint| unanswered().finds(endpoint);
    let stalled = "Stalled: CreateUncertain";
    check([
        ("made within the clock skew before", found(endpoint("wh_1", 85)), stalled),
        ("made just before", found(endpoint("wh_1", 89)), stalled),
        ("made later than it can have been", found(endpoint("wh_1", 136)), stalled),
        ("made at an unknown time", found(Endpoint { created_at: None, ..endpoint("wh_1", 0) }), stalled),
        (
            "made between two creates of a series, or while the latest was refused",
            attempted(Progress::Unsent)
                .attempt(Attempt { posts: 2, since: at(0), until: Some(at(0)), ..attempt(2, 90) })
                .finds(endpoint("wh_1", 91)),
            stalled,
        ),
        ("more than can have been made", found(endpoint("wh_1", 92)).finds(endpoint("wh_2", 92)), stalled),
        (
            "one that is certain beside one that is not",
            found(endpoint("wh_1", 92)).finds(endpoint("wh_2", 89)),
            stalled,
        ),
    ]);
}

#[test]
fn what_can_not_be_read_may_be_what_it_made() {
    let settled = |ids: &[&str], nameless| {
        let ids = ids.iter().map(|id| (*id).into()).collect();
        unanswered().at(131).listed(130).with(|observed| observed.unread = Unread { ids, nameless })
    };
    let known = Attempt { known: ["wh_1".into()].into(), ..attempt(1, 90) };
    let again = "record attempt 2, post 2 since 90s, knowing wh_1";
    check([
        ("an item without an id", settled(&[], 1), "Stalled: CreateUncertain"),
        ("an endpoint that can't be read", settled(&["wh_1"], 0), "Stalled: CreateUncertain"),
        ("one that was there before", settled(&["wh_1"], 0).attempt(known), again),
        (
            "one that this resource holds",
            settled(&["wh_1"], 0).former("old", holding("wh_1", 0)),
            "Reconciling: AwaitingList",
        ),
        (
            "not yet settled",
            settled(&["wh_1"], 0).at(100).listed(100),
            "Reconciling: ResolvingCreate until 130s",
        ),
    ]);
}

#[test]
fn when_nothing_shows_lists_get_time_to_settle() {
    let waits = "Reconciling: ResolvingCreate until 130s";
    check([
        ("nothing found", unanswered(), waits),
        ("settled, and listed before", unanswered().at(130).listed(129), "list"),
        ("settled, and listed since", unanswered().at(131).listed(130), "record attempt 2, post 2 since 90s"),
        ("a refused create needs no settling", attempted(Progress::Unsent), "create"),
        (
            "a refused create after one that was not answered: that one settled before",
            attempted(Progress::Unsent).attempt(Attempt { posts: 2, since: at(40), ..attempt(2, 90) }),
            "create",
        ),
    ]);
}

#[test]
fn an_attempt_is_closed_by_what_is_on_record() {
    let closed = "record attempt 2";
    check([
        ("the status says so", unanswered().with(|observed| observed.recorded.resolved_attempt = 1), closed),
        (
            "it is another resource's",
            unanswered().with(|observed| observed.uid = "another".to_owned()),
            closed,
        ),
        (
            "a Secret holds its answer, whatever its endpoint",
            unanswered().secret(crate::planning::HeldSecret { endpoint: None, ..holding("", 1) }),
            "verify the Secret",
        ),
        (
            "a Secret under another name holds its answer",
            unanswered().former("old", crate::planning::HeldSecret { endpoint: None, ..holding("", 1) }),
            closed,
        ),
    ]);
}
