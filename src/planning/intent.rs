//! What is wanted.

use std::collections::BTreeMap;

use super::secret::Ownership;
use crate::provider::{EndpointId, NewEndpoint};

/// What is wanted of one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// The endpoint is to be as declared.
    Converge(Desired),
    /// The resource is being deleted.
    Finalize(Removal),
    /// The endpoint would be to be as declared, and everything is to stay as it is.
    Pause(Desired),
    /// The resource is being deleted, and everything is to stay as it is.
    PauseDeletion,
    /// This version can't read what is wanted, for this reason.
    Unreadable(String),
}

/// What becomes of the remote endpoint of a resource that is being deleted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Removal {
    /// It is deleted, and its Secret with it.
    Delete,
    /// It stays, and so does its Secret.
    Retain,
}

/// A declared endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// What the API should hold.
    pub endpoint: NewEndpoint,
    /// What the Secret should look like.
    pub secret: SecretShape,
    /// What is done about a change made by somebody else.
    pub drift: Drift,
    /// An existing endpoint to adopt.
    pub adopt: Option<EndpointId>,
    /// What is asked for beside, and has no effect yet.
    pub ignored: Vec<&'static str>,
}

/// The declared parts of a Secret.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SecretShape {
    /// Its name.
    pub name: String,
    /// The declared labels.
    pub labels: BTreeMap<String, String>,
    /// The declared annotations.
    pub annotations: BTreeMap<String, String>,
    /// How it is to show whose it is.
    pub ownership: Ownership,
}

/// What is done about a remote change made by somebody else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drift {
    /// It is undone.
    Correct,
    /// It is reported.
    Report,
}
