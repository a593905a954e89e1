//! Beginning a create.

use super::given::{
    REWRITTEN, attempt, attempted, both, check, desired, endpoint, holding, new, ready, rewritten,
};
use crate::planning::{HeldSecret, Presence, Progress, SecretState, SecretWrites};

#[test]
fn nothing_is_sent_before_it_is_on_record() {
    check([
        ("a new resource", new(), "record attempt 1"),
        ("recorded by this process, and not sent", attempted(Progress::Unsent), "create"),
        (
            "recorded for another resource: a copied annotation, or a backup's",
            attempted(Progress::Unsent).with(|observed| observed.uid = "another".to_owned()),
            "record attempt 2",
        ),
        (
            "recorded with other events than are declared by now",
            attempted(Progress::Unsent).desired(|desired| desired.endpoint.enabled_events = both()),
            "record attempt 2",
        ),
        (
            "recorded with another URL than is declared by now",
            attempted(Progress::Unsent)
                .desired(|desired| desired.endpoint.url = "https://new.example.com".into()),
            "record attempt 2, https://new.example.com",
        ),
        (
            "recorded with another spelling of the URL than is declared by now: what is declared is sent",
            attempted(Progress::Unsent).desired(|desired| desired.endpoint.url = REWRITTEN.into()),
            "record attempt 2, https://HOOKS.example.com:443/a/../charging",
        ),
        ("undone: its endpoint was found and deleted", attempted(Progress::Undone), "record attempt 2"),
    ]);
}

#[test]
fn what_is_there_before_is_known() {
    check([
        (
            "with the same URL",
            new().finds(endpoint("wh_7", 0)).finds(endpoint("wh_8", 99)),
            "record attempt 1, knowing wh_7 wh_8",
        ),
        (
            "with the same URL, however it is spelt",
            new().finds(rewritten("wh_7", 0)),
            "record attempt 1, knowing wh_7",
        ),
        (
            "with the URL of an earlier attempt only",
            new().finds(crate::provider::Endpoint {
                url: "https://old.example.com".into(),
                ..endpoint("wh_7", 0)
            }),
            "record attempt 1",
        ),
    ]);
}

#[test]
fn nothing_begins_without_what_it_takes() {
    check([
        ("no list of the network yet", new().never_listed(), "Reconciling: AwaitingList"),
        ("the Secret is somebody else's", new().secret_is(SecretState::Foreign), "Stalled: SecretNotOurs"),
        (
            "the Secret of an earlier resource of the name is not collected yet",
            new().secret_is(SecretState::OfFormerResource(HeldSecret::default())),
            "Reconciling: SecretOfFormerResource",
        ),
        (
            "the Secret may not be writable",
            new().with(|observed| observed.secret_writes = SecretWrites::Unproven),
            "prove the Secret writable",
        ),
        (
            "the same after the attempt was recorded",
            attempted(Progress::Unsent).with(|observed| observed.secret_writes = SecretWrites::Unproven),
            "prove the Secret writable",
        ),
    ]);
}

#[test]
fn numbers_go_up_whatever_is_left_on_record() {
    let gone = || ready().misses("wh_1", Presence::Gone);
    check([
        ("after the attempt", gone(), "record attempt 2"),
        (
            "after the Secret's, when the attempt is lost",
            gone().with(|o| o.attempt = None).secret(holding("wh_1", 5)),
            "record attempt 6",
        ),
        (
            "after the status', when both are lost",
            gone()
                .with(|o| o.attempt = None)
                .secret_is(SecretState::Absent)
                .with(|o| o.recorded.resolved_attempt = 7),
            "record attempt 8",
        ),
        (
            "after another resource's, that was copied",
            new().attempt(crate::planning::Attempt { uid: "another".to_owned(), ..attempt(3, 0) }),
            "record attempt 4",
        ),
    ]);
}

#[test]
fn a_series_goes_on_until_its_outcome_is_known() {
    let third =
        || crate::planning::Attempt { number: 3, since: super::given::at(10), posts: 3, ..attempt(3, 40) };
    let late = |progress| attempted(progress).attempt(third()).listed(200).at(200);
    check([
        (
            "unanswered by this process",
            late(Progress::Unanswered(super::given::at(50))),
            "record attempt 4, post 4 since 10s",
        ),
        ("recorded by another process", late(Progress::Unknown), "record attempt 4, post 4 since 10s"),
        (
            "certainly without effect: it counts no more",
            late(Progress::Unsent),
            "record attempt 4, post 3 since 10s",
        ),
        ("undone: the series is over", late(Progress::Undone), "record attempt 4"),
        (
            "sends what is declared",
            late(Progress::Unsent).desired(|d| *d = desired()),
            "record attempt 4, post 3 since 10s",
        ),
    ]);
}
