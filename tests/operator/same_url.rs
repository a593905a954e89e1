//! Two resources with the same URL.

use serde_json::json;
use simulator::{DuplicateUrls, Operation};
use testkit::{World, condition, endpoint_id, message};

const URL: &str = "https://hooks.example.com/shared";

#[tokio::test(flavor = "multi_thread")]
async fn each_has_an_endpoint_and_a_secret_of_its_own() {
    let world = World::new("same-url").await;
    world.endpoints_named(["first", "second"].map(str::to_owned), &json!({ "url": URL })).await;
    let both = world.all_ready(2).await;
    assert_ne!(endpoint_id(&both[0]), endpoint_id(&both[1]));
    for (resource, secret) in both.iter().zip(["first", "second"]) {
        world.check_secret(resource, secret).await;
    }
    assert_ne!(world.secret_value("first", "secret").await, world.secret_value("second", "secret").await);

    // One goes, and leaves the other alone.
    world.delete("first").await;
    world.lists(2).await;
    world.check_secret(&both[1], "second").await;
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_api_refuses_it_the_second_says_so_and_goes_on_when_the_first_is_gone() {
    let world = World::new("conflict").await;
    world.simulator.set_habits(|habits| habits.duplicate_urls = DuplicateUrls::Conflict);
    let first = world.ready_endpoint("first", json!({ "url": URL })).await;
    world.endpoint("second", json!({ "url": URL })).await;
    let second = world.condition("second", "Stalled", "True", "Refused").await;
    let told = message(&second, "Ready");
    for part in [
        "cannot create the endpoint: the API refused the request with 409 Conflict: ",
        "An endpoint with this url exists",
        "; if another endpoint has this URL, choose another one, or delete that endpoint and this goes on by itself",
    ] {
        assert!(told.contains(part), "{part:?} in {told:?}");
    }
    assert_eq!(condition(&second, "Reconciling"), None);
    world.lists(2).await;
    world.check_secret(&first, "first").await;
    assert_eq!(world.endpoints().len(), 1);
    assert_eq!(world.secret_names().await, ["first"]);

    world.delete("first").await;
    let second = world.ready("second").await;
    world.check_secret(&second, "second").await;
}
