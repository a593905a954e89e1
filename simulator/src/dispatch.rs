//! Events on their way: to whom they go, and each delivery up to its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngCore;
use serde_json::json;

use crate::clock::rfc3339;
use crate::delivery::{Consequence, DeliveryId, DeliveryState, Event, Letter};
use crate::endpoint::{EndpointId, INACTIVE};
use crate::habits::HttpDeliveries;
use crate::world::{Shared, World};

/// One delivery on its way.
struct Dispatch {
    id: DeliveryId,
    endpoint: EndpointId,
    body: Bytes,
}

/// Sends an event to every endpoint that is to hear of it; gives the deliveries' ids.
pub(crate) fn deliver(shared: &Arc<Shared>, event: &Event) -> Vec<DeliveryId> {
    let dispatches = shared.change(|world| address(world, event));
    let ids = dispatches.iter().map(|dispatch| dispatch.id.clone()).collect();
    for dispatch in dispatches {
        let shared = Arc::clone(shared);
        tokio::spawn(async move { shared.stop.run_until_cancelled(run(&shared, dispatch)).await });
    }
    ids
}

fn address(world: &mut World, event: &Event) -> Vec<Dispatch> {
    let event_id = format!("evt_{:016x}", world.rng.next_u64());
    let created_at = rfc3339(world.clock.now());
    let body = json!({
        "id": event_id, "type": event.event_type, "createdAt": created_at, "data": event.data,
    });
    let body = Bytes::from(body.to_string());
    let https_only = world.habits.http_deliveries == HttpDeliveries::Withhold;
    let receivers: Vec<_> = world
        .store
        .endpoints(&event.network)
        .filter(|endpoint| endpoint.receives(&event.event_type))
        .filter(|endpoint| !https_only || endpoint.url.starts_with("https:"))
        .map(|endpoint| endpoint.id.clone())
        .collect();
    let dispatch = |endpoint: EndpointId| Dispatch {
        id: world.deliveries.open(endpoint.clone(), &event_id, &event.event_type),
        endpoint,
        body: body.clone(),
    };
    receivers.into_iter().map(dispatch).collect()
}

/// Attempts a delivery until it arrives or nothing is left to try. An endpoint that was set inactive
/// meanwhile still gets its retries; one that was deleted does not.
async fn run(shared: &Shared, dispatch: Dispatch) {
    for delay in std::iter::once(&Duration::ZERO).chain(&shared.sender.delays) {
        shared.pass(*delay).await;
        let Some(letter) = shared.read(|world| letter(world, &dispatch)) else {
            shared.change(|world| world.deliveries.close(&dispatch.id, DeliveryState::Cancelled));
            return;
        };
        let attempt = shared.sender.send(letter).await;
        let arrived = attempt.outcome.arrived();
        shared.change(|world| {
            if world.deliveries.attempted(&dispatch.id, attempt) == Consequence::Disable {
                world.store.edit(&dispatch.endpoint, |endpoint| INACTIVE.clone_into(&mut endpoint.status));
            }
        });
        if arrived {
            return;
        }
    }
    shared.change(|world| world.deliveries.close(&dispatch.id, DeliveryState::Exhausted));
}

fn letter<'a>(world: &World, dispatch: &'a Dispatch) -> Option<Letter<'a>> {
    let url = world.store.truth(&dispatch.endpoint)?.url.clone();
    let secret = world.store.secret(&dispatch.endpoint)?.clone();
    Some(Letter { id: &dispatch.id, url, secret, time: world.clock.now(), body: dispatch.body.clone() })
}
