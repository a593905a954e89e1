//! Which network it is that a list shows.

use super::fixtures::{URL, at, attempt, begin_list, endpoint, entry, holding, network, resource};
use crate::index::{Claim, Entry, Index, Kept, Origin, Resource, Seen};
use crate::planning::Identity::{self, Changed, Confirmed, Unconfirmed, Untold};
use crate::provider::{Endpoint, NetworkId};
use crate::resources::NetworkConfirmation;

fn origin(credentials: &str) -> Origin {
    Origin { api_url: "https://a.example.com".to_owned(), credentials: credentials.to_owned() }
}

/// What a network's status recalls that was certain with these credentials, while this id was declared.
fn recalled(credentials: &str, declared: Option<&str>) -> Claim {
    let Origin { api_url, credentials } = origin(credentials);
    let declared_network_id = declared.map(str::to_owned);
    Claim {
        declared: declared.map(Into::into),
        recorded: Some("n_1".into()),
        confirmation: Some(NetworkConfirmation { api_url, credentials, declared_network_id }),
        origin: Origin::default(),
    }
}

/// An index that has seen these resources, and network `a` as it is recalled, with these credentials.
fn index(resources: impl IntoIterator<Item = Resource>, recalled: Claim, credentials: &str) -> Index<()> {
    let mut index = Index::default();
    for resource in resources {
        assert_eq!(index.see(resource), Seen::Taken);
    }
    index.note_all_seen();
    // A start that comes before the credentials are read.
    index.expect_network(network("a"));
    put(&mut index, recalled, credentials);
    index
}

fn put(index: &mut Index<()>, claim: Claim, credentials: &str) {
    let claim = Claim { origin: origin(credentials), ..claim };
    index.put_network(&network("a"), Entry { claim, ..entry("a") });
}

fn of(id: &str, network: Option<&str>) -> Endpoint {
    Endpoint { network_id: network.map(Into::into), ..endpoint(id) }
}

/// Takes in a list; tells what it shows of the network.
fn list(index: &mut Index<()>, items: Vec<Endpoint>) -> Identity {
    let token = begin_list(index, at(0)).unwrap();
    index.end_list(&network("a"), token, items);
    index.identity(&network("a"))
}

fn answered(index: &mut Index<()>, id: Option<&str>) -> bool {
    let through = index.incarnation(&network("a")).unwrap();
    let id = id.map(NetworkId::from);
    index.answered(&network("a"), through, id.as_ref())
}

fn declare(index: &mut Index<()>, id: Option<&str>) -> Kept {
    let access = crate::index::Access::default();
    index.keep_network(&network("a"), "a", &access, id.map(Into::into), None)
}

#[test]
fn case_11_a_list_shows_which_network_it_is() {
    for (items, expected, why) in [
        (vec![], Unconfirmed, "nothing"),
        (vec![of("wh_1", Some("n_1"))], Confirmed, "the known one"),
        (vec![of("wh_9", Some("n_1"))], Confirmed, "the known one, without what is held"),
        (
            vec![of("wh_8", Some("n_2")), of("wh_9", Some("n_1"))],
            Confirmed,
            "several, the known one among them",
        ),
        (vec![of("wh_9", Some("n_2"))], Changed, "another one"),
        (vec![of("wh_1", Some("n_2"))], Changed, "another one, which counts its endpoints alike"),
        (vec![of("wh_9", None)], Untold, "endpoints that nobody knows and that name none"),
        (vec![of("wh_1", None)], Confirmed, "an endpoint that is held"),
        (
            vec![Endpoint { url: "https://elsewhere.example.com".into(), ..of("wh_1", None) }],
            Untold,
            "another endpoint by the id of one that is held",
        ),
    ] {
        let mut index = index([holding("a", 1, "wh_1")], recalled("old", None), "new");
        assert_eq!(index.identity(&network("a")), Unconfirmed, "before any list");
        assert_eq!(list(&mut index, items), expected, "{why}");
    }
}

#[test]
fn case_11_a_restart_with_the_same_credentials_doubts_nothing() {
    let mut same = index([holding("a", 1, "wh_1")], recalled("old", None), "old");
    assert_eq!(same.identity(&network("a")), Confirmed, "before any list");
    assert_eq!(list(&mut same, vec![]), Confirmed, "its only endpoint was deleted meanwhile");
    put(&mut same, recalled("old", None), "new");
    assert_eq!(list(&mut same, vec![]), Unconfirmed, "other credentials");
    put(&mut same, recalled("old", None), "old");
    assert_eq!(list(&mut same, vec![]), Confirmed, "the old ones again");
}

#[test]
fn case_11_another_network_is_left_by_itself_or_confirmed_by_a_person() {
    let mut index = index([holding("a", 1, "wh_1")], recalled("old", None), "new");
    assert_eq!(list(&mut index, vec![of("wh_9", Some("n_2"))]), Changed);
    assert_eq!(list(&mut index, vec![]), Changed, "it is not another one for being empty");
    assert_eq!(declare(&mut index, Some("n_3")), Kept::NewAccess);
    assert_eq!(index.identity(&network("a")), Changed, "which is not the one that is there");
    let ids = |index: &Index<()>| {
        let (known, other) = index.network_ids(&network("a"));
        (known.map(ToString::to_string), other.map(ToString::to_string))
    };
    assert_eq!(ids(&index), (Some("n_3".to_owned()), Some("n_2".to_owned())));
    assert_eq!(list(&mut index, vec![of("wh_1", Some("n_3"))]), Confirmed, "it came back by itself");
    assert_eq!(list(&mut index, vec![of("wh_9", Some("n_2"))]), Changed, "and went again");
    declare(&mut index, Some("n_2"));
    assert_eq!(index.identity(&network("a")), Confirmed, "a person means it");
    assert_eq!(declare(&mut index, None), Kept::NewAccess);
    assert_eq!(index.identity(&network("a")), Confirmed, "it goes on being known by that");
    assert_eq!(ids(&index), (Some("n_2".to_owned()), None));
}

