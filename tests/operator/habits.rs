//! The habits of an API, one at a time: what its page leaves open is no drift and no fault, and costs nothing.

use std::time::Duration;

use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::json;
use simulator::{
    BodyForm, CreateAnswer, CreateStatus, DateHeader, DeleteStatus, EmptyList, EventsForm, ExtraFields,
    Fault, FaultKind, FieldForm, Habits, Hold, IdShape, Lag, ListItems, ListOrder, NewEndpoint, Operation,
    PatchAnswer, Point, StatusForm, TimeForm, UrlForm,
};
use testkit::audit::{Mark, Request};
use testkit::{NETWORK, OperatorOptions, World, endpoint_id, message, texts};
use webhook_operator::resources::WebhookEndpoint;

/// What becomes of a create whose answer is lost.
#[derive(Clone, Copy, PartialEq)]
enum Trace {
    /// It is recognised, and undone.
    Recognised,
    /// It is found, and nothing tells when it was made: a person is asked.
    Uncertain,
    /// It looks like nothing that was asked for: it counts as unmanaged.
    Unmanaged,
}

macro_rules! habits {
    ($($name:ident: $trace:ident, $change:expr;)*) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let set = |world: &World| world.simulator.set_habits($change);
            live_with(stringify!($name), Trace::$trace, set).await;
        }
    )* };
}

