//! What is asked of the API.

use std::fmt;

/// What the call was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Get,
    Patch,
    Delete,
    List,
    Authenticate,
}

impl Operation {
    pub(super) fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Authenticate)
    }

    /// In one word, as metrics have it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Authenticate => "token",
        }
    }

    pub(super) fn names_an_endpoint(self) -> bool {
        matches!(self, Self::Get | Self::Patch | Self::Delete)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create the endpoint",
            Self::Get => "read the endpoint",
            Self::Patch => "update the endpoint",
            Self::Delete => "delete the endpoint",
            Self::List => "list the endpoints",
            Self::Authenticate => "obtain a token",
        })
    }
}
