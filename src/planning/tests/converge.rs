//! Keeping what is held as declared.

use std::time::Duration;

use super::given::{Given, REWRITTEN, at, attempt, both, check, endpoint, holding, new, ready, rewritten};
use crate::planning::{Answer, FreshList, HeldSecret, Presence, Recorded, Repetition, SecretState, StepKind};
use crate::provider::{Endpoint, EndpointStatus};

const AS_DECLARED: &str = "Ready: Available";

fn inactive(id: &str) -> Endpoint {
    Endpoint { status: EndpointStatus::Inactive, ..endpoint(id, 0) }
}

#[test]
fn what_is_as_declared_is_left_alone() {
    check([
        ("all is well", ready(), AS_DECLARED),
        ("the status was lost", ready().with(|o| o.recorded = Recorded::default()), AS_DECLARED),
        ("the attempt was lost", ready().with(|o| o.attempt = None), AS_DECLARED),
        ("others have endpoints with the same URL", ready().finds(endpoint("wh_9", 95)), AS_DECLARED),
    ]);
}

#[test]
fn a_secret_in_hand_comes_first() {
    let hand = || new().attempt(attempt(1, 90)).in_hand("wh_1", 1, Answer::WithSecret);
    let old = || hand().recorded("wh_0").misses("wh_0", Presence::Gone);
    check([
        ("it is stored", hand(), "store the secret"),
        ("in the place of one whose endpoint is gone", old().secret(holding("wh_0", 0)), "store the secret"),
        ("whatever somebody made by hand meanwhile", hand().finds(endpoint("wh_9", 92)), "store the secret"),
        ("before the first list", hand().never_listed(), "store the secret"),
        ("there is none to store", hand().in_hand("wh_1", 1, Answer::WithoutSecret), "delete wh_1 (in hand)"),
        ("the Secret is somebody else's", hand().secret_is(SecretState::Foreign), "delete wh_1 (in hand)"),
        (
            "the Secret is an earlier resource's",
            hand().secret_is(SecretState::OfFormerResource(HeldSecret::default())),
            "delete wh_1 (in hand)",
        ),
    ]);
}

#[test]
fn a_secret_in_hand_that_is_stored_after_all_keeps_its_endpoint() {
    let hand = || ready().in_hand("wh_1", 1, Answer::WithSecret);
    let moved = || hand().former("old", holding("wh_1", 1));
    check([
        ("the answer to the write was lost", hand(), "store the secret"),
        ("and another name is declared since", moved().secret_is(SecretState::Absent), "store the secret"),
        ("which is somebody else's", moved().secret_is(SecretState::Foreign), "Stalled: SecretNotOurs"),
        (
            "what a former Secret holds is another endpoint's",
            hand().former("old", holding("wh_0", 0)).secret_is(SecretState::Foreign),
            "delete wh_1 (in hand)",
        ),
    ]);
}

#[test]
fn a_change_of_the_declaration_is_sent() {
    let changed = || ready().with(|observed| observed.recorded.applied_generation = None);
    let more = |given: Given| given.desired(|desired| desired.endpoint.enabled_events = both());
    let off = |given: Given| given.desired(|desired| desired.endpoint.status = EndpointStatus::Inactive);
    check([
        ("events", more(changed()), "patch wh_1: events ocpp.message asset.connectivity"),
        ("status", off(changed()), "patch wh_1: inactive"),
        ("both", off(more(changed())), "patch wh_1: events ocpp.message asset.connectivity inactive"),
        ("a new status is no drift", changed().sees(inactive("wh_1")), "patch wh_1: active"),
        (
            "though drift is only reported",
            more(changed()).reports_drift(),
            "patch wh_1: events ocpp.message asset.connectivity",
        ),
        (
            "the spelling of the URL, which leads where it did",
            changed().desired(|desired| desired.endpoint.url = REWRITTEN.into()),
            AS_DECLARED,
        ),
        ("none: the API rewrote the URL", ready().sees(rewritten("wh_1", 0)), AS_DECLARED),
        (
            "the URL, which the API can't change",
            changed().desired(|desired| desired.endpoint.url = "https://new.example.com".into()),
            "record attempt 2 (Url), inactive, https://new.example.com",
        ),
    ]);
}

#[test]
fn drift_is_undone_or_reported() {
    let drifted = || ready().sees(Endpoint { enabled_events: both(), ..endpoint("wh_1", 0) });
    let unknown = || {
        ready().sees(Endpoint { status: EndpointStatus::Other("paused".to_owned()), ..endpoint("wh_1", 0) })
    };
    check([
        ("events, corrected", drifted(), "patch wh_1: events ocpp.message"),
        ("events, reported", drifted().reports_drift(), "Drifted: Drifted"),
        ("set inactive", ready().sees(inactive("wh_1")), "patch wh_1: active, reactivating"),
        ("set inactive, reported", ready().sees(inactive("wh_1")).reports_drift(), "Drifted: Drifted"),
        ("a status that this version does not know", unknown(), "patch wh_1: active, reactivating"),
        (
            "set active, where inactive is declared",
            ready().desired(|desired| desired.endpoint.status = EndpointStatus::Inactive),
            "patch wh_1: inactive",
        ),
    ]);
}

