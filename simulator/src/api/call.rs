//! One request, read and taken apart.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use secrecy::SecretString;
use serde_json::Value;

use super::answer::Answer;
use crate::endpoint::EndpointId;
use crate::operation::{Operation, Target};

/// The largest request body accepted, in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// One request. It can hold credentials: never show it.
pub(crate) struct Call {
    pub(super) operation: Operation,
    pub(super) id: Option<EndpointId>,
    /// Whether the path exists, so that an unknown operation is one of method.
    pub(super) path_exists: bool,
    pub(super) query: Vec<(String, String)>,
    pub(super) bearer: Option<SecretString>,
    /// Id and secret of the OAuth client that authenticates itself in the header.
    pub(super) basic: Option<(String, SecretString)>,
    pub(super) body: Body,
    /// The URL of a create, as given.
    pub(super) url: Option<String>,
    /// The names of the fields of a create or patch.
    pub(super) fields: Vec<String>,
}

/// A request's body.
pub(super) enum Body {
    Json(Value),
    Form(Vec<(String, String)>),
    Unreadable,
}

impl Call {
    /// Reads a request to its end.
    pub(crate) async fn read(request: Request<Incoming>) -> Result<Self, Answer> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| {
            Answer::error(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body could not be read to its end")
        })?;
        let body = Body::of(&parts.headers, &body.to_bytes());
        let Target { operation, id, path_exists } = Target::of(&parts.method, parts.uri.path());
        let url = match operation {
            Operation::Create => body.text("url"),
            _ => None,
        };
        let fields = match operation {
            Operation::Create | Operation::Patch => body.fields(),
            _ => Vec::new(),
        };
        Ok(Self {
            operation,
            id,
            path_exists,
            query: query(parts.uri.query().unwrap_or_default()),
            bearer: authorization(&parts.headers, "bearer").map(Into::into),
            basic: authorization(&parts.headers, "basic").and_then(basic),
            body,
            url,
            fields,
        })
    }

    /// The endpoint after which the page of a list is to begin.
    pub(super) fn cursor(&self) -> Option<EndpointId> {
        let cursor = self.parameter("startingAfter").map(EndpointId::from);
        cursor.filter(|_| self.operation == Operation::List)
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The OAuth client that asks for a token.
    pub(super) fn client_id(&self) -> Option<String> {
        self.basic.as_ref().map(|(id, _)| id.clone()).or_else(|| self.body.text("client_id"))
    }
}

impl Body {
    fn of(headers: &HeaderMap, bytes: &Bytes) -> Self {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/x-www-form-urlencoded") {
            return Self::Form(url::form_urlencoded::parse(bytes).into_owned().collect());
        }
        serde_json::from_slice(bytes).map_or(Self::Unreadable, Self::Json)
    }

    /// A text field of a JSON object or a form.
    pub(super) fn text(&self, field: &str) -> Option<String> {
        match self {
            Self::Json(value) => value.get(field)?.as_str().map(str::to_owned),
            Self::Form(fields) => {
                fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone())
            }
            Self::Unreadable => None,
        }
    }

    /// The names of a JSON object's fields, in alphabetical order.
    fn fields(&self) -> Vec<String> {
        match self {
            Self::Json(Value::Object(object)) => {
                let mut names: Vec<String> = object.keys().cloned().collect();
                names.sort_unstable();
                names
            }
            Self::Json(_) | Self::Form(_) | Self::Unreadable => Vec::new(),
        }
    }
}

fn query(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// What the header `Authorization` says, if it is of this scheme.
fn authorization(headers: &HeaderMap, expected: &str) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, value) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case(expected).then(|| value.trim().to_owned())
}

/// RFC 6749, section 2.3.1: both parts are encoded like a form, and then as RFC 7617 has it.
fn basic(encoded: String) -> Option<(String, SecretString)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        let pair = format!("x={part}");
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?.into()))
}
