//! One endpoint takes the place of another, for whatever reason.

mod adoption;
mod causes;
mod costs;
mod lost_secret;
mod minds;
mod overlap;
mod phases;
mod times;

use serde_json::{Value, json};
use simulator::{Effect, EndpointId, Operation};
use testkit::World;
use webhook_operator::resources::{WebhookEndpoint, WebhookEndpointStatus};

/// A rotation that takes its time: nothing takes over, and nothing is deleted, while a test looks.
fn slow() -> Value {
    json!({ "rotation": { "activateAfter": "1h", "retireAfter": "1h" } })
}

/// One that takes over at once, and keeps the old endpoint while a test looks.
fn kept() -> Value {
    json!({ "rotation": { "activateAfter": "0s", "retireAfter": "1h" } })
}

/// One that takes no time.
fn quick() -> Value {
    json!({ "rotation": { "activateAfter": "0s", "retireAfter": "0s" } })
}

/// Asks for another secret.
async fn ask(world: &World, request: &str) {
    let annotation = json!({ "metadata": { "annotations": { "webhookoperator.dev/rotate": request } } });
    world.change("hook", annotation).await;
}

fn status(resource: &WebhookEndpoint) -> WebhookEndpointStatus {
    resource.status.clone().unwrap_or_default()
}

/// Waits until the status of `hook` is so.
async fn until(world: &World, what: &str, is: impl Fn(&WebhookEndpointStatus) -> bool) -> WebhookEndpoint {
    let found =
        world.until::<WebhookEndpoint>("hook", what, |found| found.is_some_and(|found| is(&status(found))));
    found.await.expect("it is there")
}

/// Waits until another endpoint is to take the place of the current one; returns its id.
async fn until_next(world: &World) -> EndpointId {
    let resource = until(world, "replacing its endpoint", |status| status.replacement.is_some()).await;
    status(&resource).replacement.expect("there is one").id.as_str().into()
}

/// Waits until another endpoint than this one is the current one, and all is as declared.
async fn until_replaced(world: &World, former: &EndpointId) -> EndpointId {
    let is_other = |status: &WebhookEndpointStatus| {
        status.replacement.is_none()
            && status.endpoint.as_ref().is_some_and(|current| current.id != former.as_str())
    };
    let resource = until(world, "in the hands of another endpoint", is_other).await;
    world.ready("hook").await;
    testkit::endpoint_id(&resource)
}

/// What was changed remotely since, a line for each.
fn changes(world: &World, sequence: u64) -> Vec<String> {
    let ledger = world.simulator.ledger().since(sequence);
    let writes = ledger.entries().iter().filter(|entry| {
        matches!(entry.operation, Operation::Create | Operation::Patch | Operation::Delete)
            && entry.effect == Effect::Applied
    });
    writes
        .map(|entry| {
            let id = entry.id.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {id} {}", entry.operation, entry.fields.join(",")).trim_end().to_owned()
        })
        .collect()
}

/// The ids and statuses of all endpoints, the oldest first.
fn live(world: &World) -> Vec<(EndpointId, String)> {
    let ledger = world.simulator.ledger();
    let created = ledger.calls(Operation::Create).filter_map(|call| call.id.clone()).collect::<Vec<_>>();
    let mut live = world.endpoints();
    // What is in no ledger was there before.
    live.sort_by_key(|endpoint| created.iter().position(|id| *id == endpoint.id));
    live.into_iter().map(|endpoint| (endpoint.id, endpoint.status)).collect()
}

/// A Secret's value is the secret that signs for an endpoint.
async fn holds(world: &World, secret: &str, key: &str, id: &EndpointId) {
    use secrecy::ExposeSecret as _;
    let truth = world.simulator.secret_of(id).expect("every endpoint had a secret");
    let value = world.secret_value(secret, key).await;
    assert_eq!(
        value.as_deref(),
        Some(truth.expose_secret()),
        "{key} of Secret {secret} is the secret of {id}"
    );
}
