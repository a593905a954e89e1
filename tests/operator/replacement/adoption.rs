//! An endpoint that exists is taken over.

use k8s_openapi::api::core::v1::Secret;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use simulator::{EndpointId, NewEndpoint, Operation};
use testkit::{NETWORK, World, endpoint_id, message};

use super::{ask, changes, kept, live, quick, slow, until, until_next, until_replaced};

const URL: &str = "https://hooks.example.com/hook";

/// One that somebody made by hand.
fn made(world: &World) -> EndpointId {
    world.simulator.insert(NETWORK, NewEndpoint::new(URL).events(["ocpp.message"]))
}

/// Keeps its secret where somebody has put it.
async fn keep_secret(world: &World, id: &EndpointId, name: &str, key: &str, end: &str) {
    let secret = world.simulator.secret_of(id).unwrap();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
        "stringData": { key: format!("{}{end}", secret.expose_secret()) },
    });
    world.create::<Secret>(secret).await;
}

fn adopts(id: &EndpointId, secret: &Value) -> Value {
    json!({ "adopt": { "endpointId": id.as_str(), "secretRef": secret } })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_whose_secret_is_known_is_taken_over_without_a_change() {
    let world = World::new("adopt").await;
    let id = made(&world);
    keep_secret(&world, &id, "by-hand", "signing", "\n").await;
    let resource =
        world.ready_endpoint("hook", adopts(&id, &json!({ "name": "by-hand", "key": "signing" }))).await;
    assert_eq!(endpoint_id(&resource), id);
    world.check_secret(&resource, "hook").await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().writes(), 0);
    assert_eq!(world.secret_names().await, ["by-hand", "hook"]);
    let source = world.api::<Secret>().get("by-hand").await.unwrap();
    assert_eq!(source.metadata.owner_references, None);
    assert_eq!(source.metadata.managed_fields.unwrap().len(), 1, "nobody else touched it");

    // It is one like any other now: what is declared of adoption is history.
    world
        .change(
            "hook",
            json!({ "spec": { "enabledEvents": ["asset.connectivity"], "rotation": quick()["rotation"] } }),
        )
        .await;
    world.ready("hook").await;
    ask(&world, "1").await;
    let new = until_replaced(&world, &id).await;
    let done = until(&world, "done", |status| status.retiring.is_empty()).await;
    assert_eq!(live(&world), [(new, "active".into())]);
    world.check_secret(&done, "hook").await;
    world.lists(2).await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 1);
}