#[test]
fn reactivation_is_ever_more_patient() {
    let again = |count| ready().sees(inactive("wh_1")).reactivated(count, 100);
    let changed = again(1).sees(Endpoint { enabled_events: both(), ..inactive("wh_1") });
    check([
        ("a minute after the first", again(1), "Drifted: Deactivated until 160s"),
        ("five after the second", again(2), "Drifted: Deactivated until 400s"),
        ("half an hour after the third", again(3), "Drifted: Deactivated until 1900s"),
        ("two hours after the fourth", again(4), "Drifted: Deactivated until 7300s"),
        ("six hours after the fifth", again(5), "Drifted: Deactivated until 21700s"),
        ("a day after the sixth", again(6), "Drifted: Deactivated until 86500s"),
        ("and never longer", again(60), "Drifted: Deactivated until 86500s"),
        ("then it is reactivated", again(1).at(160), "patch wh_1: active, reactivating"),
        ("its events are corrected meanwhile", changed, "patch wh_1: events ocpp.message"),
    ]);
}

#[test]
fn an_endpoint_is_gone_only_when_it_was_asked_for() {
    let gone = || ready().misses("wh_1", Presence::Gone);
    let missing = || ready().misses("wh_1", Presence::Missing { since: at(100) });
    let fresh = || gone().attempt(attempt(1, 90));
    check([
        ("no list yet", ready().never_listed(), "Reconciling: AwaitingList"),
        ("a list leaves it out", ready().misses("wh_1", Presence::Unlisted), "confirm wh_1"),
        ("nor is it found by its id", missing(), "Reconciling: AwaitingList until 105s"),
        ("another list has to come", missing().at(105), "list"),
        (
            "a gateway says so of a change of it",
            missing().reports_drift(),
            "Reconciling: AwaitingList until 105s",
        ),
        ("it is gone: created again", gone(), "record attempt 2"),
        ("it is gone: reported", gone().reports_drift(), "Drifted: DeletedRemotely"),
        ("it is so fresh that it may not show yet", fresh(), "Reconciling: AwaitingList until 130s"),
        ("it had time to show, and was not listed since", fresh().at(130), "list"),
        ("it had time to show, and does not", fresh().at(131).listed(130), "record attempt 2"),
        ("its Secret is gone too", gone().secret_is(SecretState::Absent), "record attempt 2"),
        (
            "its place was taken by somebody else's Secret",
            gone().secret_is(SecretState::Foreign),
            "Stalled: SecretNotOurs",
        ),
    ]);
}

#[test]
fn a_lost_secret_is_waited_for_and_then_its_endpoint_replaced() {
    let lost = || ready().secret_is(SecretState::Absent);
    let waited_for = |seconds| lost().with(|o| o.grace = Duration::from_secs(seconds));
    let repeated = |count| lost().with(|o| o.recoveries = Some(Repetition { count, at: at(90) }));
    check([
        ("it may come back", waited_for(60), "Reconciling: SecretLost until 161s"),
        ("it does not", lost(), "record attempt 2 (SecretLost), inactive"),
        ("it was lost before", repeated(1), "Reconciling: SecretLost until 150s"),
        ("again and again", repeated(3), "Reconciling: SecretLost until 1890s"),
        ("long enough ago", repeated(1).at(150), "record attempt 2 (SecretLost), inactive"),
        ("no list yet", lost().never_listed(), "Reconciling: AwaitingList"),
        ("the endpoint is not listed", lost().misses("wh_1", Presence::Unlisted), "confirm wh_1"),
        (
            "the endpoint is gone: reported",
            lost().misses("wh_1", Presence::Gone).reports_drift(),
            "Drifted: DeletedRemotely",
        ),
        (
            "the Secret does not tell whose it is, and the status does",
            ready().secret(HeldSecret { endpoint: None, ..holding("", 1) }),
            "verify the Secret",
        ),
    ]);
}

#[test]
fn of_secret_and_status_the_live_endpoint_counts() {
    let newer = || ready().recorded("wh_2");
    check([
        (
            "the status names a live one: the Secret is outdated",
            newer().sees(endpoint("wh_2", 50)),
            "record attempt 2 (SecretLost), inactive",
        ),
        (
            "the status names one that is gone: it is outdated",
            newer().misses("wh_2", Presence::Gone),
            AS_DECLARED,
        ),
        (
            "the status names one that is not listed",
            newer().misses("wh_2", Presence::Unlisted),
            "confirm wh_2",
        ),
        ("no list yet", newer().never_listed(), "Reconciling: AwaitingList"),
    ]);
}

