//! What the API shows otherwise than it was sent.

use super::given::{Given, URL, at, attempt, attempted, both, check, endpoint, ocpp, ready};
use crate::planning::{Action, Attempt, PatchCause, Progress, RecordedEndpoint};
use crate::provider::{Endpoint, EndpointPatch, EventType};

const AS_DECLARED: &str = "Ready: Available";

/// An endpoint whose URL the API shows as another one.
fn shown(url: &str) -> Endpoint {
    Endpoint { url: url.into(), ..endpoint("wh_1", 0) }
}

/// [`ready`], whose status has the endpoint's URL like this.
fn seen(url: &str, requested: Option<&str>) -> Given {
    let seen = RecordedEndpoint {
        url: url.into(),
        requested_url: requested.map(Into::into),
        enabled_events: ocpp(),
        created_at: None,
    };
    ready().with(|observed| observed.recorded.seen = Some(Box::new(seen)))
}

#[test]
fn case_15_a_url_that_is_spelt_otherwise_from_the_first_answer_on_is_the_api_s_habit() {
    const SLASH: &str = "https://hooks.example.com/charging/";
    const TAGGED: &str = "https://hooks.example.com/charging?by=api";
    const OTHER: &str = "https://hooks.example.com/charging?by=another";
    const MOVED: &str = "Stalled: Drifted";
    const CHANGED: &str = "record attempt 2 (Url), inactive, https://hooks.example.com/charging/";
    let declares = |given: Given, url: &'static str| given.desired(|d| d.endpoint.url = url.into());
    let no_attempt = |given: Given| given.with(|o| o.attempt = None);
    check([
        ("the first answer has a slash more", ready().sees(shown(SLASH)), AS_DECLARED),
        ("and every later one", seen(SLASH, Some(URL)).sees(shown(SLASH)), AS_DECLARED),
        ("now with it, now without", seen(URL, None).sees(shown(SLASH)), AS_DECLARED),
        (
            "the record is the status's alone",
            no_attempt(seen(SLASH, Some(URL))).sees(shown(SLASH)),
            AS_DECLARED,
        ),
        ("nothing is on record", no_attempt(ready()).sees(shown(SLASH)), AS_DECLARED),
        ("the slash is declared", declares(seen(URL, None).sees(shown(URL)), SLASH), CHANGED),
        (
            "what the API shows is declared",
            declares(seen(SLASH, Some(URL)).sees(shown(SLASH)), SLASH),
            AS_DECLARED,
        ),
    ]);
    check([
        ("nobody would guess that spelling", ready().sees(shown(TAGGED)), AS_DECLARED),
        ("which is on record", no_attempt(seen(TAGGED, Some(URL))).sees(shown(TAGGED)), AS_DECLARED),
        ("and changes", seen(TAGGED, Some(URL)).sees(shown(OTHER)), MOVED),
        ("it came later", seen(URL, None).sees(shown(TAGGED)), MOVED),
        ("that was told of already", seen(TAGGED, None).sees(shown(TAGGED)), MOVED),
        (
            "another one is declared",
            declares(seen(TAGGED, Some(URL)).sees(shown(TAGGED)), OTHER),
            "record attempt 2 (Url), inactive, https://hooks.example.com/charging?by=another",
        ),
        (
            "and was restored without the record",
            no_attempt(ready()).sees(shown(TAGGED)),
            "record attempt 2 (Url), inactive",
        ),
    ]);
}

#[test]
fn events_that_the_api_adds_from_the_first_answer_on_are_its_habit() {
    let other = |name: &str| EventType::Other(name.to_owned());
    let with = |events: &[&str]| {
        let enabled_events = ocpp().into_iter().chain(events.iter().map(|name| other(name))).collect();
        Endpoint { enabled_events, ..endpoint("wh_1", 0) }
    };
    let first = || ready().with(|o| o.recorded.applied_generation = None);
    let earlier = |events: &[&str]| {
        let seen = RecordedEndpoint {
            url: URL.into(),
            requested_url: None,
            enabled_events: with(events).enabled_events,
            created_at: None,
        };
        ready().with(|o| o.recorded.seen = Some(Box::new(seen)))
    };
    let patched = |given: Given| {
        let patch = EndpointPatch { enabled_events: Some(ocpp()), status: None };
        let patch = Action::Patch { id: "wh_1".into(), patch, cause: PatchCause::Difference };
        given.with(|o| o.previous = Some(patch))
    };
    let both = Endpoint { enabled_events: both(), ..endpoint("wh_1", 0) };
    check([
        ("from the first answer on", first().sees(with(&["ping"])), AS_DECLARED),
        ("and later", earlier(&["ping"]).sees(with(&["ping"])), AS_DECLARED),
        ("no more", earlier(&["ping"]).sees(with(&[])), AS_DECLARED),
        (
            "somebody adds one",
            earlier(&["ping"]).sees(with(&["ping", "boot"])),
            "patch wh_1: events ocpp.message",
        ),
        ("which the API keeps", patched(earlier(&[])).sees(with(&["boot"])), AS_DECLARED),
        ("it adds one that could be declared", first().sees(both), "patch wh_1: events ocpp.message"),
    ]);
}

#[test]
fn a_lost_create_is_recognised_as_the_api_spells_it() {
    const SETTLES: &str = "Reconciling: ResolvingCreate until 130s";
    const SLASH: &str = "https://hooks.example.com/charging/";
    let unanswered = |url: &str| {
        let found = Endpoint { url: url.into(), ..endpoint("wh_1", 92) };
        attempted(Progress::Unanswered(at(95))).finds(found)
    };
    let with = |event: &str| {
        let events = ocpp().into_iter().chain([EventType::Other(event.to_owned())]);
        Endpoint { enabled_events: events.collect(), ..endpoint("wh_1", 92) }
    };
    let known = Attempt { known: ["wh_1".into()].into(), ..attempt(1, 90) };
    check([
        ("with a slash more", unanswered(SLASH), "delete wh_1 (last orphan)"),
        (
            "with an event more",
            attempted(Progress::Unanswered(at(95))).finds(with("ping")),
            "delete wh_1 (last orphan)",
        ),
        ("it was there before", unanswered(SLASH).attempt(known), SETTLES),
        ("it is held", unanswered(SLASH).recorded("wh_1").attempt(attempt(1, 90)), SETTLES),
        (
            "an API that keeps to the letter does not add a slash elsewhere",
            unanswered(SLASH).finds(endpoint("wh_2", 93)),
            "delete wh_2 (last orphan)",
        ),
        (
            "two that differ alike can't be told apart",
            unanswered(SLASH).finds(Endpoint {
                id: "wh_2".into(),
                url: SLASH.into(),
                ..endpoint("wh_2", 93)
            }),
            "Stalled: CreateUncertain",
        ),
    ]);
}
