//! What lists change.

use std::sync::Arc;

use http::StatusCode;

use super::fixtures::{
    URL, at, begin_list, endpoint, entry, holding, key, knowing, list, network, resource, secret,
};
use crate::index::{Census, Index, Mark, NetworkUse, Resource};
use crate::planning::Presence;
use crate::provider::{Endpoint, Error};
use crate::resources::{EndpointCounts, UnmanagedEndpoint};

/// A list of network `a` fails; tells how many it wakes.
fn fail(index: &mut Index<()>, status: StatusCode) -> usize {
    let token = begin_list(index, at(0)).unwrap();
    index.list_failed(&network("a"), token, Error::of_list(status)).len()
}

fn is_usable(index: &Index<()>) -> bool {
    index.network(&network("a"), NetworkUse::Converge).is_ok()
}

#[test]
fn a_list_wakes_whom_it_concerns() {
    let elsewhere = Resource { network: network("z"), ..holding("z", 1, "wh_1") };
    let mut index = knowing([holding("a", 1, "wh_1"), resource("b", 1), holding("c", 1, "wh_3"), elsewhere]);
    index.put_network(&network("z"), entry("a"));
    assert_eq!(list(&mut index, 1, &["wh_1", "wh_2", "wh_3"]), ["a", "b", "c"], "the first one");
    assert!(list(&mut index, 2, &["wh_1", "wh_2", "wh_3"]).is_empty(), "nothing new");
    assert_eq!(list(&mut index, 3, &["wh_1", "wh_4"]), ["c"], "the holder of what is missing");
    index.set_awaits_list(&key("b"), "b", Mark::Set);
    assert_eq!(list(&mut index, 4, &["wh_1"]), ["b"], "who waits for a list");
    index.set_awaits_list(&key("b"), "b", Mark::Clear);
    assert!(list(&mut index, 5, &["wh_1"]).is_empty());
    assert_eq!(list(&mut index, 6, &[]), ["a"], "and not the holder of another network");
}

#[test]
fn a_network_that_is_down_can_be_worked_with_once_it_was_listed() {
    let mut index = knowing([resource("a", 1)]);
    assert!(is_usable(&index));
    assert_eq!(index.latest_list(&network("a")).map(|latest| latest.is_ok()), None);
    assert_eq!(fail(&mut index, StatusCode::BAD_GATEWAY), 1, "it can't be used");
    assert!(!is_usable(&index));
    assert_eq!(fail(&mut index, StatusCode::BAD_GATEWAY), 0, "for the same reason");
    assert_eq!(fail(&mut index, StatusCode::UNAUTHORIZED), 1, "for another reason");

    assert_eq!(list(&mut index, 1, &[]), ["a"]);
    assert!(is_usable(&index));
    assert_eq!(fail(&mut index, StatusCode::BAD_GATEWAY), 0, "it is merely down");
    assert!(is_usable(&index));
    assert_eq!(index.latest_list(&network("a")).map(|latest| latest.is_ok()), Some(false));
    assert_eq!(fail(&mut index, StatusCode::FORBIDDEN), 1, "it lets nobody in");
    assert!(!is_usable(&index));
    assert_eq!(list(&mut index, 2, &[]), ["a"]);
    assert!(is_usable(&index));
}

#[test]
fn more_than_one_list_has_to_succeed() {
    let mut index = knowing([]);
    let mut listed = |status: Option<StatusCode>| {
        match status {
            Some(status) => drop(fail(&mut index, status)),
            None => drop(list(&mut index, 1, &[])),
        }
        index.was_listed_again(&network("a"))
    };
    assert!(!listed(None));
    assert!(!listed(Some(StatusCode::BAD_GATEWAY)));
    assert!(listed(None));
    assert!(listed(Some(StatusCode::BAD_GATEWAY)));
}

