//! The right answer to a call.

use std::convert::Infallible;
use std::io::Write as _;

use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::http_date;
use crate::endpoint::{EndpointId, NetworkId};
use crate::habits::{BodyForm, DateHeader};
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
    /// Whether it tells the time.
    pub(super) date_header: DateHeader,
    /// How its body is sent.
    pub(super) body_form: BodyForm,
}

impl Answer {
    pub(super) fn new(status: StatusCode, body: Value) -> Self {
        Self { body: Some(body), ..Self::empty(status) }
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
            effect: Effect::None,
            id: None,
            network: None,
            date_header: DateHeader::default(),
            body_form: BodyForm::default(),
        }
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
        let body = self.body.map(|body| body.to_string().into_bytes());
        let body_form = if body.is_some() { self.body_form } else { BodyForm::Sized };
        let body = body.map_or_else(Body::empty, |body| match body_form {
            BodyForm::Sized => Body::from(body),
            BodyForm::Chunked => chunked(&body),
            BodyForm::Gzip => Body::from(gzip(&body)),
        });
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !matches!(self.status, StatusCode::NO_CONTENT) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let date = (self.date_header == DateHeader::Sent).then(|| (DATE, http_date(now)));
        let encoding = (body_form == BodyForm::Gzip).then(|| (CONTENT_ENCODING, "gzip".to_owned()));
        for (name, value) in self.headers.into_iter().chain(date).chain(encoding) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

fn chunked(body: &[u8]) -> Body {
    let chunks = body.chunks(16).map(|chunk| Ok::<_, Infallible>(Bytes::copy_from_slice(chunk)));
    Body::from_stream(stream::iter(chunks.collect::<Vec<_>>()))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    // Memory takes all that is written to it.
    let written = zipped.write_all(body).and_then(|()| zipped.finish());
    written.unwrap_or_default()
}
