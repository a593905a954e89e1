//! What a call can be.

use std::fmt;

use http::Method;
use serde::{Deserialize, Serialize};

use crate::endpoint::EndpointId;

/// The path that every operation on endpoints stands under.
pub(crate) const BASE_PATH: &str = "/webhooks/v1";

/// The path of the collection, below the base path.
const COLLECTION: &str = "/webhook-endpoints";

/// The path of the OAuth token endpoint.
pub(crate) const TOKEN_PATH: &str = "/oauth/token";

/// The operation that a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `GET /webhook-endpoints`
    List,
    /// `GET /webhook-endpoints/{id}`
    Get,
    /// `POST /webhook-endpoints`
    Create,
    /// `PATCH /webhook-endpoints/{id}`
    Patch,
    /// `DELETE /webhook-endpoints/{id}`
    Delete,
    /// `POST /oauth/token`
    Token,
    /// Anything else, which the API answers with 404 or 405.
    Unknown,
}

impl Operation {
    /// Whether the operation can change an endpoint.
    #[must_use]
    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Patch | Self::Delete)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Token => "token",
            Self::Unknown => "unknown",
        })
    }
}

/// What method and path ask for.
pub(crate) struct Target {
    pub(crate) operation: Operation,
    pub(crate) id: Option<EndpointId>,
    /// Whether the path exists, so that an unknown operation is one of method.
    pub(crate) path_exists: bool,
}

impl Target {
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let known = |operation, id| Self { operation, id, path_exists: true };
        if path == TOKEN_PATH {
            let operation = if method == Method::POST { Operation::Token } else { Operation::Unknown };
            return known(operation, None);
        }
        let Some(rest) = path.strip_prefix(BASE_PATH).and_then(|rest| rest.strip_prefix(COLLECTION)) else {
            return Self { operation: Operation::Unknown, id: None, path_exists: false };
        };
        if rest.is_empty() {
            return match *method {
                Method::GET => known(Operation::List, None),
                Method::POST => known(Operation::Create, None),
                _ => known(Operation::Unknown, None),
            };
        }
        let Some(id) = rest.strip_prefix('/').filter(|id| !id.is_empty() && !id.contains('/')) else {
            return Self { operation: Operation::Unknown, id: None, path_exists: false };
        };
        let id = Some(EndpointId::from(id));
        match *method {
            Method::GET => known(Operation::Get, id),
            Method::PATCH => known(Operation::Patch, id),
            Method::DELETE => known(Operation::Delete, id),
            _ => known(Operation::Unknown, id),
        }
    }
}
