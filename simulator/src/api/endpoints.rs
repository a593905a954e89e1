//! The five operations.

use std::time::Instant;

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use rand::distr::{Alphanumeric, SampleString};
use rand::{Rng, RngCore};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::validate;
use crate::config::Scopes;
use crate::endpoint::{ACTIVE, Endpoint, EndpointId, NetworkId, NewEndpoint};
use crate::habits::{DuplicateUrls, IdShape};
use crate::operation::Operation;
use crate::store::{PageRequest, Reader, Slip};
use crate::world::World;

/// Does one of the five operations, if the caller may.
pub(super) fn perform(world: &mut World, call: &Call, slip: Slip) -> Answer {
    let network = match authorise(world, call) {
        Ok(network) => network,
        Err(refusal) => return refusal,
    };
    let answer = match (call.operation, &call.id) {
        (Operation::List, _) => list(world, &network, call, slip),
        (Operation::Create, _) => create(world, &network, call),
        (Operation::Get, Some(id)) => get(world, &network, id),
        (Operation::Patch, Some(id)) => patch(world, &network, id, call),
        (Operation::Delete, Some(id)) => delete(world, &network, id),
        _ => unknown(call),
    };
    Answer { network: Some(network), ..answer }
}

/// Answers what is no operation of the API.
pub(super) fn unknown(call: &Call) -> Answer {
    if call.path_exists {
        return Answer::error(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "No such operation on this path",
        );
    }
    Answer::error(StatusCode::NOT_FOUND, "not_found", "No such path")
}

/// Makes an endpoint, whoever asked for it.
pub(crate) fn add(world: &mut World, network: &NetworkId, new: NewEndpoint) -> EndpointId {
    let id = new_id(world);
    let NewEndpoint { url, enabled_events, status } = new;
    let endpoint = Endpoint {
        id: id.clone(),
        network_id: network.clone(),
        url,
        enabled_events,
        status,
        created_at: Some(world.clock.now().to_string()),
        extra: serde_json::Map::new(),
    };
    let secret = format!("whsec_{}", Alphanumeric.sample_string(&mut rand::rng(), 40));
    world.store.insert(endpoint, SecretString::from(secret));
    id
}

fn list(world: &mut World, network: &NetworkId, call: &Call, slip: Slip) -> Answer {
    let request = match validate::list(call) {
        Ok(request) => request,
        Err(message) => return invalid(message),
    };
    let page = PageRequest {
        network,
        after: request.starting_after.as_ref(),
        limit: request.limit,
        slip,
        deleted_cursor: world.habits.deleted_cursor,
    };
    match world.store.page(&page, Instant::now()) {
        Ok(page) => {
            let items: Vec<_> = page.items.into_iter().map(shown).collect();
            Answer::new(StatusCode::OK, json!({ "data": { "items": items, "hasMore": page.has_more } }))
        }
        Err(_) => invalid("startingAfter names no endpoint of this network"),
    }
}

fn create(world: &mut World, network: &NetworkId, call: &Call) -> Answer {
    let request = match validate::create(&call.body) {
        Ok(request) => request,
        Err(message) => return invalid(message),
    };
    let url = world.habits.url_form.stored(request.url);
    if world.habits.duplicate_urls == DuplicateUrls::Conflict && world.store.has_url(network, &url) {
        return Answer::error(StatusCode::CONFLICT, "conflict", "An endpoint with this url exists");
    }
    let status = request.status.unwrap_or_else(|| ACTIVE.to_owned());
    let id = add(world, network, NewEndpoint { url, enabled_events: request.enabled_events, status });
    let mut data = world.store.truth(&id).map_or(Value::Null, shown);
    if let (Some(secret), Some(data)) = (world.store.secret(&id), data.as_object_mut()) {
        data.insert("secret".to_owned(), secret.expose_secret().into());
    }
    Answer { id: Some(id), ..Answer::new(StatusCode::CREATED, json!({ "data": data })).applied() }
}

fn get(world: &mut World, network: &NetworkId, id: &EndpointId) -> Answer {
    let endpoint = world.store.seen(id, Reader::Get, Instant::now());
    match endpoint.filter(|endpoint| endpoint.network_id == *network) {
        Some(endpoint) => Answer::new(StatusCode::OK, json!({ "data": shown(endpoint) })),
        None => not_found(),
    }
}

fn patch(world: &mut World, network: &NetworkId, id: &EndpointId, call: &Call) -> Answer {
    if !belongs(world, network, id) {
        return not_found();
    }
    let request = match validate::patch(&call.body) {
        Ok(request) => request,
        Err(message) => return invalid(message),
    };
    let patched = world.store.edit(id, |endpoint| {
        if let Some(events) = request.enabled_events {
            endpoint.enabled_events = events;
        }
        if let Some(status) = request.status {
            endpoint.status = status;
        }
    });
    let data = patched.map_or(Value::Null, shown);
    Answer::new(StatusCode::OK, json!({ "data": data })).applied()
}

fn delete(world: &mut World, network: &NetworkId, id: &EndpointId) -> Answer {
    if !belongs(world, network, id) {
        return not_found();
    }
    world.store.delete(id);
    Answer::empty(StatusCode::NO_CONTENT).applied()
}

fn authorise(world: &World, call: &Call) -> Result<NetworkId, Answer> {
    let caller =
        call.bearer.as_ref().and_then(|token| world.credentials.caller(token, world.clock.elapsed()));
    let Some(caller) = caller else {
        let mut answer =
            Answer::error(StatusCode::UNAUTHORIZED, "unauthorized", "A good bearer token is required");
        answer.headers.push((WWW_AUTHENTICATE, "Bearer".to_owned()));
        return Err(answer);
    };
    let allowed = match caller.scopes {
        Scopes::None => false,
        Scopes::Read => !call.operation.is_write(),
        Scopes::All => true,
    };
    if allowed {
        return Ok(caller.network);
    }
    let refusal =
        Answer::error(StatusCode::FORBIDDEN, "forbidden", "The token lacks the scope for this operation");
    Err(Answer { network: Some(caller.network), ..refusal })
}

fn belongs(world: &World, network: &NetworkId, id: &EndpointId) -> bool {
    world.store.truth(id).is_some_and(|endpoint| endpoint.network_id == *network)
}

/// An endpoint as answers show it; its fields always serialise.
fn shown(endpoint: &Endpoint) -> Value {
    serde_json::to_value(endpoint).unwrap_or_default()
}

fn new_id(world: &mut World) -> EndpointId {
    loop {
        let id = match world.habits.id_shape {
            IdShape::Numbers => world.rng.next_u32().to_string(),
            IdShape::Mixed if world.rng.random() => format!("wh_{:016x}", world.rng.next_u64()),
            IdShape::Wh => format!("wh_{:016x}", world.rng.next_u64()),
            IdShape::We | IdShape::Mixed => format!("we_{:016x}", world.rng.next_u64()),
        };
        let id = EndpointId::from(id);
        if !world.store.knows(&id) {
            return id;
        }
    }
}

fn not_found() -> Answer {
    Answer::error(StatusCode::NOT_FOUND, "not_found", "No such webhook endpoint")
}

fn invalid(message: impl Into<String>) -> Answer {
    Answer::error(StatusCode::BAD_REQUEST, "invalid_request", message)
}
