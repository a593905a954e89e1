//! Credentials, or an API, that lead to another network than before.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use secrecy::ExposeSecret as _;
use serde_json::json;
use simulator::{EndpointId, Fault, FaultKind, NetworkConfig, NewEndpoint, Operation, Simulator};
use testkit::{NETWORK, World, endpoint_id, has_condition, message, patch};
use webhook_operator::resources::WebhookEndpoint;

const NAMES: [&str; 3] = ["e0", "e1", "e2"];

/// Three resources that are Ready, and what was stored for them.
struct Fleet {
    ids: Vec<EndpointId>,
    secrets: Vec<Secret>,
}

async fn fleet(world: &World) -> Fleet {
    let mut fleet = Fleet { ids: Vec::new(), secrets: Vec::new() };
    for name in NAMES {
        fleet.ids.push(endpoint_id(&world.ready_endpoint(name, json!({})).await));
        fleet.secrets.push(world.api::<Secret>().get(name).await.expect("the Secret"));
    }
    world.network_counts(3, 0, 0).await;
    fleet
}

/// Checks that nothing was made or changed anywhere, and no Secret written.
async fn check_untouched(world: &World, fleet: &Fleet) {
    for (name, before) in NAMES.iter().zip(&fleet.secrets) {
        let secret = world.api::<Secret>().get(name).await.expect("the Secret");
        assert_eq!(secret.resource_version(), before.resource_version(), "Secret {name} was written");
    }
    let endpoints = world.endpoints();
    let ids = endpoints.iter().map(|endpoint| &endpoint.id).collect::<Vec<_>>();
    assert!(fleet.ids.iter().all(|id| ids.contains(&id)), "every endpoint is there");
}

/// Checks that all is as it was before somebody slipped, without anybody's doing.
async fn check_back(world: &World, fleet: &Fleet) {
    world.network_ready().await;
    for (name, id) in NAMES.iter().zip(&fleet.ids) {
        let synced = world.condition(name, "Synced", "True", "Available").await;
        assert_eq!(endpoint_id(&synced), *id);
        world.check_secret(&world.ready(name).await, name).await;
    }
    check_untouched(world, fleet).await;
}

/// Another network of the world's API, and its credentials.
fn add_other_network(world: &World) {
    world.simulator.set_network(NetworkConfig::new("n_2").client("other-id", "other-secret"));
}

async fn use_credentials(world: &World, id: &str, secret: &str) {
    let values = json!({ "stringData": { "clientId": id, "clientSecret": secret } });
    patch(&world.operators_secrets(), &world.namespace, values).await;
}

async fn use_others(world: &World) {
    use_credentials(world, "other-id", "other-secret").await;
}

async fn use_own(world: &World) {
    use_credentials(world, "client-id", "client-secret").await;
}

fn somebodys() -> NewEndpoint {
    NewEndpoint::new("https://somebody.example.com").events(["ocpp.message"])
}

/// Waits until the network says so, and returns what it says.
async fn network_says(world: &World, reason: &str) -> String {
    let network = world.network_condition("Ready", "False", reason).await;
    message(&network, "Ready").to_owned()
}

async fn each_is(world: &World, reason: &str) {
    for name in NAMES {
        let resource = world.condition(name, "Synced", "False", reason).await;
        assert!(
            has_condition(&resource, "Ready", "True", "Available"),
            "it was as declared when it was last seen"
        );
    }
}

fn creates(api: &Simulator) -> usize {
    api.ledger().count(Operation::Create)
}

