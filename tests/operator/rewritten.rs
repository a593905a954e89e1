//! An API that writes URLs its own way.

use serde_json::json;
use simulator::{Fault, FaultKind, Operation, Point, UrlForm};
use testkit::audit::{Mark, Request};
use testkit::{World, texts};

const DECLARED: &str = "https://Hooks.Example.com:443/a/../charge-events";
const REWRITTEN: &str = "https://hooks.example.com/charge-events";

/// A world with an operator of its own and an API that rewrites URLs.
async fn rewriting(name: &str) -> World {
    let world = World::with_own_operator(name).await;
    world.simulator.set_habits(|habits| habits.url_form = UrlForm::Normalised);
    world
}

fn lose_answers(world: &World, count: u64) {
    let reset = FaultKind::Reset { point: Point::AfterEffect };
    world.simulator.inject(Fault::on(Operation::Create, reset).times(count));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_known_again_and_nothing_is_written_twice() {
    let mut world = rewriting("rewritten").await;
    world.endpoint("charge-events", json!({ "url": DECLARED })).await;
    // Nothing but a slash, which many leave out.
    world.endpoint("root", json!({ "url": "https://hooks.example.com" })).await;
    let resource = world.all_ready(2).await.swap_remove(0);
    let remote = world.check_secret(&resource, "charge-events").await;
    assert_eq!(remote.url, REWRITTEN);
    let sent = |declared: &str| {
        let ledger = world.simulator.ledger();
        ledger.calls(Operation::Create).any(|call| call.url.as_deref() == Some(declared))
    };
    assert!(sent(DECLARED) && sent("https://hooks.example.com"), "what is declared is sent to the letter");
    world.lists(2).await;
    world.network_counts(2, 0, 0).await;

    assert!(world.operator().stop());
    let mark = Mark::now();
    world.start_operator();
    world.lists(4).await;
    let writes = mark.requests(world.operator()).into_iter().filter(Request::is_write).collect::<Vec<_>>();
    assert_eq!(texts(&writes), Vec::<String>::new());
    assert_eq!(world.simulator.ledger().writes(), 2, "two creates, and nothing since");

    // Another spelling of the same URL is no other URL.
    world.change("charge-events", json!({ "spec": { "url": REWRITTEN } })).await;
    world.ready("charge-events").await;
    assert_eq!(world.simulator.ledger().writes(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_answer_left_is_found() {
    let world = rewriting("rewritten-lost").await;
    lose_answers(&world, 1);
    let resource = world.ready_endpoint("charge-events", json!({ "url": DECLARED })).await;
    world.check_secret(&resource, "charge-events").await;
    world.lists(2).await;
    assert_eq!(world.endpoints().len(), 1);
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_that_spell_one_url_differently_do_not_take_each_others_endpoints() {
    let world = rewriting("rewritten-twins").await;
    lose_answers(&world, 2);
    world.endpoint("first", json!({ "url": DECLARED })).await;
    world.endpoint("second", json!({ "url": REWRITTEN })).await;
    for (resource, name) in world.all_ready(2).await.iter().zip(["first", "second"]) {
        world.check_secret(resource, name).await;
    }
    world.lists(2).await;
    assert_eq!(world.endpoints().len(), 2);
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (4, 2));
}
