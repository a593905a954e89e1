//! What lists and calls have shown of a network.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::index::Inventory;
use crate::planning::Presence;
use crate::provider::{Endpoint, EndpointId, EndpointStatus, EventType, Listing};

fn endpoint(id: &str) -> Endpoint {
    Endpoint {
        id: id.into(),
        network_id: None,
        url: format!("https://example.com/{id}").into(),
        enabled_events: [EventType::OcppMessage].into(),
        status: EndpointStatus::Active,
        created_at: None,
    }
}

fn listed(inventory: &mut Inventory, items: &[&str]) -> BTreeSet<EndpointId> {
    let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
    let items = items.iter().map(|id| endpoint(id)).collect::<Vec<_>>();
    inventory.end_list(token, items, |_| true)
}

#[test]
fn before_the_first_list_nothing_is_known_to_be_missing() {
    let mut inventory = Inventory::default();
    assert_eq!(inventory.presence(&"wh_1".into()), None);
    listed(&mut inventory, &[]);
    assert_eq!(inventory.presence(&"wh_1".into()), Some(Presence::Unlisted));
}

#[test]
fn a_list_names_what_is_new_and_what_is_missing_once() {
    let mut inventory = Inventory::default();
    assert_eq!(listed(&mut inventory, &["wh_1", "wh_2"]).len(), 2);
    assert_eq!(listed(&mut inventory, &["wh_1", "wh_2"]).len(), 0);
    assert_eq!(listed(&mut inventory, &["wh_1"]), ["wh_2".into()].into());
    assert_eq!(listed(&mut inventory, &["wh_1"]).len(), 0);
}

#[test]
fn a_list_does_not_overwrite_what_was_seen_while_it_was_under_way() {
    let mut inventory = Inventory::default();
    listed(&mut inventory, &["wh_1"]);
    let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
    inventory.saw(endpoint("wh_2"));
    inventory.saw_gone(&"wh_1".into());
    inventory.end_list(token, vec![endpoint("wh_1")], |_| true);
    assert_eq!(inventory.presence(&"wh_1".into()), Some(Presence::Gone));
    assert!(inventory.present(&"wh_2".into()).is_some());
}

#[test]
fn case_22_what_was_not_found_is_gone_when_it_is_not_found_again_a_moment_later() {
    let second = |second| Timestamp::from_second(second).unwrap();
    let missing = |since| Presence::Missing { since: second(since) };
    let id = EndpointId::from("wh_1");
    let presence = |inventory: &Inventory| inventory.presence(&id).unwrap();
    let list = |inventory: &mut Inventory, at, shown: &[&str]| {
        let token = inventory.begin_list(second(at));
        let items = shown.iter().map(|id| endpoint(id)).collect::<Vec<_>>();
        inventory.end_list(token, items, |_| true).len()
    };
    let mut inventory = Inventory::default();
    listed(&mut inventory, &["wh_1"]);
    assert_eq!(list(&mut inventory, 99, &[]), 1);
    let under_way = inventory.begin_list(second(200));
    inventory.saw_missing(&id, second(100));
    inventory.end_list(under_way, Vec::new(), |_| true);
    assert_eq!(
        presence(&inventory),
        missing(100),
        "a list that was begun before it was asked for says nothing"
    );
    assert_eq!(list(&mut inventory, 104, &[]), 0, "nor does one that comes too soon");
    inventory.saw_missing(&id, second(104));
    assert_eq!(presence(&inventory), missing(100), "nor another question");
    assert_eq!(list(&mut inventory, 105, &[]), 1);
    assert_eq!(presence(&inventory), Presence::Unlisted);
    assert_eq!(list(&mut inventory, 106, &[]), 0);
    inventory.saw_missing(&id, second(106));
    assert_eq!(presence(&inventory), Presence::Gone);
    assert_eq!(list(&mut inventory, 107, &["wh_1"]), 1);
    assert_eq!(presence(&inventory), endpoint("wh_1").into(), "it is there after all");

    inventory.saw_missing(&id, second(108));
    assert_eq!(presence(&inventory), missing(108), "and all begins anew");
    assert_eq!(list(&mut inventory, 50, &[]), 0);
    assert_eq!(presence(&inventory), missing(50), "the API's clock was set back");
    assert_eq!(list(&mut inventory, 55, &[]), 1);
    inventory.saw(endpoint("wh_1"));
    inventory.saw_missing(&id, second(56));
    assert_eq!(presence(&inventory), missing(56), "it was seen in between");
}

#[test]
fn what_a_list_could_not_read_is_as_it_was_last_seen() {
    let present = |inventory: &Inventory, id: &str| inventory.present(&id.into()).is_some();
    let list = |inventory: &mut Inventory, unreadable: &[&str], nameless, held| {
        let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
        let unreadable = unreadable.iter().map(|id| (*id).into()).collect();
        let listing = Listing { unreadable, nameless, ..Listing::default() };
        inventory.end_list(token, listing, |id| id.as_str() == held)
    };
    let mut inventory = Inventory::default();
    listed(&mut inventory, &["wh_1", "wh_2", "wh_3"]);

    assert!(list(&mut inventory, &["wh_2"], 1, "wh_1").is_empty());
    assert!(present(&inventory, "wh_1"), "it may be the item without an id");
    assert!(present(&inventory, "wh_2"), "it is there");
    assert!(!present(&inventory, "wh_3"), "nobody holds it");

    inventory.saw_gone(&"wh_1".into());
    assert!(list(&mut inventory, &[], 1, "wh_1").is_empty());
    assert_eq!(inventory.presence(&"wh_1".into()), Some(Presence::Gone));
    assert_eq!(list(&mut inventory, &["wh_1"], 0, "wh_1"), ["wh_1".into()].into());
    assert_eq!(inventory.presence(&"wh_1".into()), Some(Presence::Unlisted), "it is asked for again");
}

#[test]
fn a_list_counts_from_the_earlier_of_two_clocks() {
    let second = |second| Timestamp::from_second(second).unwrap();
    for (shown, corrected, listed) in [(100, 40, 40), (40, 100, 40)] {
        let mut inventory = Inventory::default();
        let token = inventory.begin_list(second(shown));
        inventory.end_list(token.begun_by(second(corrected)), Vec::new(), |_| true);
        assert_eq!(inventory.listed_at(), Some(second(listed)));
    }
}

#[test]
fn endpoints_are_found_by_any_spelling_of_their_url() {
    let mut inventory = Inventory::default();
    let spelt = |url: &str, id| Endpoint { url: url.into(), ..endpoint(id) };
    let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
    let items = vec![spelt("https://example.com", "wh_1"), spelt("https://EXAMPLE.com:443/", "wh_2")];
    inventory.end_list(token, items, |_| true);
    let found = |inventory: &Inventory| inventory.with_url(&"https://example.com/".into()).count();
    assert_eq!(found(&inventory), 2);
    inventory.saw_gone(&"wh_1".into());
    assert_eq!(found(&inventory), 1);
    inventory.saw(spelt("https://example.com/elsewhere", "wh_2"));
    assert_eq!(found(&inventory), 0);
}

#[test]
fn an_endpoint_that_nobody_holds_is_forgotten_when_it_goes() {
    let mut inventory = Inventory::default();
    listed(&mut inventory, &["wh_1"]);
    let token = inventory.begin_list(Timestamp::UNIX_EPOCH);
    assert!(inventory.end_list(token, Vec::new(), |_| false).is_empty());
    assert_eq!(inventory.all_present().count(), 0);
    assert_eq!(inventory.with_url(&"https://example.com/wh_1".into()).count(), 0);
}
