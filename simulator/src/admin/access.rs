//! Tokens, scopes and time.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;

use super::AdminError;
use crate::config::Scopes;
use crate::endpoint::NetworkId;
use crate::handle::Handle;

/// A span of time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span<T> {
    seconds: T,
}

pub(super) async fn set_scopes(
    State(handle): State<Handle>,
    Path(network): Path<NetworkId>,
    scopes: Result<Json<Scopes>, JsonRejection>,
) -> Result<StatusCode, AdminError> {
    handle.set_scopes(network, scopes?.0);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn revoke_tokens(
    State(handle): State<Handle>,
    Path(network): Path<NetworkId>,
) -> StatusCode {
    handle.revoke_tokens(network);
    StatusCode::NO_CONTENT
}

pub(super) async fn advance_clock(
    State(handle): State<Handle>,
    span: Result<Json<Span<u64>>, JsonRejection>,
) -> Result<StatusCode, AdminError> {
    handle.advance_clock(Duration::from_secs(span?.seconds));
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_clock_skew(
    State(handle): State<Handle>,
    span: Result<Json<Span<i64>>, JsonRejection>,
) -> Result<StatusCode, AdminError> {
    handle.set_clock_skew(SignedDuration::from_secs(span?.seconds));
    Ok(StatusCode::NO_CONTENT)
}