/// What the manifest goes on to declare is an endpoint that retires, and then one that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_after_a_rotation_does_not_go_back_to_what_was_adopted() {
    let mut world = World::with_own_operator("adopt-restart").await;
    world.network_counts(0, 0, 0).await;
    let id = made(&world);
    keep_secret(&world, &id, "by-hand", "secret", "").await;
    let mut spec = adopts(&id, &json!({ "name": "by-hand" }));
    testkit::merge(&mut spec, kept());
    world.ready_endpoint("hook", spec).await;
    ask(&world, "1").await;
    let new = until_replaced(&world, &id).await;
    for retiring in [kept(), quick()] {
        world.change("hook", json!({ "spec": retiring })).await;
        let still = usize::from(retiring == kept());
        until(&world, "so many retire", |status| status.retiring.len() == still).await;
        world.lists(1).await;
        assert!(world.operator().stop(), "it stops with success");
        let sequence = world.simulator.ledger().last_sequence();
        world.start_operator();
        world.lists(3).await;
        assert_eq!(changes(&world, sequence), [""; 0]);
        assert_eq!(endpoint_id(&world.ready("hook").await), new);
    }
    assert_eq!(live(&world), [(new, "active".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_corrected_and_another_url_is_a_replacement() {
    let world = World::new("adopt-differs").await;
    let id = world
        .simulator
        .insert(NETWORK, NewEndpoint::new("https://old.example.com").events(["asset.connectivity"]));
    keep_secret(&world, &id, "by-hand", "secret", "").await;
    let mut spec = adopts(&id, &json!({ "name": "by-hand" }));
    testkit::merge(&mut spec, quick());
    let resource = world.ready_endpoint("hook", spec).await;
    let done =
        if endpoint_id(&resource) == id { until_replaced(&world, &id).await } else { endpoint_id(&resource) };
    until(&world, "done", |status| status.retiring.is_empty()).await;
    assert_eq!(live(&world), [(done, "active".into())]);
    assert_eq!(world.endpoints()[0].url, URL);
    let patched = changes(&world, 0);
    assert_eq!(patched[0], format!("patch {id} enabledEvents"), "{patched:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_secret_is_said_and_there_are_two_ways_out() {
    let world = World::new("adopt-unknown").await;
    let id = made(&world);
    world
        .endpoint("hook", json!({ "adopt": { "endpointId": id.as_str() }, "rotation": kept()["rotation"] }))
        .await;
    let told = world.condition("hook", "Stalled", "True", "SecretUnknown").await;
    for way in ["spec.adopt.secretRef", "webhookoperator.dev/rotate"] {
        assert!(message(&told, "Ready").contains(way), "{told:?}");
    }
    world.lists(2).await;
    assert_eq!((world.simulator.ledger().writes(), world.secret_names().await.len()), (0, 0));

    // A resource that could not take it over leaves it.
    world.delete("hook").await;
    assert_eq!(live(&world), [(id.clone(), "active".into())]);

    let spec = json!({ "adopt": { "endpointId": id.as_str() }, "rotation": kept()["rotation"] });
    world.endpoint("hook", spec).await;
    world.condition("hook", "Stalled", "True", "SecretUnknown").await;
    ask(&world, "1").await;
    let new = until_replaced(&world, &id).await;
    assert_eq!(live(&world), [(id, "inactive".into()), (new, "active".into())]);
    let resource = world.ready("hook").await;
    world.check_secret(&resource, "hook").await;
    assert_eq!(world.secret_value("hook", "previousSecret").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_comes_later_is_taken_then() {
    let world = World::new("adopt-later").await;
    let id = made(&world);
    world.endpoint("hook", adopts(&id, &json!({ "name": "by-hand" }))).await;
    let told = world.condition("hook", "Stalled", "True", "SecretUnknown").await;
    assert!(message(&told, "Ready").contains(r#"Secret "by-hand""#), "{told:?}");
    keep_secret(&world, &id, "by-hand", "secret", "").await;
    let resource = world.ready("hook").await;
    assert_eq!(endpoint_id(&resource), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_taken_over_is_refused_with_its_own_reason() {
    let world = World::new("adopt-refused").await;
    let held = endpoint_id(&world.ready_endpoint("holder", json!({})).await);
    let adopt = |id: &str| json!({ "adopt": { "endpointId": id, "secretRef": { "name": "by-hand" } } });
    world.endpoint("contested", adopt(held.as_str())).await;
    world.condition("contested", "Stalled", "True", "EndpointContested").await;
    world.endpoint("missing", adopt("wh_nowhere")).await;
    world.condition("missing", "Stalled", "True", "EndpointNotFound").await;
    world.ready("holder").await;
    assert_eq!(world.simulator.ledger().writes(), 1);

    // Two that declare the same: the older one has it.
    let id = made(&world);
    keep_secret(&world, &id, "unknown", "other-key", "").await;
    let unknown = json!({ "adopt": { "endpointId": id.as_str(), "secretRef": { "name": "unknown" } } });
    world.endpoint("older", unknown.clone()).await;
    world.condition("older", "Stalled", "True", "SecretUnknown").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    world.endpoint("younger", unknown).await;
    world.condition("younger", "Stalled", "True", "EndpointContested").await;
    // And the younger one once the older is gone.
    world.delete("older").await;
    world.condition("younger", "Stalled", "True", "SecretUnknown").await;
    assert!(world.simulator.endpoint(&id).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_resource_is_about_to_use_or_has_used_is_not_taken_over() {
    let world = World::new("adopt-roles").await;
    let retiring = endpoint_id(&world.ready_endpoint("hook", kept()).await);
    ask(&world, "1").await;
    until_replaced(&world, &retiring).await;
    world.change("hook", json!({ "spec": slow() })).await;
    ask(&world, "2").await;
    let next = until_next(&world).await;
    let sequence = world.simulator.ledger().last_sequence();
    for (name, id) in [("of-retiring", &retiring), ("of-next", &next)] {
        world.endpoint(name, adopts(id, &json!({ "name": "hook" }))).await;
        world.condition(name, "Stalled", "True", "EndpointContested").await;
        world.delete(name).await;
    }
    assert_eq!(changes(&world, sequence), [""; 0]);
}

/// A declared id is spoken for: it does not look like the trace of anybody's lost create.
#[tokio::test(flavor = "multi_thread")]
async fn a_declared_endpoint_is_nobodys_orphan() {
    let world = World::with_own_operator("adopt-claimed").await;
    world.simulator.inject(
        simulator::Fault::on(
            Operation::Create,
            simulator::FaultKind::Hang { point: simulator::Point::BeforeEffect },
        )
        .until_cleared(),
    );
    world.endpoint("other", json!({ "url": URL })).await;
    world.remotely("a create", |view| view.in_flight(Operation::Create) > 0).await;
    // It looks just like what that create makes.
    let id = made(&world);
    world.endpoint("hook", json!({ "adopt": { "endpointId": id.as_str() } })).await;
    world.condition("hook", "Stalled", "True", "SecretUnknown").await;
    world.simulator.clear_faults();
    world.ready("other").await;
    assert!(world.simulator.endpoint(&id).is_some());
    assert_eq!(world.simulator.ledger().count(Operation::Delete), 0);
}

/// The same manifest, and the Secret that was left: nothing is asked of the API.
#[tokio::test(flavor = "multi_thread")]
async fn retained_and_back() {
    let world = World::new("retained-and-back").await;
    let id = endpoint_id(&world.ready_endpoint("hook", json!({ "deletionPolicy": "Retain" })).await);
    world.delete("hook").await;
    let sequence = world.simulator.ledger().last_sequence();
    let spec = adopts(&id, &json!({ "name": "hook" }));
    let resource = world.ready_endpoint("hook", spec).await;
    assert_eq!(endpoint_id(&resource), id);
    world.check_secret(&resource, "hook").await;

    // And under another name, from the Secret that stays.
    world.change("hook", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    world.ready("hook").await;
    world.delete("hook").await;
    let mut spec = adopts(&id, &json!({ "name": "hook" }));
    testkit::merge(&mut spec, json!({ "url": URL }));
    let renamed = world.ready_endpoint("renamed", spec).await;
    assert_eq!(endpoint_id(&renamed), id);
    world.check_secret(&renamed, "renamed").await;
    assert_eq!(world.secret_names().await, ["hook", "renamed"]);
    assert_eq!(changes(&world, sequence), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_in_another_network_is_said_to_be_there() {
    let world = World::new("adopt-elsewhere").await;
    let id = made(&world);
    world.simulator.set_network(simulator::NetworkConfig::new("n_other").client("other", "s"));
    world.store_credentials("other", json!({ "clientId": "other", "clientSecret": "s" })).await;
    world.add_cluster_network("other", json!({})).await;
    world.cluster_network("other", "Ready", "True", "Available").await;
    world.endpoint_of("other", "hook", json!({ "adopt": { "endpointId": id.as_str() } })).await;
    let told = world.condition("hook", "Stalled", "True", "EndpointInAnotherNetwork").await;
    assert!(message(&told, "Ready").contains(&world.namespace), "{told:?}");
}