#[test]
fn what_an_earlier_client_showed_says_nothing_of_a_later_one() {
    let mut index = knowing([holding("a", 1, "wh_1")]);
    let earlier = index.incarnation(&network("a")).unwrap();
    let token = begin_list(&mut index, at(1)).unwrap();
    let failing = begin_list(&mut index, at(1)).unwrap();
    index.put_network(&network("a"), entry("b"));

    assert!(index.begin_list(&network("a"), earlier, at(2)).is_none(), "the earlier one's lister is late");
    assert!(index.end_list(&network("a"), token, vec![endpoint("wh_1")]).is_empty());
    assert!(index.list_failed(&network("a"), failing, Error::of_list(StatusCode::FORBIDDEN)).is_empty());
    index.saw(&network("a"), earlier, endpoint("wh_1"));
    index.saw_gone(&network("a"), earlier, &"wh_1".into());
    let presence = |index: &Index<()>| index.inventory(&network("a")).unwrap().presence(&"wh_1".into());
    assert_eq!(presence(&index), None);
    assert!(is_usable(&index));

    let later = index.incarnation(&network("a")).unwrap();
    index.saw(&network("a"), later, endpoint("wh_1"));
    assert_eq!(presence(&index), Some(endpoint("wh_1").into()));
    index.saw_gone(&network("a"), later, &"wh_1".into());
    assert_eq!(presence(&index), Some(Presence::Gone));
    index.remove_network(&network("a"));
    assert!(begin_list(&mut index, at(1)).is_none());
}

#[test]
fn endpoints_are_counted_once_every_resource_was_seen() {
    let elsewhere = Resource { network: network("z"), ..holding("z", 1, "wh_2") };
    let mut index = knowing([holding("a", 1, "wh_1"), elsewhere]);
    index.put_network(&network("z"), entry("a"));
    list(&mut index, 1, &["wh_1", "wh_2", "wh_3"]);
    assert_eq!(index.census(&network("a")), None);
    index.note_all_seen();
    index.set_drifted(&key("a"), "a", Mark::Set);
    let unmanaged = |id: &str| UnmanagedEndpoint { id: id.to_owned(), url: URL.to_owned() };
    let counts = EndpointCounts { managed: 2, drifted: 1, unmanaged: 1 };
    let census = Census { counts, unmanaged: vec![unmanaged("wh_3")] };
    assert_eq!(index.census(&network("a")), Some(census));
    index.set_drifted(&key("a"), "a", Mark::Clear);
    index.gone(&key("a"), "a");
    let counts = EndpointCounts { managed: 1, drifted: 0, unmanaged: 2 };
    let census = Census { counts, unmanaged: vec![unmanaged("wh_1"), unmanaged("wh_3")] };
    assert_eq!(index.census(&network("a")), Some(census));
}

#[test]
fn of_many_that_nobody_holds_a_few_are_named() {
    let mut index = knowing([]);
    index.note_all_seen();
    let ids = (0..100).map(|number| format!("wh_{number:02}")).collect::<Vec<_>>();
    list(&mut index, 1, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let census = index.census(&network("a")).unwrap();
    assert_eq!(census.counts.unmanaged, 100);
    assert_eq!(census.unmanaged.iter().map(|endpoint| endpoint.id.as_str()).collect::<Vec<_>>(), ids[..10]);
}

#[test]
fn what_a_list_shows_again_takes_no_second_room() {
    let mut index = knowing([]);
    list(&mut index, 1, &["wh_1", "wh_2"]);
    let kept = index.inventory(&network("a")).unwrap().all_present().cloned().collect::<Vec<_>>();
    let respelt = Endpoint { url: format!("{URL}/").as_str().into(), ..endpoint("wh_2") };
    let shared = index.shared(&network("a"), vec![endpoint("wh_1"), respelt, endpoint("wh_3")]);
    assert!(kept.iter().any(|kept| Arc::ptr_eq(kept, &shared[0])));
    assert_eq!(shared[1].url.as_str(), format!("{URL}/"), "as it is spelt now");
    assert_eq!(shared[2].id.as_str(), "wh_3");
}

#[test]
fn an_endpoint_that_a_secret_of_nobody_names_is_missed_like_one_that_is_held() {
    let mut index = knowing([resource("a", 1)]);
    index.see_secret(&secret("a", None, "wh_1", 1));
    let through = index.incarnation(&network("a")).unwrap();
    let presence = |index: &Index<()>| index.inventory(&network("a")).unwrap().presence(&"wh_1".into());
    list(&mut index, 0, &[]);
    for (second, expected) in [(1, Presence::Missing { since: at(1) }), (10, Presence::Gone)] {
        index.saw_missing(&network("a"), through, &"wh_1".into(), at(second));
        assert_eq!(presence(&index), Some(expected));
        list(&mut index, second + 6, &[]);
    }
    assert_eq!(presence(&index), Some(Presence::Gone), "whatever later lists leave out");
}
