//! The Secret: where it goes, what it looks like, and whose it is.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use simulator::Operation;
use testkit::audit::Mark;
use testkit::{World, delete, endpoint_id, message, patch};
use webhook_operator::resources::WebhookEndpoint;

/// A Secret that somebody else made.
async fn foreign_secret(world: &World, name: &str) -> Secret {
    world.create(json!({ "metadata": { "name": name }, "stringData": { "secret": "theirs" } })).await
}

async fn check_untouched(world: &World, before: &Secret) {
    let after = world.api::<Secret>().get(&before.name_any()).await.expect("the Secret stays");
    assert_eq!(after.resource_version(), before.resource_version(), "it was not written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_secret_is_not_written_and_no_endpoint_is_created() {
    let world = World::new("foreign").await;
    let foreign = foreign_secret(&world, "charge-events").await;
    world.endpoint("charge-events", json!({})).await;
    let resource = world.condition("charge-events", "Stalled", "True", "SecretNotOurs").await;
    assert_eq!(
        message(&resource, "Ready"),
        r#"Secret "charge-events" exists and is not this resource's, so it is left alone: set spec.secret.name to another name, or delete that Secret"#
    );
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().writes(), 0);
    check_untouched(&world, &foreign).await;

    // Once the Secret is gone, this goes on by itself.
    delete(&world.api::<Secret>(), "charge-events").await;
    let resource = world.ready("charge-events").await;
    world.check_secret(&resource, "charge-events").await;
    assert_eq!(world.simulator.ledger().writes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_is_a_way_past_a_foreign_secret() {
    let world = World::new("renamed").await;
    let foreign = foreign_secret(&world, "charge-events").await;
    world.endpoint("charge-events", json!({})).await;
    world.condition("charge-events", "Stalled", "True", "SecretNotOurs").await;

    world.change("charge-events", json!({ "spec": { "secret": { "name": "charge-events-signing" } } })).await;
    let resource = world.ready("charge-events").await;
    world.check_secret(&resource, "charge-events-signing").await;
    check_untouched(&world, &foreign).await;
    assert_eq!(world.simulator.ledger().writes(), 1);
}

/// No dry run shows the foreign Secret: one went before in this namespace.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_whose_secret_turns_out_to_be_foreign_is_deleted_again() {
    let world = World::new("foreign-second").await;
    let first = world.ready_endpoint("first", json!({})).await;
    let foreign = foreign_secret(&world, "second").await;
    world.endpoint("second", json!({})).await;
    world.condition("second", "Stalled", "True", "SecretNotOurs").await;
    world.lists(2).await;

    let left: Vec<_> = world.endpoints().into_iter().map(|endpoint| endpoint.id).collect();
    assert_eq!(left, [endpoint_id(&first)], "no endpoint is left whose secret is stored nowhere");
    let ledger = world.simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.count(Operation::Delete)), (2, 1), "tried once");
    check_untouched(&world, &foreign).await;

    delete(&world.api::<Secret>(), "second").await;
    let second = world.ready("second").await;
    world.check_secret(&second, "second").await;
    world.check_secret(&first, "first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_another_resource_is_foreign_too() {
    let world = World::new("foreign-own").await;
    let first = world.ready_endpoint("first", json!({})).await;
    world.endpoint("second", json!({ "secret": { "name": "first" } })).await;
    world.condition("second", "Stalled", "True", "SecretNotOurs").await;
    world.lists(2).await;
    world.check_secret(&first, "first").await;
    assert_eq!(world.endpoints().len(), 1);
    world.delete("second").await;
    world.check_secret(&first, "first").await;
}