habits! {
    case_02_times_with_microseconds: Recognised, |h| h.created_at = TimeForm::Microseconds;
    times_of_another_zone: Recognised, |h| h.created_at = TimeForm::Zone;
    times_that_are_numbers: Uncertain, |h| h.created_at = TimeForm::Number;
    times_that_are_null: Uncertain, |h| h.created_at = TimeForm::Null;
    times_that_are_missing: Uncertain, |h| h.created_at = TimeForm::Absent;
    case_10_a_list_of_null: Recognised, |h| h.empty_list = EmptyList::Null;
    a_list_without_items: Recognised, |h| h.empty_list = EmptyList::Absent;
    case_15_a_url_without_its_slash: Recognised, |h| h.url_form = UrlForm::SlashDropped;
    case_15_a_url_with_a_slash_more: Recognised, |h| h.url_form = UrlForm::SlashAdded;
    case_15_a_url_with_escapes_in_capitals: Recognised, |h| h.url_form = UrlForm::UpperEscapes;
    case_15_a_url_with_escapes_in_small_letters: Recognised, |h| h.url_form = UrlForm::LowerEscapes;
    case_15_a_url_as_the_whatwg_writes_it: Recognised, |h| h.url_form = UrlForm::Normalised;
    case_15_a_url_with_its_host_in_capitals: Recognised, |h| h.url_form = UrlForm::UpperHost;
    case_15_a_url_with_its_port: Recognised, |h| h.url_form = UrlForm::WithPort;
    case_15_a_url_with_something_more: Unmanaged, |h| h.url_form = UrlForm::Tagged;
    case_15_a_url_that_only_lists_spell_otherwise: Recognised, |h| {
        (h.url_form, h.create_answer) = (UrlForm::SlashDropped, CreateAnswer::Echo);
    };
    case_23_ids_that_are_numbers: Recognised, |h| h.id_shape = IdShape::Numbers;
    events_in_another_order: Recognised, |h| h.events_form = EventsForm::Reversed;
    events_in_capitals: Recognised, |h| h.events_form = EventsForm::UpperCase;
    events_twice: Recognised, |h| h.events_form = EventsForm::Doubled;
    events_with_one_that_nobody_knows: Recognised, |h| h.events_form = EventsForm::WithUnknown;
    a_status_in_capitals: Recognised, |h| h.status_form = StatusForm::UpperCase;
    a_network_id_that_is_null: Recognised, |h| h.network_id = FieldForm::Null;
    a_network_id_that_is_missing: Recognised, |h| h.network_id = FieldForm::Absent;
    more_fields: Recognised, |h| h.extra_fields = ExtraFields::Some;
    creates_answered_200: Recognised, |h| h.create_status = CreateStatus::Ok;
    creates_answered_202: Recognised, |h| h.create_status = CreateStatus::Accepted;
    patches_answered_204: Recognised, |h| h.patch_answer = PatchAnswer::NoContent;
    patches_answered_with_nothing: Recognised, |h| h.patch_answer = PatchAnswer::Empty;
    deletes_answered_200: Recognised, |h| h.delete_status = DeleteStatus::Ok;
    deletes_answered_202: Recognised, |h| h.delete_status = DeleteStatus::Accepted;
    lists_newest_first: Recognised, |h| h.list_order = ListOrder::NewestFirst;
    lists_in_any_order: Recognised, |h| h.list_order = ListOrder::Shuffled(7);
    lists_with_each_item_twice: Recognised, |h| h.list_items = ListItems::Twice;
    answers_without_a_date: Recognised, |h| h.date_header = DateHeader::Absent;
    answers_in_chunks: Recognised, |h| h.body_form = BodyForm::Chunked;
    answers_that_are_compressed: Recognised, |h| h.body_form = BodyForm::Gzip;
    all_at_once: Recognised, |h: &mut Habits| {
        *h = Habits {
            create_status: CreateStatus::Accepted,
            patch_answer: PatchAnswer::NoContent,
            list_order: ListOrder::NewestFirst,
            list_items: ListItems::Twice,
            empty_list: EmptyList::Null,
            url_form: UrlForm::UpperHost,
            id_shape: IdShape::Numbers,
            events_form: EventsForm::UpperCase,
            status_form: StatusForm::UpperCase,
            created_at: TimeForm::Zone,
            network_id: FieldForm::Absent,
            extra_fields: ExtraFields::Some,
            body_form: BodyForm::Gzip,
            ..Habits::default()
        };
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead() {
    let ahead = |world: &World| world.simulator.set_clock_skew(SignedDuration::from_hours(30));
    live_with("a_clock_that_is_ahead", Trace::Recognised, ahead).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_behind() {
    let behind = |world: &World| world.simulator.set_clock_skew(SignedDuration::from_hours(-30));
    live_with("a_clock_that_is_behind", Trace::Recognised, behind).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_show_late_what_is_written() {
    let late = Lag { list: Some(Hold::For(Duration::from_millis(400))), get: None };
    live_with("lists_that_show_late", Trace::Recognised, |world| world.simulator.set_lag(late)).await;
}

/// The life of some endpoints in a network whose API has a habit.
async fn live_with(name: &str, trace: Trace, set: impl FnOnce(&World)) {
    let name = name.replace('_', "-");
    let mut world = World::with_operator(&name[..name.len().min(40)], OperatorOptions::default()).await;
    set(&world);
    world.add_network(json!({})).await;
    world.network_ready().await;

    let mark = Mark::now();
    for name in ["first", "second"] {
        let resource = world.ready_endpoint(name, declared(name)).await;
        check_stored(&world, &resource, name).await;
    }
    world.lists(2).await;
    let mut writes = world.requests_since(mark);
    writes.retain(|request| request.is_write() && !request.dry_run && request.resource != "events");
    assert_eq!(writes.len(), 6, "three for each create: {:?}", texts(&writes));
    assert_eq!(world.simulator.ledger().writes(), 2);

    let both = json!(["asset.connectivity", "ocpp.message"]);
    world.change("first", json!({ "spec": { "enabledEvents": both } })).await;
    let id = endpoint_id(&world.ready("first").await);
    world.simulator.edit(&id, |endpoint| endpoint.enabled_events = vec!["ocpp.message".to_owned()]);
    let corrected = |view: &simulator::View<'_>| {
        view.endpoint(&id).is_some_and(|endpoint| endpoint.enabled_events.len() == 2)
    };
    world.remotely("the declared events", corrected).await;
    world.ready("first").await;
    world.lists(2).await;
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Patch), ledger.writes()), (2, 4), "a change, and a correction");

    assert!(world.operator().stop(), "it stops with success");
    let (mark, sequence) = (Mark::now(), ledger.last_sequence());
    world.start_operator();
    world.lists(3).await;
    let writes = mark.requests(world.operator()).into_iter().filter(Request::is_write).collect::<Vec<_>>();
    assert_eq!(texts(&writes), Vec::<String>::new(), "a restart rewrites nothing");
    let ledger = world.simulator.ledger().since(sequence);
    assert_eq!((ledger.writes(), ledger.count(Operation::Get)), (0, 0));

    lose_an_answer(&world, trace).await;
    for name in ["first", "second", "third"] {
        world.ask_to_delete(name).await;
    }
    for name in ["first", "second", "third"] {
        world.until_deleted(name).await;
    }
    let left = usize::from(trace == Trace::Unmanaged);
    assert_eq!(world.endpoints().len(), left);
}

fn declared(name: &str) -> serde_json::Value {
    json!({ "url": format!("https://Hooks.Example.com/{name}%2fEvents%7E/") })
}

