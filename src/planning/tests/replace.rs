//! Replacing an endpoint.

use std::time::Duration;

use super::given::{Given, at, attempt, both, check, endpoint, holding, ready};
use crate::planning::{
    Attempt, Drift, HeldSecret, Intent, Overlap, Presence, Progress, Purpose, Recorded, Removal, Repetition,
    Role, SecretData, SecretState,
};
use crate::provider::{Endpoint, EndpointStatus};

const AS_DECLARED: &str = "Ready: Available";
const NEW: &str = "https://new.example.com";

fn inactive(id: &str, created: i64) -> Endpoint {
    Endpoint { status: EndpointStatus::Inactive, ..endpoint(id, created) }
}

fn asks(given: Given) -> Given {
    given.desired(|desired| desired.rotate = Some("1".to_owned()))
}

fn off(given: Given) -> Given {
    given.desired(|desired| desired.endpoint.status = EndpointStatus::Inactive)
}

fn elsewhere(given: Given) -> Given {
    given.desired(|desired| desired.endpoint.url = NEW.into())
}

/// Attempt 2, which made the next one at 100 s.
fn second() -> Attempt {
    Attempt {
        status: EndpointStatus::Inactive,
        purpose: Purpose::Requested,
        request: Some("1".to_owned()),
        ..attempt(2, 100)
    }
}

/// A Secret that holds the secret of the next one, beside that of the current one.
fn both_secrets() -> HeldSecret {
    HeldSecret { previous: vec!["wh_1".into()], ..holding("wh_2", 2) }
}

/// [`ready`], of which the secret of a next endpoint was stored, and that not put on record yet.
fn stored() -> Given {
    asks(ready()).attempt(second()).secret(both_secrets()).sees(inactive("wh_2", 100))
}

/// The same, with that put on record at 100 s.
fn waiting() -> Given {
    stored().with(|observed| {
        observed.recorded.endpoints.insert("wh_2".into(), Role::Next);
        observed.recorded.next_since = Some(at(100));
        observed.recorded.resolved_attempt = 2;
    })
}

/// One that has taken the place of `wh_1` at 200 s.
fn replaced() -> Given {
    waiting().at(200).sees(endpoint("wh_2", 100)).sees(inactive("wh_1", 0)).with(|observed| {
        observed.recorded.endpoints =
            [("wh_2".into(), Role::Current), ("wh_1".into(), Role::Retiring { since: at(200) })].into();
        observed.recorded.next_since = None;
        observed.recorded.handled_rotation = Some("1".to_owned());
    })
}

#[test]
fn an_endpoint_is_replaced_for_four_reasons() {
    let interval = |given: Given, seconds| {
        given.desired(|desired| desired.rotation.interval = Some(Duration::from_secs(seconds)))
    };
    check([
        ("somebody asks for it", asks(ready()), "record attempt 2 (Requested), inactive"),
        (
            "and was answered",
            asks(ready()).with(|o| o.recorded.handled_rotation = Some("1".to_owned())),
            AS_DECLARED,
        ),
        (
            "from the first create on",
            asks(ready()).with(|o| o.attempt.as_mut().unwrap().request = Some("1".to_owned())),
            AS_DECLARED,
        ),
        (
            "another URL is declared",
            elsewhere(ready()),
            "record attempt 2 (Url), inactive, https://new.example.com",
        ),
        ("the interval is over", interval(ready(), 99), "record attempt 2 (Interval), inactive"),
        ("it is up to a tenth shorter", interval(ready().at(90), 100), "Ready: Available until 97.300s"),
        (
            "while the old one is there, it waits",
            interval(replaced().at(900), 99),
            "Ready: Available until 1200s",
        ),
        ("what is inactive is replaced, too", off(asks(ready())), "patch wh_1: inactive"),
        (
            "that the API's times are absurd is no reason",
            interval(ready().sees(endpoint("wh_1", -1_000_000_000)), 150),
            "Ready: Available until 145.950s",
        ),
        ("another one holds it, too", asks(ready()).contested("wh_1"), "Stalled: EndpointContested"),
        (
            "what it is told from is put on record first",
            asks(ready()).with(|o| o.recorded = Recorded { resolved_attempt: 1, ..Recorded::default() }),
            "Replacing(AsDeclared): Replacing until 100s",
        ),
    ]);
}

