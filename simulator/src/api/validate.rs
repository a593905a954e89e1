//! What the API's page demands of a request.

use serde_json::Value;
use url::Url;

use super::call::{Body, Call};
use crate::endpoint::{ACTIVE, EVENT_TYPES, EndpointId, INACTIVE};

/// The page size without `limit`.
const DEFAULT_LIMIT: usize = 20;

/// The largest page.
const MAX_LIMIT: usize = 100;

/// A create's request.
pub(super) struct CreateRequest {
    pub(super) url: String,
    pub(super) enabled_events: Vec<String>,
    pub(super) status: Option<String>,
}

/// A patch's request.
pub(super) struct PatchRequest {
    pub(super) enabled_events: Option<Vec<String>>,
    pub(super) status: Option<String>,
}

/// A list's request.
pub(super) struct ListRequest {
    pub(super) limit: usize,
    pub(super) starting_after: Option<EndpointId>,
}

pub(super) fn create(body: &Body) -> Result<CreateRequest, String> {
    let body = object(body)?;
    let url = body.get("url").ok_or("url is required")?;
    let url = url.as_str().filter(|url| Url::parse(url).is_ok()).ok_or("url must be a URI")?;
    let events = body.get("enabledEvents").ok_or("enabledEvents is required")?;
    Ok(CreateRequest {
        url: url.to_owned(),
        enabled_events: enabled_events(events)?,
        status: body.get("status").map(status).transpose()?,
    })
}

pub(super) fn patch(body: &Body) -> Result<PatchRequest, String> {
    let body = object(body)?;
    Ok(PatchRequest {
        enabled_events: body.get("enabledEvents").map(enabled_events).transpose()?,
        status: body.get("status").map(status).transpose()?,
    })
}

pub(super) fn list(call: &Call) -> Result<ListRequest, String> {
    let limit = match call.parameter("limit") {
        None => DEFAULT_LIMIT,
        Some(limit) => limit
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or("limit must be a whole number from 1 to 100")?,
    };
    Ok(ListRequest { limit, starting_after: call.parameter("startingAfter").map(EndpointId::from) })
}

fn object(body: &Body) -> Result<&serde_json::Map<String, Value>, String> {
    match body {
        Body::Json(Value::Object(object)) => Ok(object),
        Body::Json(_) | Body::Form(_) | Body::Unreadable => Err("the body must be a JSON object".to_owned()),
    }
}

fn enabled_events(value: &Value) -> Result<Vec<String>, String> {
    let events = value.as_array().ok_or("enabledEvents must be an array")?;
    if events.is_empty() {
        return Err("enabledEvents must not be empty".to_owned());
    }
    events.iter().map(|event| one_of(event, &EVENT_TYPES, "enabledEvents")).collect()
}

fn status(value: &Value) -> Result<String, String> {
    one_of(value, &[ACTIVE, INACTIVE], "status")
}

fn one_of(value: &Value, allowed: &[&str], field: &str) -> Result<String, String> {
    let text = value.as_str().filter(|text| allowed.contains(text));
    text.map(str::to_owned).ok_or_else(|| format!("{field} must be one of {}", allowed.join(", ")))
}