#[test]
fn the_secret_follows_its_declaration() {
    let moved = || ready().secret_is(SecretState::Absent).former("old", holding("wh_1", 1));
    let dressed =
        || HeldSecret { labels: [("team".to_owned(), "a".to_owned())].into(), ..holding("wh_1", 1) };
    check([
        ("another name: the new one is written first", moved(), "copy Secret old"),
        ("then the old one goes", ready().former("old", holding("wh_1", 1)), "delete Secret old"),
        (
            "so does one of an endpoint that is gone",
            ready().former("old", holding("wh_0", 0)).misses("wh_0", Presence::Gone),
            "delete Secret old",
        ),
        (
            "which is looked for first",
            ready().former("old", holding("wh_0", 0)).misses("wh_0", Presence::Unlisted),
            "confirm wh_0",
        ),
        (
            "and found",
            ready().former("old", holding("wh_0", 0)).sees(endpoint("wh_0", 0)),
            "have the Secret hold wh_1, beside wh_0",
        ),
        (
            "nor is one overwritten whose endpoint is there",
            ready().former("old", holding("wh_2", 2)).recorded("wh_2").sees(endpoint("wh_2", 0)),
            "have the Secret hold wh_2, beside wh_1",
        ),
        (
            "one whose endpoint is gone counts less than one whose endpoint is there",
            ready()
                .secret(holding("wh_2", 2))
                .former("old", holding("wh_1", 1))
                .misses("wh_2", Presence::Gone),
            "copy Secret old",
        ),
        (
            "one that does not tell whose it is is looked at",
            moved().secret(HeldSecret { endpoint: None, ..holding("", 9) }),
            "verify the Secret",
        ),
        (
            "the new name is taken by somebody else",
            moved().secret_is(SecretState::Foreign),
            "Stalled: SecretNotOurs",
        ),
        (
            "the new name is taken by an earlier resource",
            moved().secret_is(SecretState::OfFormerResource(HeldSecret::default())),
            "Reconciling: SecretOfFormerResource",
        ),
        ("labels are declared", ready().labelled(&[("team", "a")]), "sync the Secret's metadata"),
        ("labels are as declared", ready().labelled(&[("team", "a")]).secret(dressed()), AS_DECLARED),
        ("labels are declared no more", ready().secret(dressed()), "sync the Secret's metadata"),
        (
            "annotations are declared",
            ready().desired(|desired| {
                desired.secret.annotations.insert("a".to_owned(), "b".to_owned());
            }),
            "sync the Secret's metadata",
        ),
        (
            "nothing of the sort while its endpoint is not there",
            moved().misses("wh_1", Presence::Unlisted),
            "confirm wh_1",
        ),
    ]);
}

#[test]
fn an_endpoint_of_two_resources_is_left_alone() {
    let contested = || ready().contested("wh_1");
    check([
        ("though all is well", contested(), "Stalled: EndpointContested"),
        ("though it differs", contested().sees(inactive("wh_1")), "Stalled: EndpointContested"),
        ("another one is contested", ready().contested("wh_9"), AS_DECLARED),
    ]);
}

#[test]
fn messages_name_what_a_person_has_to_look_at() {
    let cases = [
        (
            ready().secret_is(SecretState::Absent).with(|o| o.grace = Duration::from_mins(1)),
            vec!["wh_1", "charging"],
        ),
        (ready().contested("wh_1"), vec!["wh_1"]),
        (new().secret_is(SecretState::Foreign), vec!["charging", "spec.secret.name"]),
        (ready().sees(inactive("wh_1")).reactivated(1, 100), vec!["wh_1"]),
    ];
    for (given, named) in cases {
        let step = crate::planning::plan(&given.intent, &given.observed, at(100));
        let crate::planning::Step::End(outcome) = step else { panic!("{step:?} is no outcome") };
        for name in named {
            assert!(outcome.message.contains(name), "{name} is missing in {:?}", outcome.message);
        }
    }
}

#[test]
fn case_13_a_list_that_somebody_asked_for_comes_first() {
    let asked = || ready().with(|observed| observed.fresh_list = FreshList::Requested(at(101)));
    check([
        ("others may ask in a moment, too", asked(), "Reconciling: AwaitingList until 101s"),
        ("it is due", asked().at(101), "list"),
        ("a secret in hand is stored before", hand_of(asked().at(101)), "store the secret"),
    ]);
}

fn hand_of(given: Given) -> Given {
    given.attempt(attempt(2, 90)).in_hand("wh_2", 2, Answer::WithSecret).misses("wh_1", Presence::Gone)
}

#[test]
fn what_is_done_again_and_again_is_done_after_a_pause() {
    let rests = |given: Given, kind| given.with(|o| o.resting = vec![(kind, Duration::from_secs(7))]);
    let drifted = || ready().sees(inactive("wh_1"));
    check([
        ("it is time", rests(drifted(), StepKind::Change("wh_2".into())), "patch wh_1: active, reactivating"),
        ("it is not", rests(drifted(), StepKind::Change("wh_1".into())), "Reconciling: BackOff until 107s"),
        (
            "a create is not recorded before it may be sent",
            rests(new(), StepKind::Create),
            "Reconciling: BackOff until 107s",
        ),
        ("nothing else waits for it", rests(ready(), StepKind::Change("wh_1".into())), AS_DECLARED),
    ]);
}