#[test]
fn case_11_a_declared_id_confirms_when_it_is_set_and_not_for_ever() {
    let held = || [holding("a", 1, "wh_1")];
    let all_along = || recalled("old", Some("n_1"));
    let moved = Claim { declared: Some("n_2".into()), ..recalled("old", None) };
    for (claim, expected, why) in [
        (all_along(), Unconfirmed, "it was there all along"),
        (Claim { declared: None, ..all_along() }, Unconfirmed, "it was removed"),
        (moved, Confirmed, "it came with the credentials"),
        (Claim { confirmation: None, ..all_along() }, Unconfirmed, "nothing tells when it came"),
    ] {
        let mut index = index(held(), claim, "new");
        assert_eq!(list(&mut index, vec![]), expected, "{why}");
    }
    let mut index = index(held(), all_along(), "new");
    declare(&mut index, None);
    assert_eq!(list(&mut index, vec![]), Unconfirmed);
    declare(&mut index, Some("n_1"));
    assert_eq!(list(&mut index, vec![]), Confirmed, "removed and set again");
}

#[test]
fn a_wrong_id_that_is_declared_before_a_start_is_forgotten_with_its_declaration() {
    let wrong = Claim { declared: Some("n_9".into()), ..recalled("old", None) };
    let mut index = index([holding("a", 1, "wh_1")], wrong, "old");
    assert_eq!(list(&mut index, vec![of("wh_1", Some("n_1"))]), Changed);
    declare(&mut index, None);
    assert_eq!(index.identity(&network("a")), Confirmed);
    assert_eq!(index.network_ids(&network("a")), (Some(&"n_1".into()), None));
}

#[test]
fn a_network_in_which_nobody_has_anything_is_what_it_shows() {
    let mut fresh = index([resource("a", 1)], Claim::default(), "new");
    assert_eq!(list(&mut fresh, vec![]), Confirmed);
    assert!(answered(&mut fresh, Some("n_7")), "its first endpoint names it");
    assert!(!answered(&mut fresh, Some("n_8")));
    assert_eq!(fresh.identity(&network("a")), Changed);

    let mut early = Index::default();
    put(&mut early, Claim::default(), "new");
    assert_eq!(list(&mut early, vec![]), Untold, "nobody knows yet who has something");
    assert_eq!(early.note_all_seen(), [network("a")]);
    assert_eq!(early.identity(&network("a")), Confirmed);
    assert!(early.note_all_seen().is_empty());

    let attempting = || Resource { attempt: Some(attempt("a", URL)), ..resource("a", 1) };
    let mut refused = index([attempting()], Claim::default(), "new");
    assert_eq!(list(&mut refused, vec![]), Confirmed, "nothing was ever seen of it");
    let mut unanswered = index([attempting()], recalled("old", None), "new");
    assert_eq!(list(&mut unanswered, vec![]), Unconfirmed, "in the known one, something may have been made");

    let mut emptied = index([resource("a", 1)], recalled("old", None), "new");
    assert_eq!(list(&mut emptied, vec![]), Confirmed);
    assert!(!answered(&mut emptied, Some("n_2")), "and known to be another one");
}

#[test]
fn case_11_the_answer_to_a_create_shows_which_network_it_is() {
    let unconfirmed = || {
        let mut index = index([holding("a", 1, "wh_1"), resource("b", 1)], recalled("old", None), "new");
        assert_eq!(list(&mut index, vec![]), Unconfirmed);
        index
    };
    for (named, here, expected) in
        [(Some("n_1"), true, Confirmed), (Some("n_2"), false, Changed), (None, false, Untold)]
    {
        let mut index = unconfirmed();
        assert_eq!(answered(&mut index, named), here, "{named:?}");
        assert_eq!(index.identity(&network("a")), expected, "{named:?}");
    }
    let mut index = unconfirmed();
    let earlier = index.incarnation(&network("a")).unwrap();
    put(&mut index, recalled("old", None), "newer");
    assert!(!index.answered(&network("a"), earlier, Some(&"n_2".into())), "through the client before");
    assert_eq!(index.identity(&network("a")), Unconfirmed, "which says nothing of this one");
}

#[test]
fn case_18_the_same_credentials_in_another_version_of_their_secret_leave_it_certain() {
    let mut touched = index([holding("a", 1, "wh_1")], recalled("old", None), "old");
    let access = crate::index::Access::default();
    touched.keep_network(&network("a"), "a", &access, None, Some(origin("touched")));
    let confirmation = touched.confirmation(&network("a")).unwrap().clone();
    assert_eq!(confirmation.credentials, "touched", "a restart finds it so");
    let again = index(
        [holding("a", 1, "wh_1")],
        Claim { confirmation: Some(confirmation), ..recalled("old", None) },
        "touched",
    );
    assert_eq!(again.identity(&network("a")), Confirmed);
}
