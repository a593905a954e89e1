//! What may not happen while the operator is denied its Secrets, and may not have happened.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interposer::{Call, Kind, Outcome, Side};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Event;
use secrecy::ExposeSecret as _;
use simulator::{Effect, EndpointId, Ledger, Operation};
use testkit::{Object, World};
use webhook_operator::resources::WebhookEndpoint;

use crate::scene::Scene;

/// The writes of Secrets that were refused, dry runs included.
pub fn refusals(calls: &[Call]) -> usize {
    let refused =
        |call: &&Call| matches!(call.outcome, Outcome::Answered(status) if status.is_client_error());
    calls.iter().filter(|call| writes(call, "secrets")).filter(refused).count()
}

/// The writes to Kubernetes that were no Events and no tries to write a Secret.
pub fn other_writes(calls: &[Call]) -> usize {
    let counted = calls.iter().filter(|call| call.counted && call.side == Side::Kubernetes);
    counted.filter(|call| !writes(call, "secrets")).count()
}

/// The Events that were written.
pub fn events(calls: &[Call]) -> usize {
    calls.iter().filter(|call| writes(call, "events")).count()
}

fn writes(call: &Call, resource: &str) -> bool {
    call.kind == Kind::Mutation && call.resource().is_some_and(|named| named.resource == resource)
}

/// The most endpoints that were live at one time; `gone` are those that somebody else deleted.
pub fn most_live(ledger: &Ledger, gone: &BTreeSet<EndpointId>) -> usize {
    let (mut live, mut most) = (BTreeSet::new(), 0);
    for entry in ledger.entries().iter().filter(|entry| entry.effect == Effect::Applied) {
        let Some(id) = entry.id.as_ref().filter(|id| !gone.contains(*id)) else { continue };
        match entry.operation {
            Operation::Create => live.insert(id.clone()),
            Operation::Delete => live.remove(id),
            _ => false,
        };
        most = most.max(live.len());
    }
    most
}

/// No signing secret is told to those who may not read Secrets: not as it is, not in base64.
pub async fn tells_no_secret(scene: &Scene, logs: &str) -> Result<(), String> {
    let world = &scene.world;
    let told = [
        ("the status", texts::<WebhookEndpoint>(world).await),
        ("an Event", texts::<Event>(world).await),
        ("the log", logs.to_owned()),
    ];
    let ledger = world.simulator.ledger();
    let created = ledger.calls(Operation::Create).filter_map(|entry| entry.id.as_ref());
    for secret in created.filter_map(|id| world.simulator.secret_of(id)) {
        let plain = secret.expose_secret();
        for (where_, text) in &told {
            if text.contains(plain) || text.contains(&STANDARD.encode(plain)) {
                return Err(format!("{where_} tells the signing secret"));
            }
        }
    }
    Ok(())
}

async fn texts<K: Object<Scope = NamespaceResourceScope>>(world: &World) -> String {
    serde_json::to_string(&world.all::<K>().await).expect("JSON")
}