fn nameless() -> FaultKind {
    FaultKind::AlterEndpoint { patch: json!({ "networkId": null }) }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_11_credentials_of_another_network_change_nothing() {
    let mut world = World::with_own_operator("other-network").await;
    let fleet = fleet(&world).await;
    add_other_network(&world);
    world.simulator.insert("n_2", somebodys());
    use_others(&world).await;

    let said = network_says(&world, "NetworkChanged").await;
    for words in ["network \"n_1\"", "network \"n_2\"", "set spec.networkId to \"n_2\""] {
        assert!(said.contains(words), "{said}");
    }
    each_is(&world, "NetworkChanged").await;
    world.endpoint("later", json!({})).await;
    world.condition("later", "Reconciling", "True", "NetworkChanged").await;
    world.ask_to_delete("later").await;
    world.until_deleted("later").await;

    // Nor does another process know better.
    world.operator().kill();
    world.start_operator();
    world.lists(3).await;
    world.endpoint("later", json!({})).await;
    world.condition("later", "Reconciling", "True", "NetworkChanged").await;
    world.lists(6).await;
    assert_eq!(creates(&world.simulator), 3);
    assert_eq!(world.simulator.ledger().writes(), 3);
    check_untouched(&world, &fleet).await;

    use_own(&world).await;
    check_back(&world, &fleet).await;
    world.ready("later").await;
    assert_eq!(world.simulator.ledger().writes(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_11_another_network_that_is_empty_is_known_by_the_first_create_which_is_undone() {
    let world = World::new("empty-network").await;
    let fleet = fleet(&world).await;
    add_other_network(&world);
    use_others(&world).await;

    let said = network_says(&world, "NetworkUnconfirmed").await;
    for words in ["\"n_1\"", "Put the credentials and apiUrl back", "set spec.networkId"] {
        assert!(said.contains(words), "{said}");
    }
    each_is(&world, "NetworkUnconfirmed").await;
    world.lists(7).await;
    assert_eq!(creates(&world.simulator), 3);

    world.endpoint("later", json!({})).await;
    let said = network_says(&world, "NetworkChanged").await;
    assert!(said.contains("network \"n_1\"") && said.contains("network \"n_2\""), "{said}");
    world.condition("later", "Reconciling", "True", "NetworkChanged").await;
    each_is(&world, "NetworkChanged").await;
    assert!(world.simulator.endpoints("n_2").is_empty(), "it was undone");
    assert!(world.api::<Secret>().get_opt("later").await.expect("an answer").is_none(), "and stored nowhere");
    world.lists(3).await;
    assert_eq!(creates(&world.simulator), 4, "nothing follows");
    check_untouched(&world, &fleet).await;

    use_own(&world).await;
    check_back(&world, &fleet).await;
    let later = world.ready("later").await;
    world.check_secret(&later, "later").await;
    assert_eq!(creates(&world.simulator), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_11_another_api_is_left_alone_until_a_person_means_it() {
    let world = World::new("other-api").await;
    let fleet = fleet(&world).await;
    let network = NetworkConfig::new("n_9").client("client-id", "client-secret");
    let other = Simulator::start(simulator::Config::default().network(network)).await.expect("it starts");
    let stranger = other.insert("n_9", somebodys());
    let lead_to = |api: &Simulator| {
        let auth = json!({ "oauth2ClientCredentials": { "tokenUrl": api.token_url() } });
        json!({ "apiUrl": api.base_url(), "auth": auth })
    };
    world.change_network(lead_to(&other)).await;
    network_says(&world, "NetworkChanged").await;
    each_is(&world, "NetworkChanged").await;
    world.change_network(lead_to(&world.simulator)).await;
    check_back(&world, &fleet).await;
    assert_eq!(creates(&world.simulator) + creates(&other), 3);

    world.change_network(lead_to(&other)).await;
    let said = network_says(&world, "NetworkChanged").await;
    assert!(said.contains("set spec.networkId to \"n_9\""), "{said}");
    check_untouched(&world, &fleet).await;
    world.change_network(json!({ "networkId": "n_9" })).await;
    for (name, before) in NAMES.iter().zip(&fleet.ids) {
        let moved = world.until::<WebhookEndpoint>(name, "moved", |found| {
            found.is_some_and(|found| {
                has_condition(found, "Synced", "True", "Available") && endpoint_id(found) != *before
            })
        });
        let id = endpoint_id(&moved.await.expect("it exists"));
        let stored = world.secret_value(name, "secret").await.expect("a secret");
        let truth = other.secret_of(&id).expect("the endpoint is there");
        assert_eq!(stored, truth.expose_secret());
    }
    let network = world.network_ready().await;
    assert_eq!(network.status.and_then(|status| status.network_id).as_deref(), Some("n_9"));
    assert_eq!((creates(&world.simulator), creates(&other)), (3, 3));
    assert_eq!(world.simulator.ledger().effects(Operation::Delete), 0, "nobody asked for that");
    assert!(other.endpoint(&stranger).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn case_11_an_api_that_names_no_network_is_known_by_what_is_held() {
    let world = World::new("nameless").await;
    for operation in [Operation::Create, Operation::Get, Operation::List, Operation::Patch] {
        world.simulator.inject(Fault::on(operation, nameless()).until_cleared());
    }
    let fleet = fleet(&world).await;
    add_other_network(&world);
    use_others(&world).await;
    let said = network_says(&world, "NetworkUnconfirmed").await;
    assert!(said.contains("set spec.networkId to its id, or any name"), "{said}");
    each_is(&world, "NetworkUnconfirmed").await;
    let stranger = world.simulator.insert("n_2", somebodys());
    world.endpoint("later", json!({})).await;
    world.condition("later", "Reconciling", "True", "NetworkUnconfirmed").await;
    world.lists(7).await;
    assert_eq!(creates(&world.simulator), 3);
    check_untouched(&world, &fleet).await;

    use_own(&world).await;
    check_back(&world, &fleet).await;
    world.ready("later").await;
    assert_eq!(creates(&world.simulator), 4);

    use_others(&world).await;
    network_says(&world, "NetworkUnconfirmed").await;
    world.change_network(json!({ "networkId": "ours" })).await;
    world.remotely("the fleet again", |view| view.endpoints(&"n_2".into()).count() == 5).await;
    world.network_ready().await;
    assert!(world.simulator.endpoint(&stranger).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_credentials_of_the_same_network_are_no_other_network() {
    let world = World::new("rotated").await;
    let fleet = fleet(&world).await;
    let both =
        NetworkConfig::new(NETWORK).client("client-id", "client-secret").client("new-id", "new-secret");
    world.simulator.set_network(both);
    let before = transition(&world).await;
    let tokens = world.simulator.ledger().count(Operation::Token);
    use_credentials(&world, "new-id", "new-secret").await;
    world.remotely("a token", |view| view.ledger().count(Operation::Token) > tokens).await;
    world.lists(2).await;
    check_back(&world, &fleet).await;
    assert_eq!(transition(&world).await, before, "it was Ready all the time");

    // And what is missed in it is gone.
    world.simulator.delete(&fleet.ids[0]);
    world.remotely("another endpoint", |view| view.ledger().count(Operation::Create) == 4).await;
    assert_eq!(world.simulator.ledger().writes(), 4);
}

/// Since when the network is Ready.
async fn transition(world: &World) -> Timestamp {
    let network = world.network_ready().await;
    let conditions = network.status.expect("a status").conditions;
    conditions.into_iter().find(|found| found.type_ == "Ready").expect("it is Ready").last_transition_time.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_was_emptied_while_its_credentials_changed_goes_on_when_a_person_says_so() {
    let world = World::new("emptied-rotated").await;
    let id = endpoint_id(&world.ready_endpoint("hook", json!({})).await);
    world.network_counts(1, 0, 0).await;
    let both =
        NetworkConfig::new(NETWORK).client("client-id", "client-secret").client("new-id", "new-secret");
    world.simulator.set_network(both);
    let empty = FaultKind::AlterBody { patch: json!({ "data": { "items": [] } }) };
    world.simulator.inject(Fault::on(Operation::List, empty).until_cleared());
    use_credentials(&world, "new-id", "new-secret").await;
    let said = network_says(&world, "NetworkUnconfirmed").await;
    assert!(said.contains("set spec.networkId to \"n_1\""), "{said}");
    world.simulator.delete(&id);
    world.simulator.clear_faults();
    world.lists(7).await;
    assert_eq!(creates(&world.simulator), 1);
    world.change_network(json!({ "networkId": "n_1" })).await;
    world.remotely("another endpoint", |view| view.ledger().count(Operation::Create) == 2).await;
    world.network_ready().await;
}
