//! Who holds which endpoint.

use super::fixtures::{attempt, entry, holding, key, knowing, network, resource, secret};
use crate::index::{Index, Resource};
use crate::planning::Attempt;

fn in_network(name: &str, resource: Resource) -> Resource {
    Resource { network: network(name), ..resource }
}

fn is_held(index: &Index<()>, id: &str) -> bool {
    index.is_held(&network("a"), &id.into())
}

fn held_by_another(index: &Index<()>, id: &str, than: &str) -> bool {
    index.held_by_another(&network("a"), &id.into(), &key(than))
}

#[test]
fn a_new_claim_replaces_the_old_one() {
    let mut index = knowing([holding("a", 1, "wh_1")]);
    let _ = index.see(holding("a", 2, "wh_2"));
    assert!(!is_held(&index, "wh_1"));
    assert!(is_held(&index, "wh_2"));
}

#[test]
fn what_was_just_created_is_claimed_before_a_watch_shows_it() {
    let mut index = knowing([resource("a", 1)]);
    assert!(index.created(&key("a"), "a", &"wh_1".into()));
    assert!(held_by_another(&index, "wh_1", "b"));
    assert!(!held_by_another(&index, "wh_1", "a"));
    let _ = index.see(resource("a", 1));
    assert!(is_held(&index, "wh_1"), "an old view must not end the claim");
    index.deleted(&key("a"), "a", &"wh_1".into());
    assert!(!is_held(&index, "wh_1"));
}

#[test]
fn what_was_created_for_a_resource_that_is_gone_is_not_claimed() {
    let mut index = knowing([resource("a", 1)]);
    assert!(!index.created(&key("a"), "another uid", &"wh_1".into()));
    assert!(!index.created(&key("b"), "b", &"wh_1".into()));
    assert!(!is_held(&index, "wh_1"));
}

#[test]
fn another_resource_of_the_same_name_inherits_no_claim() {
    let mut index = knowing([holding("a", 1, "wh_1")]);
    index.created(&key("a"), "a", &"wh_1".into());
    let _ = index.see(Resource { uid: "another".to_owned(), ..resource("a", 2) });
    assert!(!is_held(&index, "wh_1"));
}

#[test]
fn two_holders_are_both_known_and_let_go_one_by_one() {
    let mut index = knowing([holding("a", 1, "wh_1"), holding("b", 1, "wh_1")]);
    assert!(held_by_another(&index, "wh_1", "a"));
    index.gone(&key("b"), "another uid");
    assert!(held_by_another(&index, "wh_1", "a"));
    index.gone(&key("b"), "b");
    assert!(!held_by_another(&index, "wh_1", "a"));
    assert!(is_held(&index, "wh_1"));
}

#[test]
fn an_endpoint_is_held_in_every_role() {
    let mut index = knowing([resource("a", 1)]);
    let roles = serde_json::json!({
        "endpoint": { "id": "current", "url": "", "enabledEvents": [], "status": "" },
        "replacement": { "id": "next" },
        "retiring": [{ "id": "retiring", "since": "2026-01-01T00:00:00Z" }],
    });
    let status = serde_json::from_value(roles).unwrap();
    let _ = index.see(Resource { status, ..resource("a", 2) });
    let mut meta = secret("s", Some("a"), "stored", 1);
    let previous = crate::resources::PREVIOUS_ENDPOINT_ID_ANNOTATION.to_owned();
    meta.annotations.as_mut().unwrap().insert(previous, "previous".to_owned());
    assert_eq!(index.see_secret(&meta), [key("a")]);
    index.created(&key("a"), "a", &"created".into());

    let all = ["current", "next", "retiring", "stored", "previous", "created"];
    for id in all {
        assert!(is_held(&index, id), "{id}");
    }
    index.drop_secret("billing", "s");
    assert!(!is_held(&index, "stored"));
    assert!(!is_held(&index, "previous"));
    index.gone(&key("a"), "a");
    assert!(all.iter().all(|id| !is_held(&index, id)));
}

#[test]
fn a_rival_sends_the_same_however_it_spells_the_url() {
    let with = |name: &str, url: &str| Resource { attempt: Some(attempt(name, url)), ..resource(name, 1) };
    let mut index =
        knowing([resource("a", 1), with("b", "https://EXAMPLE.com"), with("c", "https://example.com/c")]);
    let rivals = |index: &Index<()>| index.rival_posts(&key("a"), &attempt("a", "https://example.com/"));
    assert_eq!(rivals(&index), 1);
    let posts = Attempt { posts: 3, ..attempt("c", "https://example.com") };
    let _ = index.see(Resource { attempt: Some(posts), ..resource("c", 2) });
    assert_eq!(rivals(&index), 4);
    index.see_secret(&secret("s", Some("b"), "wh_1", 1));
    assert_eq!(rivals(&index), 3, "its Secret shows that it was answered");
    let _ = index.see(in_network("elsewhere", resource("c", 3)));
    assert_eq!(rivals(&index), 0);
}

#[test]
fn an_id_of_another_api_is_another_id() {
    let mut index = knowing([holding("a", 1, "wh_1"), in_network("evil", holding("evil", 1, "wh_1"))]);
    index.created(&key("evil"), "evil", &"wh_1".into());
    index.created(&key("a"), "a", &"wh_1".into());

    assert!(!held_by_another(&index, "wh_1", "a"), "it is not known yet where the other network leads");
    index.put_network(&network("evil"), entry("evil"));
    assert!(!held_by_another(&index, "wh_1", "a"));
    index.deleted(&key("evil"), "evil", &"wh_1".into());
    let _ = index.see(resource("a", 2));
    assert!(is_held(&index, "wh_1"), "its own claim stands");
    index.put_network(&network("evil"), entry("a"));
    assert!(held_by_another(&index, "wh_1", "a"), "it leads to the same API now");
    index.remove_network(&network("evil"));
    assert!(!held_by_another(&index, "wh_1", "a"));
}