/// Whichever comes first, its Secret stays known as its own.
#[tokio::test(flavor = "multi_thread")]
async fn two_resources_that_want_one_secret_at_once_do_not_take_it_from_each_other() {
    const PAIRS: usize = 6;
    let world = World::new("one-secret").await;
    for pair in 0..PAIRS {
        let spec = json!({ "secret": { "name": format!("shared-{pair}") } });
        let names = ["a", "b"].map(|side| format!("{side}-{pair}"));
        futures::join!(world.endpoint(&names[0], spec.clone()), world.endpoint(&names[1], spec));
    }
    for pair in 0..PAIRS {
        let secret = format!("shared-{pair}");
        let stored = world.until::<Secret>(&secret, "stored", |found| found.is_some()).await;
        let owners = stored.and_then(|secret| secret.metadata.owner_references).expect("it has an owner");
        let loser = if owners[0].name.starts_with('a') { "b" } else { "a" };
        let winner = world.ready(&owners[0].name).await;
        world.condition(&format!("{loser}-{pair}"), "Stalled", "True", "SecretNotOurs").await;
        world.check_secret(&winner, &secret).await;
    }
    world.lists(2).await;
    for pair in 0..PAIRS {
        let secret = world.api::<Secret>().get(&format!("shared-{pair}")).await.expect("it stays");
        let owners = secret.metadata.owner_references.expect("it has an owner");
        let winner = world.ready(&owners[0].name).await;
        world.check_secret(&winner, &format!("shared-{pair}")).await;
    }
    assert_eq!(world.endpoints().len(), PAIRS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_moves_the_secret_the_new_one_first() {
    let world = World::new("moved").await;
    world.ready_endpoint("charge-events", json!({})).await;
    let sequence = world.simulator.ledger().last_sequence();
    let mark = Mark::now();

    world.change("charge-events", json!({ "spec": { "secret": { "name": "signing" } } })).await;
    let resource = world.ready("charge-events").await;
    world.check_secret(&resource, "signing").await;
    world.until_gone(world.api::<Secret>(), "charge-events").await;
    let stored = resource.status.as_ref().and_then(|status| status.secret.as_ref());
    assert_eq!(stored.map(|stored| stored.name.as_str()), Some("signing"));

    world.lists(2).await;
    let mut requests = world.requests_since(mark);
    requests.retain(|request| request.resource == "secrets" && request.is_write());
    let steps: Vec<_> = requests.iter().map(ToString::to_string).collect();
    assert_eq!(steps, ["create secrets signing", "delete secrets charge-events"]);
    assert_eq!(world.simulator.ledger().since(sequence).writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_not_moved_onto_a_foreign_one() {
    let world = World::new("move-foreign").await;
    world.ready_endpoint("charge-events", json!({})).await;
    let foreign = foreign_secret(&world, "taken").await;
    world.change("charge-events", json!({ "spec": { "secret": { "name": "taken" } } })).await;
    let resource = world.condition("charge-events", "Stalled", "True", "SecretNotOurs").await;
    world.check_secret(&resource, "charge-events").await;
    check_untouched(&world, &foreign).await;

    delete(&world.api::<Secret>(), "taken").await;
    let resource = world.ready("charge-events").await;
    world.check_secret(&resource, "taken").await;
    assert_eq!(world.secret_names().await, ["taken"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_annotations_are_followed_and_those_of_others_stay() {
    let world = World::new("dressed").await;
    let dress = |pairs: Value| json!({ "secret": { "labels": pairs, "annotations": pairs } });
    world.ready_endpoint("charge-events", dress(json!({ "one": "1", "two": "2" }))).await;
    let others = json!({ "metadata": { "labels": { "theirs": "x" }, "annotations": { "theirs": "x" } } });
    let secrets = world.api::<Secret>();
    patch(&secrets, "charge-events", others).await;

    let change = json!({ "spec": dress(json!({ "one": null, "two": "22", "three": "3" })) });
    world.change("charge-events", change).await;
    let wanted = [("theirs", "x"), ("three", "3"), ("two", "22")];
    let dressed = |found: Option<&Secret>| {
        found.is_some_and(|secret| {
            let own =
                |key: &str| key.contains("webhookoperator.dev/") || key.starts_with("app.kubernetes.io/");
            let labels = secret.labels().iter().filter(|(key, _)| !own(key));
            let annotations = secret.annotations().iter().filter(|(key, _)| !own(key));
            let pair = |(key, value): (&'static str, &'static str)| (key.to_owned(), value.to_owned());
            let wanted: Vec<_> = wanted.into_iter().map(pair).collect();
            labels.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>() == wanted
                && annotations.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>() == wanted
        })
    };
    world.until::<Secret>("charge-events", "dressed", dressed).await;

    // Somebody changes what is declared: it is set again.
    let meddled =
        json!({ "metadata": { "labels": { "two": "x", "three": null }, "annotations": { "two": null } } });
    patch(&secrets, "charge-events", meddled).await;
    world.until::<Secret>("charge-events", "dressed", dressed).await;

    let resource = world.ready("charge-events").await;
    world.check_secret(&resource, "charge-events").await;
    assert_eq!(world.simulator.ledger().writes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_of_the_same_name_waits_for_its_predecessors_secret_to_be_collected() {
    let world = World::new("successor").await;
    let first = world.ready_endpoint("charge-events", json!({})).await;
    world.delete("charge-events").await;
    // At once: the Secret of the first may still be there.
    let second = world.ready_endpoint("charge-events", json!({})).await;
    assert_ne!(endpoint_id(&first), endpoint_id(&second));
    world.check_secret(&second, "charge-events").await;
    assert_eq!(world.all::<WebhookEndpoint>().await.len(), 1);
    assert_eq!(world.endpoints().len(), 1);
}
