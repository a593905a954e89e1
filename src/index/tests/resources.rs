//! The records of the resources.

use super::fixtures::{attempt, holding, key, knowing, network, resource};
use crate::index::{Index, Mark, Resource, Seen};
use crate::planning::Answer;

fn version_of(index: &Index<()>, name: &str) -> Option<String> {
    index.resource(&key(name)).and_then(|resource| resource.resource_version.clone())
}

/// Has the endpoint of resource `name` in hand.
fn take_in_hand(index: &mut Index<()>, name: &str) {
    let local = index.local(&key(name), name).unwrap();
    local.memory.created("wh_1".into(), Answer::WithSecret);
}

#[test]
fn the_newest_of_a_resource_counts_whoever_shows_it() {
    let mut index = knowing([resource("a", 5)]);
    assert_eq!(index.wrote(resource("a", 7)), Seen::Taken);
    assert_eq!(index.see(resource("a", 6)), Seen::Outdated, "the watch is late");
    assert_eq!(version_of(&index, "a").as_deref(), Some("7"));
    assert_eq!(index.see(resource("a", 7)), Seen::Known, "the watch shows what the answer did");
    assert_eq!(index.wrote(resource("a", 6)), Seen::Outdated, "the answer is late");
    let moved = Resource { secret_name: "other".to_owned(), ..resource("a", 8) };
    assert_eq!(index.see(moved), Seen::Taken);
    assert_eq!(version_of(&index, "a").as_deref(), Some("8"));
}

#[test]
fn the_watch_may_show_an_own_write_before_its_answer() {
    let mut index = knowing([Resource { finalizers: Vec::new(), ..resource("a", 5) }]);
    let shown = |version, attempt| Resource { attempt: Some(attempt), ..resource("a", version) };
    let (ours, others) = (attempt("a", "https://a.example.com"), attempt("a", "https://b.example.com"));
    index.local(&key("a"), "a").unwrap().memory.recording(&ours);
    assert_eq!(index.see(shown(6, ours.clone())), Seen::Known);
    let stripped = Resource { finalizers: Vec::new(), ..shown(7, ours) };
    assert_eq!(index.see(stripped), Seen::Taken, "somebody took the finalizer away");
    assert_eq!(index.see(shown(8, others)), Seen::Taken, "somebody else's");
}

#[test]
fn a_resource_that_was_let_go_stays_away_until_its_delete_event() {
    let mut index = knowing([resource("a", 5)]);
    assert_eq!(index.let_go(&key("a"), "a"), None);
    assert_eq!(index.see(resource("a", 6)), Seen::Outdated);
    assert_eq!(index.wrote(resource("a", 7)), Seen::Outdated);
    assert_eq!(index.resource(&key("a")), None);
    assert!(index.local(&key("a"), "a").is_none());
    assert!(!index.wake(&key("a")));

    assert_eq!(index.gone(&key("a"), "a"), None);
    assert!(index.resources.let_go_is_empty());
    assert_eq!(index.see(resource("a", 8)), Seen::Taken, "restored under the same uid");
}

#[test]
fn another_resource_of_the_same_name_ends_what_was_let_go() {
    let mut index = knowing([resource("a", 5)]);
    assert_eq!(index.let_go(&key("a"), "a"), None);
    assert_eq!(index.see(Resource { uid: "other".to_owned(), ..resource("a", 9) }), Seen::Taken);
    assert!(index.resources.let_go_is_empty());
    assert_eq!(index.gone(&key("a"), "a"), None, "the delete event of the earlier one is late");
    assert_eq!(version_of(&index, "a").as_deref(), Some("9"));
}

#[test]
fn what_a_list_leaves_out_is_gone() {
    let mut index = knowing([resource("a", 5), resource("b", 5), resource("c", 5)]);
    take_in_hand(&mut index, "b");
    assert_eq!(index.let_go(&key("c"), "c"), None);
    assert_eq!(index.keep(|known| *known == key("a")), ["wh_1".into()], "its secret was in memory alone");
    assert_eq!(index.keys().collect::<Vec<_>>(), [&key("a")]);
    assert!(index.resources.let_go_is_empty());
}

