//! What planning is told of a resource.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::fixtures::{
    at, attempt, begin_list, clocks, endpoint, entry, holding, key, knowing, list, network, resource, secret,
};
use crate::index::Waits;
use crate::index::{Access, Entry, Index, Resource, SecretWrite};
use crate::planning::{
    Answer, HeldSecret, Holders, Intent, NetworkState, Observed, Openness, Ownership, Presence, Reach,
    Reason, Record, Refusal, Remote, Removal, SecretShape, SecretState, SecretWrites, StepKind, Unavailable,
};
use crate::resources::{AllowedNamespaces, StoredSecret};

const WAITS: Waits = Waits { settle: Duration::from_secs(20), recovery: Duration::from_mins(1) };

fn observe_at(index: &mut Index<()>, name: &str, second: i64) -> Observed {
    index.observe(&key(name), clocks(second), WAITS).unwrap().1
}

fn observe(index: &mut Index<()>, name: &str) -> Observed {
    observe_at(index, name, 100)
}

fn held(id: &str) -> SecretState {
    SecretState::Held(holds(id))
}

fn holds(id: &str) -> HeldSecret {
    HeldSecret { endpoint: Some(id.into()), attempt: 1, ..HeldSecret::default() }
}

#[test]
fn what_is_gone_is_not_observed() {
    let mut index = knowing([resource("a", 1)]);
    assert_eq!(index.let_go(&key("a"), "a"), None);
    assert_eq!(index.observe(&key("a"), clocks(0), WAITS), None);
    assert_eq!(index.observe(&key("b"), clocks(0), WAITS), None);
}

#[test]
fn every_endpoint_of_a_resource_is_looked_up_whatever_its_role() {
    let mut index = knowing([holding("a", 1, "recorded"), holding("b", 1, "stored")]);
    index.see_secret(&secret("a", Some("a"), "stored", 1));
    index.local(&key("a"), "a").unwrap().memory.created("in hand".into(), Answer::WithSecret);
    assert!(observe(&mut index, "a").remote.is_empty(), "before the first list");
    list(&mut index, 50, &["stored", "in hand", "another"]);

    let seen = |holders, presence| Remote { presence, holders };
    let expected = [
        ("recorded".into(), seen(Holders::Sole, Presence::Unlisted)),
        ("stored".into(), seen(Holders::Several, endpoint("stored").into())),
        ("in hand".into(), seen(Holders::Sole, endpoint("in hand").into())),
    ];
    let observed = observe(&mut index, "a");
    assert_eq!(observed.remote, expected.into());
    assert_eq!(observed.secret, held("stored"));
    assert_eq!(observed.listed_at, Some(at(50)));
    assert_eq!(observed.timing.call, Duration::from_secs(10));
}

#[test]
fn a_list_that_seems_to_lie_ahead_does_not_count() {
    let mut index = knowing([resource("a", 1)]);
    list(&mut index, 50, &[]);
    assert_eq!(observe_at(&mut index, "a", 49).listed_at, None);
    assert_eq!(observe_at(&mut index, "a", 50).listed_at, Some(at(50)));
}