#[test]
fn the_next_one_takes_over_in_its_time_and_in_this_order() {
    let sent = || asks(ready()).attempt(second()).progress(Progress::Unsent);
    let activated = || waiting().at(200).sees(endpoint("wh_2", 100));
    check([
        ("it is created", sent(), "create"),
        (
            "its secret is stored beside the other one",
            sent().in_hand("wh_2", 2, crate::planning::Answer::WithSecret).sees(inactive("wh_2", 100)),
            "store the secret, beside wh_1",
        ),
        ("from now on its time runs", stored(), "Replacing(AsDeclared): Replacing until 200s"),
        ("it has its time", waiting().at(199), "Replacing(AsDeclared): Replacing until 200s"),
        ("it is activated", waiting().at(200), "patch wh_2: active, to take over"),
        ("then the other one is not", activated(), "patch wh_1: inactive, since its place was taken"),
        ("then it has its place", activated().sees(inactive("wh_1", 0)), "Ready: Available until 1200s"),
        ("which is kept a while", replaced(), "Ready: Available until 1200s"),
        ("and deleted", replaced().at(1200), "delete wh_1 (retired)"),
        (
            "and its secret with it",
            replaced().at(1200).misses("wh_1", Presence::Gone),
            "have the Secret hold wh_2",
        ),
    ]);
}

#[test]
fn what_is_inactive_takes_over_without_a_change() {
    let waiting = || off(waiting()).sees(inactive("wh_1", 0));
    check([
        ("it has its time", waiting().at(199), "Replacing(AsDeclared): Replacing until 200s"),
        ("then it has its place", waiting().at(200), "Ready: Available until 1200s"),
    ]);
}

#[test]
fn another_url_is_delivered_to_at_once_and_to_the_old_one_for_a_while() {
    let moved = |given: Given| {
        let next = Endpoint { url: NEW.into(), ..inactive("wh_2", 100) };
        elsewhere(given).attempt(Attempt { url: NEW.into(), ..second() }).sees(next)
    };
    let active = || moved(waiting()).sees(Endpoint { url: NEW.into(), ..endpoint("wh_2", 100) });
    check([
        ("it is activated", moved(stored()), "patch wh_2: active, to take over"),
        ("the old one goes on", active(), "Replacing(Different): Replacing until 200s"),
        ("until it is time", active().at(200), "patch wh_1: inactive, since its place was taken"),
        ("nothing is activated where nothing is to be", off(moved(stored())), "patch wh_1: inactive"),
    ]);
}

#[test]
fn a_change_of_mind_is_followed_and_nothing_piles_up() {
    let gone = |given: Given| given.misses("wh_2", Presence::Gone);
    let back = || gone(waiting().desired(|d| d.rotate = None));
    let undone = |held: HeldSecret| back().secret(held);
    check([
        ("the next one delivers to what is not declared", elsewhere(waiting()), "delete wh_2 (superseded)"),
        (
            "then there is another one",
            elsewhere(gone(waiting())),
            "record attempt 3 (Url), inactive, https://new.example.com",
        ),
        ("or none any more: the Secret goes back", back(), "have the Secret hold wh_1"),
        (
            "once the status knows that the create was answered",
            back().with(|o| o.recorded.resolved_attempt = 1),
            "record that attempt 2 was answered",
        ),
        ("that is all", undone(holding("wh_1", 0)), AS_DECLARED),
        (
            "events",
            waiting().desired(|d| d.endpoint.enabled_events = both()),
            "patch wh_1: events ocpp.message asset.connectivity",
        ),
        (
            "of both",
            waiting()
                .desired(|d| d.endpoint.enabled_events = both())
                .sees(Endpoint { enabled_events: both(), ..endpoint("wh_1", 0) }),
            "patch wh_2: events ocpp.message asset.connectivity",
        ),
        ("status", off(waiting()), "patch wh_1: inactive"),
        (
            "a longer time",
            waiting().at(200).desired(|d| d.rotation.activate_after *= 2),
            "Replacing(AsDeclared): Replacing until 300s",
        ),
        (
            "a shorter time",
            waiting().at(150).desired(|d| d.rotation.activate_after /= 2),
            "patch wh_2: active, to take over",
        ),
        (
            "it is kept longer",
            replaced().at(1200).desired(|d| d.rotation.retire_after *= 2),
            "Ready: Available until 2200s",
        ),
        (
            "the Secret is moved",
            waiting().secret_is(SecretState::Absent).former("old", both_secrets()),
            "copy Secret old",
        ),
        ("all roles go", waiting().removed(Removal::Delete), "delete wh_1 (removed)"),
        (
            "all of them",
            waiting().removed(Removal::Delete).misses("wh_1", Presence::Gone),
            "delete wh_2 (removed)",
        ),
        (
            "the next one goes where the current one is kept",
            waiting().removed(Removal::Retain),
            "delete wh_2 (removed)",
        ),
        ("and its secret", gone(waiting()).removed(Removal::Retain), "have the Secret hold wh_1"),
        (
            "what had its place is told of",
            replaced().secret_is(SecretState::Absent).removed(Removal::Retain).with(|o| {
                o.released.insert("wh_2".into());
            }),
            "remove the finalizer, leaving, beside wh_1",
        ),
    ]);
}

