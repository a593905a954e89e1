//! When it is believed that an endpoint is not there.

use super::given::{Given, at, attempt, attempted, check, endpoint, holding, new, ready};
use crate::planning::Removal::{Delete, Retain};
use crate::planning::{Admission, Answer, FreshList, Identity, NetworkState, Presence, Progress};

impl Given {
    fn identity(self, identity: Identity) -> Self {
        let admission = Admission { identity, ..Admission::default() };
        self.with(|observed| observed.network = NetworkState::Available(admission))
    }
}

fn missing() -> Presence {
    Presence::Missing { since: at(100) }
}

#[test]
fn case_11_nothing_is_missed_in_a_network_that_may_be_another() {
    let unlisted = || ready().misses("wh_1", Presence::Unlisted);
    for identity in [Identity::Unconfirmed, Identity::Untold] {
        let doubted = |given: Given| given.identity(identity);
        check([
            ("what is there is as declared", doubted(ready()), "Ready: Available"),
            ("what is not listed", doubted(unlisted()), "Reconciling: NetworkUnconfirmed"),
            (
                "what was not found by its id",
                doubted(ready().misses("wh_1", missing()).at(200)),
                "Reconciling: NetworkUnconfirmed",
            ),
            ("before the first list", doubted(ready().never_listed()), "Reconciling: AwaitingList"),
            (
                "what a create may have made",
                doubted(attempted(Progress::Unanswered(at(95))).listed(200).at(200)),
                "Reconciling: NetworkUnconfirmed",
            ),
            (
                "what looks like the trace of a create",
                doubted(attempted(Progress::Unanswered(at(95))).finds(endpoint("wh_1", 92))),
                "Reconciling: NetworkUnconfirmed",
            ),
            ("what is to be deleted", doubted(unlisted().removed(Delete)), "Reconciling: NetworkUnconfirmed"),
            (
                "what is to be deleted, before the first list",
                doubted(ready().never_listed().removed(Delete)),
                "Reconciling: NetworkUnconfirmed",
            ),
            (
                "what is there under that id may be another one",
                doubted(ready().removed(Delete)),
                "Reconciling: NetworkUnconfirmed",
            ),
            ("what is retained is let go", doubted(unlisted().removed(Retain)), "release the Secret"),
        ]);
    }
    check([
        ("the answer to a create would tell", new().identity(Identity::Unconfirmed), "record attempt 1"),
        ("it would not", new().identity(Identity::Untold), "Reconciling: NetworkUnconfirmed"),
    ]);
}

#[test]
fn case_11_nothing_is_done_in_another_network() {
    let changed = |given: Given| given.identity(Identity::Changed);
    let differs =
        || ready().desired(|desired| desired.endpoint.status = crate::provider::EndpointStatus::Inactive);
    let asked = || ready().with(|observed| observed.fresh_list = FreshList::Requested(at(100)));
    check([
        ("nothing is created", changed(new()), "Reconciling: NetworkChanged"),
        ("missed", changed(ready().misses("wh_1", Presence::Unlisted)), "Reconciling: NetworkChanged"),
        ("created again", changed(ready().misses("wh_1", Presence::Gone)), "Reconciling: NetworkChanged"),
        ("changed", changed(differs()), "Reconciling: NetworkChanged"),
        ("as declared", changed(ready()), "Reconciling: NetworkChanged"),
        ("deleted", changed(ready().removed(Delete)), "Reconciling: NetworkChanged"),
        ("listed for somebody", changed(asked()), "Reconciling: NetworkChanged"),
        ("what is retained is let go", changed(ready().removed(Retain)), "release the Secret"),
    ]);
}

#[test]
fn what_was_made_in_another_network_is_undone_and_stored_nowhere() {
    let hand = || new().attempt(attempt(1, 90)).in_hand("wh_1", 1, Answer::Elsewhere);
    let undone = || new().attempt(attempt(1, 90)).progress(Progress::Undone);
    check([
        ("at once", hand().identity(Identity::Changed), "delete wh_1 (in hand)"),
        ("though nothing tells which one it is", hand().identity(Identity::Untold), "delete wh_1 (in hand)"),
        ("and nothing follows", undone().identity(Identity::Changed), "Reconciling: NetworkChanged"),
        ("until the known one is back", undone(), "record attempt 2"),
        ("or the other one became the known one", hand(), "delete wh_1 (in hand)"),
        (
            "whatever the known one has under its id",
            hand().secret(holding("wh_1", 1)),
            "delete wh_1 (in hand)",
        ),
    ]);
}

#[test]
fn case_03_a_delete_that_is_answered_404_lets_go_of_nothing_by_itself() {
    let missing = || ready().misses("wh_1", missing()).removed(Delete);
    let hand = |presence| {
        attempted(Progress::Unsent).in_hand("wh_1", 1, Answer::WithoutSecret).misses("wh_1", presence)
    };
    check([
        ("nor was it found by its id", missing(), "Reconciling: AwaitingList until 105s"),
        ("another list has to come", missing().at(105), "list"),
        ("which shows it", ready().removed(Delete), "delete wh_1 (removed)"),
        ("or does not", ready().misses("wh_1", Presence::Gone).removed(Delete), "remove the finalizer"),
        ("one in hand", hand(self::missing()), "Reconciling: AwaitingList until 105s"),
        ("one in hand, later", hand(self::missing()).at(105), "list"),
        ("one in hand, in the end", hand(Presence::Gone), "delete wh_1 (in hand)"),
    ]);
}

#[test]
fn case_22_a_stored_secret_is_overwritten_only_when_its_endpoint_is_gone() {
    let hand =
        || new().attempt(attempt(2, 90)).in_hand("wh_2", 2, Answer::WithSecret).secret(holding("wh_1", 1));
    check([
        ("before the first list", hand().never_listed(), "Reconciling: AwaitingList"),
        ("it is not listed", hand().misses("wh_1", Presence::Unlisted), "confirm wh_1"),
        ("nor found by its id", hand().misses("wh_1", missing()), "Reconciling: AwaitingList until 105s"),
        ("another list has to come", hand().misses("wh_1", missing()).at(105), "list"),
        ("it is gone", hand().misses("wh_1", Presence::Gone), "store the secret"),
        ("it is there", hand().sees(endpoint("wh_1", 0)), "delete wh_2 (in hand)"),
        (
            "nobody knows in which network that was",
            hand().misses("wh_1", Presence::Unlisted).identity(Identity::Unconfirmed),
            "Reconciling: NetworkUnconfirmed",
        ),
    ]);
}
