//! The ledger, the endpoints and their deliveries.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::AdminError;
use crate::delivery::{Delivery, DeliveryId, Event};
use crate::endpoint::{Endpoint, EndpointId, NetworkId, NewEndpoint};
use crate::handle::Handle;
use crate::json::merge;
use crate::ledger::Ledger;

/// Which part of the ledger is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct LedgerQuery {
    #[serde(default)]
    since: u64,
}

/// Whose endpoints are asked for.
#[derive(Debug, Deserialize)]
pub(super) struct EndpointsQuery {
    network: Option<NetworkId>,
}

/// What an endpoint is made from, and where.
#[derive(Debug, Deserialize)]
pub(super) struct Insertion {
    network: NetworkId,
    #[serde(flatten)]
    endpoint: NewEndpoint,
}

pub(super) async fn ledger(State(handle): State<Handle>, Query(query): Query<LedgerQuery>) -> Json<Ledger> {
    Json(handle.view(|view| view.ledger().since(query.since)))
}

pub(super) async fn list(
    State(handle): State<Handle>,
    Query(query): Query<EndpointsQuery>,
) -> Json<Vec<Endpoint>> {
    Json(match query.network {
        Some(network) => handle.endpoints(network),
        None => handle.view(|view| view.all_endpoints().cloned().collect()),
    })
}

pub(super) async fn insert(
    State(handle): State<Handle>,
    insertion: Result<Json<Insertion>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), AdminError> {
    let Json(Insertion { network, endpoint }) = insertion?;
    let id = handle.insert(network, endpoint);
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))))
}

pub(super) async fn edit(
    State(handle): State<Handle>,
    Path(id): Path<EndpointId>,
    patch: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Endpoint>, AdminError> {
    let Json(patch) = patch?;
    let endpoint = handle.endpoint(&id).ok_or(AdminError::Unknown("endpoint"))?;
    let mut edited = serde_json::to_value(endpoint)?;
    merge(&mut edited, &patch);
    let edited: Endpoint = serde_json::from_value(edited)?;
    handle.edit(&id, |endpoint| *endpoint = edited).map(Json).ok_or(AdminError::Unknown("endpoint"))
}

pub(super) async fn delete(
    State(handle): State<Handle>,
    Path(id): Path<EndpointId>,
) -> Result<StatusCode, AdminError> {
    done(handle.delete(&id))
}

pub(super) async fn disable(
    State(handle): State<Handle>,
    Path(id): Path<EndpointId>,
) -> Result<StatusCode, AdminError> {
    done(handle.disable(&id))
}

/// A digest is enough to compare with, and gives nothing away.
pub(super) async fn secret_digest(
    State(handle): State<Handle>,
    Path(id): Path<EndpointId>,
) -> Result<Json<Value>, AdminError> {
    let secret = handle.secret_of(&id).ok_or(AdminError::Unknown("endpoint"))?;
    let digest = base16ct::lower::encode_string(&Sha256::digest(secret.expose_secret()));
    Ok(Json(json!({ "sha256": digest })))
}

pub(super) async fn deliveries(State(handle): State<Handle>) -> Json<Vec<Delivery>> {
    Json(handle.deliveries())
}

pub(super) async fn deliver(
    State(handle): State<Handle>,
    event: Result<Json<Event>, JsonRejection>,
) -> Result<(StatusCode, Json<Vec<DeliveryId>>), AdminError> {
    Ok((StatusCode::ACCEPTED, Json(handle.deliver(&event?.0))))
}

fn done(found: bool) -> Result<StatusCode, AdminError> {
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(AdminError::Unknown("endpoint")) }
}
