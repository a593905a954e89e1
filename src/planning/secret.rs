//! What is known of a resource's Secret.

use std::collections::BTreeMap;

use crate::provider::EndpointId;

/// The Secret under the declared name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum SecretState {
    /// There is none.
    #[default]
    Absent,
    /// It is somebody else's.
    Foreign,
    /// It has our type and belongs to nobody: it was released, or came back from a backup, or lost its owner.
    Ownerless(HeldSecret),
    /// It belongs to an earlier resource of the same name. It awaits garbage collection, or came back from a
    /// backup.
    OfFormerResource(HeldSecret),
    /// It is this resource's.
    Held(HeldSecret),
}

/// What a Secret of our type holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeldSecret {
    /// The endpoint whose secret it holds; `None` when that can't be told any more.
    pub endpoint: Option<EndpointId>,
    /// The endpoints whose secrets it holds beside, while they are valid; the latest first.
    pub previous: Vec<EndpointId>,
    /// The attempt that made the endpoint.
    pub attempt: u64,
    /// Its labels, without the operator's own.
    pub labels: BTreeMap<String, String>,
    /// Its annotations, without the operator's own.
    pub annotations: BTreeMap<String, String>,
    /// How it shows whose it is.
    pub ownership: Ownership,
    /// Who wrote its values.
    pub data: SecretData,
    /// Whether its values can be changed.
    pub mutability: Mutability,
}

impl HeldSecret {
    /// The endpoints whose secrets it holds, as far as what it holds is believed; the latest first.
    pub(super) fn holds(&self) -> impl Iterator<Item = &EndpointId> {
        let latest = self.endpoint.as_ref().filter(|_| self.data != SecretData::Altered);
        latest.into_iter().chain(&self.previous)
    }
}

/// How a Secret shows whose it is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Ownership {
    /// By an owner reference: Kubernetes deletes it with its owner.
    #[default]
    Reference,
    /// By an annotation, which Kubernetes does not know: it outlives its owner.
    Note,
}

/// Who wrote the values of a Secret, as far as its metadata tells.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum SecretData {
    /// The operator.
    #[default]
    AsWritten,
    /// Somebody else, all of them together with the note of the endpoint, as from a backup; or the URL, which can be
    /// written again.
    Restored,
    /// Somebody else has changed or removed the secret, or whose it is.
    Altered,
}

/// Whether the values of a Secret can be changed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Mutability {
    /// They can.
    #[default]
    Mutable,
    /// Its field `immutable` is set: it can only be deleted and made anew.
    Immutable,
}

/// Whether the Secret can be written, as far as is known.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum SecretWrites {
    /// A write, or a dry run, has shown that it can.
    #[default]
    Proven,
    /// A dry run has to show it before an endpoint is created.
    Unproven,
}
