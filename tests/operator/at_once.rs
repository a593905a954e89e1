//! Two things that go wrong at once.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use simulator::{EndpointId, Fault, FaultKind, Hold, NetworkConfig, NewEndpoint, Operation, Point};
use testkit::audit::Mark;
use testkit::{World, delete, endpoint_id, message, patch, texts};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint};

async fn use_credentials(world: &World, id: &str, secret: &str) {
    let values = json!({ "stringData": { "clientId": id, "clientSecret": secret } });
    patch(&world.operators_secrets(), &world.namespace, values).await;
}

/// Has the credentials lead to another network of the world's API.
async fn use_others(world: &World) {
    world.simulator.set_network(NetworkConfig::new("n_2").client("other-id", "other-secret"));
    use_credentials(world, "other-id", "other-secret").await;
}

fn restart(world: &mut World) {
    world.operator().kill();
    world.start_operator();
}

/// Nothing is written any more, also after a restart.
async fn costs_nothing(world: &mut World) {
    world.lists(2).await;
    assert!(world.operator().stop(), "it stops with success");
    let (mark, sequence) = (Mark::now(), world.simulator.ledger().last_sequence());
    world.start_operator();
    world.lists(3).await;
    let mut writes = world.requests_since(mark);
    writes.retain(testkit::audit::Request::is_write);
    assert_eq!(texts(&writes), Vec::<String>::new());
    assert_eq!(world.simulator.ledger().since(sequence).writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_hand_is_stored_although_its_resource_was_paused_meanwhile() {
    let mut world = World::with_own_operator("paused-in-hand").await;
    world.network_counts(0, 0, 0).await;
    let slow = FaultKind::Latency { hold: Hold::For(Duration::from_millis(1500)) };
    world.simulator.inject(Fault::on(Operation::Create, slow));
    world.endpoint("hook", json!({})).await;
    world.remotely("a create", |view| view.ledger().count(Operation::Create) == 1).await;
    world.change("hook", json!({ "spec": { "paused": true } })).await;
    world.until::<Secret>("hook", "stored", |found| found.is_some()).await;
    let paused = world.condition("hook", "Synced", "False", "Paused").await;
    world.check_secret(&paused, "hook").await;
    restart(&mut world);
    world.lists(2).await;
    world.change("hook", json!({ "spec": { "paused": false } })).await;
    let resource = world.condition("hook", "Synced", "True", "Available").await;
    world.check_secret(&resource, "hook").await;
    assert_eq!(world.simulator.ledger().writes(), 1);
    costs_nothing(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_create_is_looked_for_in_the_network_in_which_it_was_made() {
    let mut world = World::with_own_operator("lost-elsewhere").await;
    let held = endpoint_id(&world.ready_endpoint("held", json!({})).await);
    world.network_counts(1, 0, 0).await;
    world.simulator.inject(Fault::on(Operation::Create, FaultKind::Hang { point: Point::AfterEffect }));
    let lost = world.endpoint("lost", json!({})).await;
    world.remotely("an endpoint", |view| view.endpoints(&testkit::NETWORK.into()).count() == 2).await;
    // What the other network has looks like it in every way.
    let twin = world.simulator.insert("n_2", NewEndpoint::new(lost.spec.url).events(["ocpp.message"]));
    use_others(&world).await;
    world.network_condition("Ready", "False", "NetworkChanged").await;
    restart(&mut world);
    world.lists(3).await;
    world.condition("lost", "Reconciling", "True", "NetworkChanged").await;
    assert_eq!(world.simulator.ledger().writes(), 2);

    use_credentials(&world, "client-id", "client-secret").await;
    world.network_ready().await;
    let resource = world.ready("lost").await;
    world.check_secret(&resource, "lost").await;
    assert_eq!(endpoint_id(&world.ready("held").await), held);
    assert_eq!((world.endpoints().len(), world.simulator.endpoint(&twin).is_some()), (2, true));
    costs_nothing(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_network_lacks_is_not_confirmed_by_another() {
    let mut world = World::with_own_operator("missing-elsewhere").await;
    world.ready_endpoint("held", json!({})).await;
    let gone = endpoint_id(&world.ready_endpoint("gone", json!({})).await);
    world.network_counts(2, 0, 0).await;
    world.simulator.delete(&gone);
    world.remotely("the first witness", |view| view.ledger().count(Operation::Get) == 1).await;
    use_others(&world).await;
    world.network_condition("Ready", "False", "NetworkUnconfirmed").await;
    world.lists(7).await;
    assert_eq!(world.simulator.ledger().count(Operation::Create), 2);

    use_credentials(&world, "client-id", "client-secret").await;
    let again = world.until::<WebhookEndpoint>("gone", "made again", |found| {
        found.is_some_and(|found| made(found).is_some_and(|id| id != gone))
    });
    world.check_secret(&again.await.expect("it exists"), "gone").await;
    assert_eq!((world.endpoints().len(), world.simulator.endpoints("n_2").len()), (2, 0));
    costs_nothing(&mut world).await;
}

fn made(resource: &WebhookEndpoint) -> Option<EndpointId> {
    Some(resource.status.as_ref()?.endpoint.as_ref()?.id.as_str().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_lost_its_owner_while_another_name_was_declared_is_found_as_the_message_says() {
    let mut world = World::with_own_operator("stripped-renamed").await;
    world.ready_endpoint("hook", json!({})).await;
    assert!(world.operator().stop());
    patch(&world.api::<Secret>(), "hook", json!({ "metadata": { "ownerReferences": null } })).await;
    world.change("hook", json!({ "spec": { "secret": { "name": "new" } } })).await;
    world.start_operator();
    let told = world.condition("hook", "Stalled", "True", "SecretLost").await;
    let told = message(&told, "Stalled");
    assert!(told.contains("in a Secret that has no owner") && !told.contains("delete"), "{told}");

    for name in ["hook", "new"] {
        world.change("hook", json!({ "spec": { "secret": { "name": name } } })).await;
        let resource = world.ready("hook").await;
        world.check_secret(&resource, name).await;
    }
    world.until_gone(world.api::<Secret>(), "hook").await;
    assert_eq!(world.simulator.ledger().writes(), 1);
    costs_nothing(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_while_it_is_uncertain_which_network_it_is_says_how_to_let_it_go() {
    let world = World::new("deleted-elsewhere").await;
    let id = endpoint_id(&world.ready_endpoint("hook", json!({})).await);
    world.network_counts(1, 0, 0).await;
    use_others(&world).await;
    world.network_condition("Ready", "False", "NetworkUnconfirmed").await;
    world.ask_to_delete("hook").await;
    let told = world.condition("hook", "Reconciling", "True", "NetworkUnconfirmed").await;
    let told = message(&told, "Ready");
    assert!(told.contains("set spec.deletionPolicy to Retain"), "{told}");
    world.change("hook", json!({ "spec": { "deletionPolicy": "Retain" } })).await;
    world.until_deleted("hook").await;
    assert!(world.simulator.endpoint(&id).is_some());
    assert_eq!(world.secret_value("hook", "endpointId").await.as_deref(), Some(id.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_goes_although_its_status_is_written_just_then() {
    let world = World::new("status-just-then").await;
    let networks = world.cluster_api::<ClusterWebhookNetwork>();
    let writes = async {
        for number in 0_i64..150 {
            let counts = json!({ "managed": number, "drifted": 0, "unmanaged": 0 });
            let status = Patch::Merge(json!({ "status": { "endpoints": counts } }));
            let written = networks.patch_status(&world.namespace, &PatchParams::default(), &status).await;
            if written.is_err() {
                return;
            }
        }
    };
    tokio::join!(writes, delete(&networks, &world.namespace));
    world.until_gone(networks.clone(), &world.namespace).await;
}
