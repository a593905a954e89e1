//! Sending, signing and retrying.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use rand::RngCore;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use secrecy::SecretString;
use serde_json::json;

use super::log::{Attempt, Consequence, DeliveryId, DeliveryState, Outcome};
use super::{DeliveryConfig, Event};
use crate::clock::rfc3339;
use crate::endpoint::{EndpointId, INACTIVE};
use crate::habits::HttpDeliveries;
use crate::signature::{DELIVERY_ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use crate::world::{Shared, World};

/// Sends deliveries.
#[derive(Debug)]
pub(crate) struct Sender {
    client: reqwest::Client,
    /// The waits between attempts, by the API's clock.
    delays: Vec<Duration>,
}

/// One delivery on its way.
struct Dispatch {
    id: DeliveryId,
    endpoint: EndpointId,
    body: Bytes,
}

/// What one attempt needs.
struct Letter {
    url: String,
    secret: SecretString,
    time: Timestamp,
}

impl Sender {
    pub(crate) fn new(config: &DeliveryConfig) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().timeout(config.timeout);
        let client = match &config.ca_pem {
            None => client,
            Some(pem) => client.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem.as_bytes())?),
        };
        let divisor = config.time_divisor.max(1);
        let delays = config.retry_delays.iter().map(|delay| *delay / divisor).collect();
        Ok(Self { client: client.build()?, delays })
    }

    async fn send(&self, letter: Letter, dispatch: &Dispatch) -> Attempt {
        let Letter { url, secret, time } = letter;
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, sign(&secret, time.as_second(), &dispatch.body))
            .header(TIMESTAMP_HEADER, time.as_second())
            .header(DELIVERY_ID_HEADER, dispatch.id.as_str())
            .body(dispatch.body.clone());
        let outcome = match request.send().await {
            Ok(answer) => Outcome::Answered(answer.status().as_u16()),
            Err(error) => Outcome::Unanswered(error.without_url().to_string()),
        };
        Attempt { time, outcome }
    }
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
        let Some(letter) = shared.read(|world| letter(world, &dispatch.endpoint)) else {
            shared.change(|world| world.deliveries.close(&dispatch.id, DeliveryState::Cancelled));
            return;
        };
        let attempt = shared.sender.send(letter, &dispatch).await;
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

fn letter(world: &World, endpoint: &EndpointId) -> Option<Letter> {
    let url = world.store.truth(endpoint)?.url.clone();
    let secret = world.store.secret(endpoint)?.clone();
    Some(Letter { url, secret, time: world.clock.now() })
}
