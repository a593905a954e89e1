//! What goes wrong, and how the API behaves.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::AdminError;
use crate::fault::{Fault, FaultId};
use crate::habits::Habits;
use crate::handle::Handle;
use crate::json::merge;
use crate::store::Lag;

pub(super) async fn list(State(handle): State<Handle>) -> Json<Vec<Value>> {
    let shown = |(id, fault, met): (FaultId, &Fault, u64)| json!({ "id": id, "fault": fault, "met": met });
    Json(handle.view(|view| view.faults().map(shown).collect()))
}

pub(super) async fn inject(
    State(handle): State<Handle>,
    given: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), AdminError> {
    let Json(given) = given?;
    let fault: Fault = serde_json::from_value(Value::Object(given.clone()))?;
    // A flattened kind lets serde pass unknown fields, so that a typo would widen the fault.
    let understood = serde_json::to_value(&fault)?;
    if let Some((field, _)) =
        given.iter().find(|(field, value)| !value.is_null() && understood.get(field).is_none())
    {
        return Err(AdminError::Field(field.clone()));
    }
    let id = handle.inject(fault);
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))))
}

pub(super) async fn clear_all(State(handle): State<Handle>) -> StatusCode {
    handle.clear_faults();
    StatusCode::NO_CONTENT
}

pub(super) async fn clear(
    State(handle): State<Handle>,
    Path(id): Path<FaultId>,
) -> Result<StatusCode, AdminError> {
    if handle.clear_fault(id) { Ok(StatusCode::NO_CONTENT) } else { Err(AdminError::Unknown("fault")) }
}

pub(super) async fn release(State(handle): State<Handle>) -> StatusCode {
    handle.release();
    StatusCode::NO_CONTENT
}

pub(super) async fn set_lag(
    State(handle): State<Handle>,
    lag: Result<Json<Lag>, JsonRejection>,
) -> Result<StatusCode, AdminError> {
    handle.set_lag(lag?.0);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn suspend(State(handle): State<Handle>) -> Result<StatusCode, AdminError> {
    handle.suspend().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn resume(State(handle): State<Handle>) -> Result<StatusCode, AdminError> {
    handle.resume().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn habits(State(handle): State<Handle>) -> Json<Habits> {
    Json(handle.habits())
}

pub(super) async fn set_habits(
    State(handle): State<Handle>,
    patch: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Habits>, AdminError> {
    let Json(patch) = patch?;
    let mut habits = serde_json::to_value(handle.habits())?;
    merge(&mut habits, &patch);
    let habits: Habits = serde_json::from_value(habits)?;
    handle.set_habits(|current| *current = habits.clone());
    Ok(Json(habits))
}