#[test]
fn what_is_let_go_after_its_delete_event_is_not_kept_in_mind() {
    let mut index = knowing([resource("a", 5)]);
    index.gone(&key("a"), "a");
    assert_eq!(index.let_go(&key("a"), "a"), None);
    assert!(index.resources.let_go_is_empty());
}

#[test]
fn an_answer_brings_nothing_back() {
    let mut index = knowing([resource("a", 5)]);
    index.gone(&key("a"), "a");
    assert_eq!(index.wrote(resource("a", 6)), Seen::Outdated);
    let other = Resource { uid: "other".to_owned(), ..resource("a", 9) };
    assert_eq!(index.see(other), Seen::Taken);
    assert_eq!(index.wrote(resource("a", 7)), Seen::Outdated);
    assert_eq!(version_of(&index, "a").as_deref(), Some("9"));
}

#[test]
fn another_resource_of_the_same_name_starts_afresh() {
    let mut index = knowing([resource("a", 5)]);
    index.wake(&key("a"));
    take_in_hand(&mut index, "a");
    assert_eq!(index.in_hand(), [(key("a"), "wh_1".into())]);
    let other = || Resource { uid: "other".to_owned(), ..resource("a", 9) };
    assert_eq!(index.see(other()), Seen::Lost("wh_1".into()));
    assert!(index.in_hand().is_empty());
    assert!(!index.take_woken(&key("a")));
    assert!(index.local(&key("a"), "a").is_none(), "what the former one's activation notes is dropped");
    assert_eq!(index.see(resource("a", 6)), Seen::Outdated, "it was before the other one");
}

#[test]
fn a_secret_in_hand_is_lost_with_its_resource() {
    let mut index = knowing([resource("a", 5)]);
    take_in_hand(&mut index, "a");
    assert_eq!(index.gone(&key("a"), "another uid"), None);
    assert_eq!(index.gone(&key("a"), "a"), Some("wh_1".into()));
    assert_eq!(index.gone(&key("a"), "a"), None);
}

#[test]
fn a_resource_is_woken_once_and_only_while_it_is_there() {
    let mut index = knowing([resource("a", 5)]);
    assert!(!index.take_woken(&key("a")));
    assert!(index.wake(&key("a")));
    assert!(index.take_woken(&key("a")));
    assert!(!index.take_woken(&key("a")));
    assert!(!index.wake(&key("b")));
}

#[test]
fn resources_are_found_by_namespace_and_by_network() {
    let mut index = knowing([resource("a", 1), resource("b", 1)]);
    let moved = |name: &str, namespace: &str| {
        let mut resource = resource(name, 1);
        resource.key.namespace = namespace.into();
        resource
    };
    let _ = index.see(moved("a", "billing-2"));
    let _ = index.see(Resource { network: network("z"), finalizers: Vec::new(), ..resource("c", 1) });
    assert_eq!(index.in_namespace("billing").count(), 3);
    assert_eq!(index.in_namespace("billing-2").count(), 1);
    assert_eq!(index.in_namespace("bill").count(), 0);
    assert_eq!(index.keys().count(), 4);
    assert_eq!(index.of_network(&network("a")).count(), 3);
    assert_eq!(index.finalized_of_network(&network("a")), 3);
    assert_eq!(index.of_network(&network("z")).collect::<Vec<_>>(), [&key("c")]);
    assert_eq!(index.finalized_of_network(&network("z")), 0);
}

#[test]
fn nothing_of_a_resource_is_left_when_it_is_gone() {
    let mut index = knowing([holding("a", 1, "wh_1")]);
    index.set_awaits_list(&key("a"), "a", Mark::Set);
    index.set_drifted(&key("a"), "a", Mark::Set);
    let names = |index: &Index<()>| index.awaiting_list(&network("a")).count() + index.drifted(&network("a"));
    assert_eq!(names(&index), 2);
    index.gone(&key("a"), "a");
    assert_eq!(names(&index), 0);
    assert_eq!(index.of_network(&network("a")).count(), 0);
    assert!(index.holdings.is_empty());
}
