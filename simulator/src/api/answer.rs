//! The right answer to a call.

use axum::body::Body;
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::http_date;
use crate::endpoint::{EndpointId, NetworkId};
use crate::json::merge;
use crate::ledger::Effect;

/// An answer and what the ledger needs to know about it. It can hold a secret: never show it.
pub(crate) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Option<Value>,
    pub(super) effect: Effect,
    /// The endpoint that was made, if any.
    pub(super) id: Option<EndpointId>,
    /// The network of the credentials, if they were good.
    pub(super) network: Option<NetworkId>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, body: Value) -> Self {
        Self { body: Some(body), ..Self::empty(status) }
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: None, effect: Effect::None, id: None, network: None }
    }

    /// An error. The page shows no error body: this shape is the simulator's own.
    pub(super) fn error(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self::new(status, json!({ "error": { "code": code, "message": message.into() } }))
    }

    /// Says that the call took effect.
    pub(super) fn applied(mut self) -> Self {
        self.effect = Effect::Applied;
        self
    }

    /// Applies a merge patch to each endpoint that the answer shows.
    pub(super) fn alter_endpoints(&mut self, patch: &Value) {
        let Some(data) = self.body.as_mut().and_then(|body| body.get_mut("data")) else { return };
        match data.get_mut("items").and_then(Value::as_array_mut) {
            Some(items) => items.iter_mut().for_each(|item| merge(item, patch)),
            None => merge(data, patch),
        }
    }

    /// Applies a merge patch to the whole body.
    pub(super) fn alter_body(&mut self, patch: &Value) {
        merge(self.body.get_or_insert(Value::Null), patch);
    }

    /// The answer as HTTP, at `now` by the API's clock.
    pub(super) fn render(self, now: Timestamp) -> Response<Body> {
        let body = self.body.map(|body| body.to_string());
        let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !matches!(self.status, StatusCode::NO_CONTENT) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let date = (DATE, http_date(now));
        for (name, value) in self.headers.into_iter().chain([date]) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