#[test]
fn nobodys_endpoints_with_the_declared_or_the_attempted_url_may_be_its() {
    let moved = |name: &str| Resource {
        attempt: Some(attempt(name, "https://example.com/old")),
        ..resource(name, 1)
    };
    let mut index = knowing([moved("a"), holding("b", 1, "b's")]);
    index.see_secret(&secret("released", None, "released", 1));
    let token = begin_list(&mut index, at(1)).unwrap();
    let mut items = ["b's", "released", "nobody's", "at the old url", "elsewhere"].map(endpoint);
    items[3].url = "https://example.com/old".into();
    items[4].url = "https://example.com/elsewhere".into();
    index.end_list(&network("a"), token, items.to_vec());

    let candidates = |index: &mut Index<()>, name: &str| {
        let ids = observe(index, name).candidates.into_iter().map(|endpoint| endpoint.id.to_string());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(candidates(&mut index, "a"), ["nobody's", "at the old url"]);
    assert_eq!(candidates(&mut index, "b"), ["b's", "nobody's"]);
    let _ = index.see(Resource { attempt: Some(attempt("a", super::fixtures::URL)), ..resource("a", 2) });
    assert_eq!(candidates(&mut index, "a"), ["nobody's"], "each of them once");
    let intent = Intent::Finalize(Removal::Delete);
    let _ =
        index.see(Resource { intent, ..Resource { resource_version: Some("3".to_owned()), ..moved("a") } });
    assert_eq!(candidates(&mut index, "a"), ["at the old url"], "what was declared is not wanted any more");
}

#[test]
fn whose_a_secret_is() {
    let mut index = knowing([resource("a", 1)]);
    assert_eq!(observe(&mut index, "a").secret, SecretState::Absent);
    index.local(&key("a"), "a").unwrap().secret_write = SecretWrite::Foreign("another".to_owned());
    assert_eq!(observe(&mut index, "a").secret, SecretState::Absent);
    index.local(&key("a"), "a").unwrap().secret_write = SecretWrite::Foreign("a".to_owned());
    assert_eq!(observe(&mut index, "a").secret, SecretState::Foreign);
    index.local(&key("a"), "a").unwrap().begin();
    assert_eq!(observe(&mut index, "a").secret, SecretState::Absent, "it is looked at again");

    let mut former = secret("a", Some("a"), "wh_1", 1);
    former.owner_references.as_mut().unwrap()[0].uid = "another uid".to_owned();
    index.see_secret(&former);
    assert_eq!(observe(&mut index, "a").secret, SecretState::OfFormerResource(holds("wh_1")));
    index.see_secret(&secret("a", Some("b"), "wh_1", 2));
    assert_eq!(observe(&mut index, "a").secret, SecretState::Foreign);
    index.see_secret(&secret("a", None, "wh_1", 3));
    assert_eq!(observe(&mut index, "a").secret, SecretState::Ownerless(holds("wh_1")));
    index.see_secret(&secret("a copy", None, "wh_1", 3));
    assert_eq!(observe(&mut index, "a").secret, SecretState::Foreign, "it can't be told which one counts");
    index.drop_secret("billing", "a copy");
    index.see_secret(&secret("a", Some("a"), "wh_1", 4));
    assert_eq!(observe(&mut index, "a").secret, held("wh_1"));
    index.see_secret(&secret("elsewhere", Some("a"), "wh_2", 5));
    let former = observe(&mut index, "a").former_secrets;
    assert_eq!(
        former.into_iter().map(|(name, secret)| (name, SecretState::Held(secret))).collect::<Vec<_>>(),
        [("elsewhere".to_owned(), held("wh_2"))]
    );
}

#[test]
fn the_status_knows_whose_secret_it_is_when_the_note_on_it_is_gone() {
    let mut noted = resource("a", 1);
    let stored = StoredSecret { name: "a".to_owned(), endpoint_id: "wh_1".to_owned(), stored_at: None };
    noted.status.secret = Some(stored);
    let mut index = knowing([noted]);
    for (name, expected) in [("a", Some("wh_1".into())), ("b", None)] {
        let mut stripped = secret(name, Some("a"), "wh_1", 1);
        stripped.annotations = None;
        index.see_secret(&stripped);
        let observed = observe(&mut index, "a");
        let secrets = observed.former_secrets.get(name).or(observed.held_secret()).unwrap();
        assert_eq!(secrets.endpoint, expected, "{name}");
    }
}

#[test]
fn a_secret_is_to_be_proven_writable_until_a_write_has_shown_it_and_after_a_refusal() {
    let mut index = knowing([resource("a", 1)]);
    let shape = SecretShape::default();
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Unproven);
    index.note_proven("billing", &shape);
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Proven);
    index.local(&key("a"), "a").unwrap().secret_write = SecretWrite::Refused;
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Unproven);
    index.local(&key("a"), "a").unwrap().secret_write = SecretWrite::Usual;
    index.note_refused("billing");
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Unproven);
    index.note_proven("billing", &shape);
    index.forget_namespace("billing");
    assert_eq!(
        observe(&mut index, "a").secret_writes,
        SecretWrites::Unproven,
        "the namespace went meanwhile"
    );
}

