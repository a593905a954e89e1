//! When the operator believes that an endpoint is gone, and when it does not.

use serde_json::json;
use simulator::{EndpointId, Fault, FaultKind, NewEndpoint, Operation};
use testkit::{NETWORK, World, endpoint_id, has_condition};
use webhook_operator::resources::WebhookEndpoint;

/// Waits until a resource is Ready with another endpoint than this.
async fn another_than(world: &World, name: &str, id: &EndpointId) -> WebhookEndpoint {
    let another = |found: Option<&WebhookEndpoint>| {
        found.is_some_and(|found| {
            has_condition(found, "Ready", "True", "Available") && endpoint_id(found) != *id
        })
    };
    world.until(name, "given another endpoint", another).await.expect("it exists")
}

#[tokio::test(flavor = "multi_thread")]
async fn case_03_a_delete_that_a_gateway_answers_404_lets_go_of_nothing() {
    let world = World::new("delete-404").await;
    for (number, body) in [r#"{"title":"Not Found"}"#, "<html><body>404</body></html>"].iter().enumerate() {
        let name = format!("hook-{number}");
        let id = endpoint_id(&world.ready_endpoint(&name, json!({})).await);
        // Once for the DELETE alone, and once as long as a gateway has no way to the API.
        for operation in [Operation::Delete, Operation::Delete, Operation::Get] {
            world.simulator.inject(Fault::on(operation, FaultKind::status(404, *body)).id(id.as_str()));
        }
        world.delete(&name).await;
        assert!(world.simulator.endpoint(&id).is_none(), "the endpoint went before its resource");
    }
    assert_eq!(world.simulator.ledger().effects(Operation::Delete), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_was_deleted_remotely_does_not_keep_its_resource() {
    let world = World::new("deleted-both").await;
    let id = endpoint_id(&world.ready_endpoint("hook", json!({})).await);
    world.simulator.delete(&id);
    world.delete("hook").await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_22_an_empty_copy_for_a_moment_is_not_believed() {
    let world = World::new("fail-over").await;
    let resource = world.ready_endpoint("hook", json!({})).await;
    world.lists(2).await;
    let empty = FaultKind::AlterBody { patch: json!({ "data": { "items": [], "hasMore": false } }) };
    world.simulator.inject(Fault::on(Operation::List, empty).times(2));
    world.simulator.inject(Fault::on(Operation::Get, FaultKind::status(404, "{}")));
    world.remotely("a question for the endpoint", |view| view.ledger().count(Operation::Get) == 1).await;
    // Longer than what is not found is waited for.
    world.lists(8).await;
    let after = world.ready("hook").await;
    assert_eq!(endpoint_id(&after), endpoint_id(&resource));
    world.check_secret(&after, "hook").await;
    assert_eq!(world.simulator.ledger().writes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_22_many_that_are_gone_share_their_lists() {
    let world = World::without_network("gone-together").await;
    world.add_network(json!({ "resyncInterval": "24h" })).await;
    world.network_ready().await;
    world.endpoints_named((0..30).map(|number| format!("e{number:02}")), &json!({})).await;
    world.all_ready(30).await;
    for endpoint in world.endpoints() {
        world.simulator.delete(&endpoint.id);
    }
    let sequence = world.simulator.ledger().last_sequence();
    let annotations = json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": "now" } } });
    world.change("e00", annotations).await;
    world.remotely("each endpoint again", |view| view.ledger().count(Operation::Create) == 60).await;
    let ledger = world.simulator.ledger().since(sequence);
    let lists = ledger.count(Operation::List);
    // What was asked for, the one a moment later, and one for those that came while that was under way. Each serves all
    // that came before it began, so a busy machine, on which they come further apart, makes a few more of them.
    assert!(lists <= 10, "{lists} lists for 30 resources");
    assert_eq!(ledger.count(Operation::Get), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_while_the_operator_was_away_is_made_again() {
    let mut world = World::with_own_operator("emptied-away").await;
    let id = endpoint_id(&world.ready_endpoint("hook", json!({})).await);
    world.network_counts(1, 0, 0).await;
    world.lists(1).await;
    assert!(world.operator().stop());
    world.simulator.delete(&id);
    world.start_operator();
    world.remotely("another endpoint", |view| view.ledger().count(Operation::Create) == 2).await;
    let resource = another_than(&world, "hook", &id).await;
    world.check_secret(&resource, "hook").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_restored_from_a_backup_gets_back_what_it_lost_and_keeps_what_came_back() {
    let world = World::new("restored-api").await;
    let lost = endpoint_id(&world.ready_endpoint("lost", json!({})).await);
    let deleted = endpoint_id(&world.ready_endpoint("deleted", json!({})).await);
    let former = world.simulator.endpoint(&deleted).expect("the endpoint is there");
    world.delete("deleted").await;
    // The backup is older than one endpoint, and than the deletion of another.
    world.simulator.delete(&lost);
    let back = world.simulator.insert(NETWORK, NewEndpoint::new(former.url).events(["ocpp.message"]));
    let again = another_than(&world, "lost", &lost).await;
    world.check_secret(&again, "lost").await;
    world.network_counts(1, 0, 1).await;
    world.lists(2).await;
    assert!(world.simulator.endpoint(&back).is_some(), "it is reported, and not touched");
}
