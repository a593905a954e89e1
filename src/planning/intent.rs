//! What is wanted.

use std::collections::BTreeMap;
use std::time::Duration;

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
    /// An existing endpoint to take over, while none is held.
    pub adopt: Option<Adoption>,
    /// When and how the endpoint is replaced.
    pub rotation: Rotation,
    /// What asks for a replacement, by being another than the one that was handled.
    pub rotate: Option<String>,
}

/// An existing endpoint to take over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Adoption {
    /// Its id.
    pub id: EndpointId,
    /// Where its secret is, if that is known.
    pub source: Option<SecretSource>,
}

/// A Secret of the resource's namespace, and the key of a value in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretSource {
    /// The Secret's name.
    pub name: String,
    /// The key.
    pub key: String,
}

/// When and how an endpoint is replaced.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rotation {
    /// How long a secret is used; for ever when `None`.
    pub interval: Option<Duration>,
    /// How long consumers get to load the new secret before only that signs.
    pub activate_after: Duration,
    /// How long the old endpoint is kept, inactive.
    pub retire_after: Duration,
    /// Whether the old endpoint delivers until the new one does.
    pub overlap: Overlap,
}

/// Whether the old endpoint delivers until the new one does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Overlap {
    /// It does.
    #[default]
    Full,
    /// It is deleted before the new one is created.
    None,
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