#[test]
fn what_was_shown_of_one_secret_says_nothing_of_another_kind() {
    let mut index = knowing([resource("a", 1)]);
    let labels = [("team".to_owned(), "a".to_owned())].into();
    index.note_proven("billing", &SecretShape { labels, ..SecretShape::default() });
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Unproven, "another label");
    index.note_proven("billing", &SecretShape { ownership: Ownership::Note, ..SecretShape::default() });
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Unproven, "another owner");
    index.note_proven("billing", &SecretShape::default());
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Proven);

    // It is written over, and may be immutable.
    index.see_secret(&secret("a", Some("a"), "wh_1", 7));
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Unproven);
    index.local(&key("a"), "a").unwrap().overwrite_proven = Some("7".to_owned());
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Proven);
    index.see_secret(&secret("a", Some("a"), "wh_1", 8));
    assert_eq!(observe(&mut index, "a").secret_writes, SecretWrites::Unproven, "it has changed since");
}

#[test]
fn a_secret_concerns_all_that_want_its_name() {
    let mut index = knowing([
        resource("a", 1),
        Resource { secret_name: "a".to_owned(), ..resource("b", 1) },
        resource("c", 1),
    ]);
    let names = |keys: Vec<crate::index::ResourceKey>| {
        let mut names = keys.into_iter().map(|key| key.name.to_string()).collect::<Vec<_>>();
        names.sort_unstable();
        names
    };
    assert_eq!(names(index.see_secret(&secret("a", None, "wh_1", 1))), ["a", "b"]);
    assert_eq!(names(index.see_secret(&secret("a", Some("c"), "wh_1", 2))), ["a", "b", "c"]);
    let freed = Resource { secret_name: "own".to_owned(), ..resource("b", 2) };
    let _ = index.see(freed);
    assert_eq!(names(index.see_secret(&secret("a", Some("c"), "wh_1", 3))), ["a", "c"]);
    assert_eq!(names(index.see_secret(&secret("own", None, "wh_2", 4))), ["b"]);
    let _ = index.gone(&key("b"), "b");
    assert_eq!(names(index.see_secret(&secret("own", None, "wh_2", 5))), Vec::<String>::new());
}

#[test]
fn a_record_that_was_removed_is_remembered_while_the_create_is_unanswered() {
    let mut index = knowing([resource("a", 1)]);
    let sent = attempt("a", super::fixtures::URL);
    let memory = |index: &mut Index<()>| index.local(&key("a"), "a").unwrap().memory.clone();
    let mut remembered = memory(&mut index);
    remembered.recording(&sent);
    index.local(&key("a"), "a").unwrap().memory = remembered.clone();
    assert_eq!(observe(&mut index, "a").attempt, None, "it may never have been written");
    remembered.sending(at(1));
    index.local(&key("a"), "a").unwrap().memory = remembered;
    let observed = observe(&mut index, "a");
    assert_eq!((observed.record, observed.attempt), (Record::Removed, Some(sent.clone())));
    let _ = index.see(Resource { attempt: Some(sent.clone()), ..resource("a", 2) });
    let observed = observe(&mut index, "a");
    assert_eq!((observed.record, observed.attempt), (Record::Kept, Some(sent)));
}