async fn lose_an_answer(world: &World, trace: Trace) {
    let reset = FaultKind::Reset { point: Point::AfterEffect };
    world.simulator.inject(Fault::on(Operation::Create, reset));
    world.endpoint("third", declared("third")).await;
    if trace == Trace::Uncertain {
        let resource = world.condition("third", "Stalled", "True", "CreateUncertain").await;
        let said = message(&resource, "Stalled").to_owned();
        let named = world.endpoints().into_iter().filter(|endpoint| said.contains(endpoint.id.as_str()));
        let named = named.collect::<Vec<_>>();
        assert_eq!(named.len(), 1, "{said}");
        world.simulator.delete(&named[0].id);
    }
    let resource = world.ready("third").await;
    check_stored(world, &resource, "third").await;
    let left = i64::from(trace == Trace::Unmanaged);
    world.network_counts(3, 0, left).await;
    let ledger = world.simulator.ledger();
    let deleted = usize::from(trace == Trace::Recognised);
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (4, deleted));
}

/// The Secret has the true secret, and the Secret and the status have the URL as the API showed it.
async fn check_stored(world: &World, resource: &WebhookEndpoint, name: &str) {
    let id = endpoint_id(resource);
    let shown = resource.status.as_ref().and_then(|status| status.endpoint.as_ref()).expect("an endpoint");
    let truth = world.simulator.secret_of(&id).expect("every endpoint has a secret");
    let stored =
        [("endpointId", id.as_str()), ("secret", truth.expose_secret()), ("url", shown.url.as_str())];
    for (key, expected) in stored {
        assert_eq!(world.secret_value(name, key).await.as_deref(), Some(expected), "{key} of {id}");
    }
}

/// A slash at the end means something to a receiver: it is another URL when somebody changes it, and an endpoint
/// that somebody made with it before is not ours.
#[tokio::test(flavor = "multi_thread")]
async fn case_15_a_spelling_is_no_licence() {
    let world = World::new("no-licence").await;
    let url = "https://hooks.example.com/charging";
    let theirs =
        world.simulator.insert(NETWORK, NewEndpoint::new(format!("{url}/")).events(["ocpp.message"]));
    world.lists(2).await;
    let reset = FaultKind::Reset { point: Point::AfterEffect };
    world.simulator.inject(Fault::on(Operation::Create, reset));
    let resource = world.ready_endpoint("hook", json!({ "url": url })).await;
    world.check_secret(&resource, "hook").await;
    assert!(world.simulator.endpoint(&theirs).is_some(), "it was there before");
    world.network_counts(1, 0, 1).await;

    world.change("hook", json!({ "spec": { "url": format!("{url}/") } })).await;
    world.condition("hook", "Reconciling", "True", "Replacing").await;
    world.change("hook", json!({ "spec": { "url": url } })).await;
    world.ready("hook").await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 3);
    assert!(world.simulator.endpoint(&theirs).is_some(), "what looks like the trace of that create");
}

/// Two that may be spellings of one another are created one after the other, so that neither is taken for the
/// trace of the other.
#[tokio::test(flavor = "multi_thread")]
async fn resources_that_spell_one_url_differently_do_not_take_each_others_endpoints() {
    let world = World::new("twins").await;
    world.simulator.set_habits(|habits| habits.url_form = UrlForm::SlashDropped);
    let reset = FaultKind::Reset { point: Point::AfterEffect };
    world.simulator.inject(Fault::on(Operation::Create, reset).times(2));
    let url = "https://hooks.example.com/shared";
    world.endpoint("first", json!({ "url": format!("{url}/") })).await;
    world.endpoint("second", json!({ "url": url })).await;
    for (resource, name) in world.all_ready(2).await.iter().zip(["first", "second"]) {
        world.check_secret(resource, name).await;
    }
    world.lists(2).await;
    assert_eq!(world.endpoints().len(), 2);
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (4, 2));
}

/// What is declared is sent to the letter; what the API makes of it may be declared instead.
#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_one_url_is_no_other_url() {
    let world = World::new("respelt").await;
    world.simulator.set_habits(|habits| habits.url_form = UrlForm::SlashDropped);
    let given = "https://Hooks.Example.com:443/a/../events/";
    world.ready_endpoint("hook", json!({ "url": given })).await;
    let sent = |call: &simulator::Entry| call.url.as_deref() == Some(given);
    assert!(world.simulator.ledger().calls(Operation::Create).all(sent));
    for url in ["https://hooks.example.com/events/", "https://hooks.example.com/events", given] {
        world.change("hook", json!({ "spec": { "url": url } })).await;
        world.ready("hook").await;
    }
    assert_eq!(world.simulator.ledger().writes(), 1);
}