#[test]
fn what_others_do_meanwhile_leaves_no_gap() {
    let lost = |given: Given| given.secret_is(SecretState::Absent);
    let again = |seconds| {
        waiting()
            .at(201)
            .with(|o| o.activations = Some(("wh_2".into(), Repetition { count: 1, at: at(seconds) })))
    };
    let recovering = || {
        let third = Attempt { purpose: Purpose::SecretLost, ..second() };
        waiting().attempt(third).secret(holding("wh_2", 2)).desired(|d| d.rotate = None)
    };
    check([
        (
            "the next one is gone",
            waiting().misses("wh_2", Presence::Gone),
            "record attempt 3 (Requested), inactive",
        ),
        ("it is not listed", waiting().misses("wh_2", Presence::Unlisted), "confirm wh_2"),
        (
            "the current one is: the next one is activated at once",
            waiting().misses("wh_1", Presence::Gone),
            "patch wh_2: active, reactivating",
        ),
        ("somebody activates it early", waiting().sees(endpoint("wh_2", 100)), "patch wh_2: inactive"),
        (
            "though drift is only reported",
            waiting().sees(endpoint("wh_2", 100)).reports_drift(),
            "Replacing(AsDeclared): Replacing until 200s",
        ),
        ("it is set inactive again: patience", again(200), "Replacing(AsDeclared): Deactivated until 260s"),
        ("which ends", again(140), "patch wh_2: active, to take over"),
        ("the Secret is lost", lost(waiting()), "delete wh_2 (superseded)"),
        (
            "then there is another one",
            lost(waiting()).misses("wh_2", Presence::Gone),
            "record attempt 3 (Requested), inactive",
        ),
        (
            "a lost one's goes on until then",
            recovering().at(150),
            "Replacing(Different): Replacing until 200s",
        ),
        ("then the next one is activated", recovering().at(200), "patch wh_2: active, to take over"),
        (
            "somebody activates the old one",
            replaced().sees(endpoint("wh_1", 0)),
            "patch wh_1: inactive, since its place was taken",
        ),
        ("the old one is not listed", replaced().misses("wh_1", Presence::Unlisted), "confirm wh_1"),
        (
            "another resource holds the old one",
            replaced().at(1300).contested("wh_1"),
            "Ready: Available until 1200s",
        ),
        (
            "the status is lost",
            waiting().with(|o| o.recorded = Recorded::default()),
            "Replacing(AsDeclared): Replacing until 200s",
        ),
        (
            "the Secret is that of a backup: the secret is lost",
            replaced().secret(holding("wh_1", 1)),
            "record attempt 3 (SecretLost), inactive",
        ),
    ]);
}

#[test]
fn without_an_overlap_the_old_one_goes_first() {
    let none = |given: Given| given.desired(|d| d.rotation.overlap = Overlap::None);
    let second = || Attempt { status: EndpointStatus::Active, ..second() };
    let recorded = || none(asks(ready())).attempt(second()).progress(Progress::Unsent);
    check([
        ("what is to come is put on record", none(asks(ready())), "record attempt 2 (Requested), active"),
        ("the old one goes", recorded(), "delete wh_1 (replaced)"),
        ("then the new one is made", recorded().misses("wh_1", Presence::Gone), "create"),
        (
            "also where drift is only reported",
            recorded().misses("wh_1", Presence::Gone).desired(|d| d.drift = Drift::Report),
            "create",
        ),
    ]);
}

#[test]
fn a_next_one_is_not_needed_while_the_secret_is_altered() {
    let altered = HeldSecret { data: SecretData::Altered, ..both_secrets() };
    check([("it goes", waiting().secret(altered), "delete wh_2 (superseded)")]);
}

#[test]
fn a_pause_holds_a_replacement() {
    let paused = |given: Given| {
        let Intent::Converge(desired) = given.intent.clone() else { unreachable!("it converges") };
        Given { intent: Intent::Pause(desired), ..given }
    };
    check([
        ("it waits", paused(waiting()), "Paused(AsDeclared): Paused"),
        ("though it is time", paused(waiting().at(300)), "Paused(Different): Paused"),
    ]);
}