#[test]
fn the_network_tells_whom_it_admits() {
    let mut index = knowing([resource("a", 1)]);
    let state = |index: &mut Index<()>, access: Access| {
        index.put_network(&network("a"), Entry { access, ..entry("a") });
        match observe(index, "a").network {
            NetworkState::Available(admission) => (admission.refusal, admission.openness),
            NetworkState::Unavailable(unavailable) => panic!("{unavailable}"),
        }
    };
    assert_eq!(state(&mut index, Access::default()), (None, Openness::Open));
    let nobody = || Access { namespaces: Some(AllowedNamespaces::default()), ..Access::default() };
    let refusal = Refusal::Namespace { namespace: "billing".to_owned() };
    assert_eq!(state(&mut index, nobody()), (Some(refusal), Openness::Open));
    let selector = Some(LabelSelector::default());
    let selected = || AllowedNamespaces { names: Vec::new(), selector: selector.clone() };
    let selecting = || Access { namespaces: Some(selected()), ..Access::default() };
    let refusal = Refusal::UnknownNamespace { namespace: "billing".to_owned() };
    assert_eq!(state(&mut index, selecting()), (Some(refusal), Openness::Open));
    assert!(index.see_namespace("billing", [].into()));
    assert!(!index.see_namespace("billing", [].into()), "that is no news");
    assert_eq!(state(&mut index, selecting()), (None, Openness::Open));

    let finalized = Resource { intent: Intent::Finalize(Removal::Delete), ..resource("a", 2) };
    let _ = index.see(finalized);
    let closing = Access { openness: Openness::Closing, ..nobody() };
    assert_eq!(state(&mut index, closing), (None, Openness::Closing), "it may take its endpoint along");
}

#[test]
fn a_network_that_cannot_be_asked_shows_nothing() {
    let mut index = knowing([holding("a", 1, "wh_1")]);
    list(&mut index, 1, &["wh_1"]);
    let unavailable = Unavailable { reason: Reason::NetworkNotReady, message: "gone".to_owned() };
    index.withdraw_network(&network("a"), unavailable.clone());
    let observed = observe(&mut index, "a");
    assert_eq!(observed.network, NetworkState::Unavailable(unavailable));
    assert!(observed.remote.is_empty() && observed.candidates.is_empty());
    assert_eq!(observed.listed_at, None);
    assert_eq!(observed.timing.call, Duration::ZERO);
    let _ = index.see(Resource { intent: Intent::Finalize(Removal::Delete), ..holding("a", 2, "wh_1") });
    assert_eq!(observe(&mut index, "a").remote.len(), 1, "the last credentials serve the deletion");
}

#[test]
fn a_missing_network_is_waited_for_by_what_is_retained_and_not_for_ever() {
    let retained = Resource { intent: Intent::Finalize(Removal::Retain), ..resource("a", 1) };
    let mut index = Index::<()>::default();
    let _ = index.see(retained);
    assert!(!index.all_networks_seen("one kind"));
    assert!(index.all_networks_seen("the other"));
    let start = clocks(0);
    let mut reach = |seconds: u64| {
        let clocks =
            crate::index::Clocks { monotonic: start.monotonic + Duration::from_secs(seconds), ..start };
        index.observe(&key("a"), clocks, WAITS).unwrap().1.reach
    };
    assert_eq!(reach(0), Reach::Open);
    assert_eq!(reach(9), Reach::Open);
    assert_eq!(reach(10), Reach::Shut);
}

#[test]
fn who_asks_for_a_fresh_list_does_not_wait_for_what_was_done_before() {
    let mut index = knowing([resource("a", 1)]);
    let asks = |version, request: &str| Resource {
        list_request: Some(request.to_owned()),
        ..resource("a", version)
    };
    let _ = index.see(asks(2, "first"));
    observe(&mut index, "a");
    for _ in 0..20 {
        let pace = &mut index.local(&key("a"), "a").unwrap().pace;
        pace.did(StepKind::List, Instant::now(), NonZeroU16::MIN);
    }
    let _ = index.see(asks(3, "first"));
    assert_eq!(observe(&mut index, "a").resting.len(), 1, "nothing new is asked for");
    let _ = index.see(asks(4, "second"));
    assert_eq!(observe(&mut index, "a").resting, []);
}
