//! What can be done.

use jiff::Timestamp;

use super::attempt::{Attempt, InHand, Purpose};
use super::intent::{SecretShape, SecretSource};
use super::outcome::Outcome;
use crate::provider::{EndpointId, EndpointPatch, EndpointUrl};

/// The next step for one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Do this, then plan again.
    Act(Action),
    /// Nothing to do now: report this and wait.
    End(Outcome),
}

/// One call, or one write, that moves a resource on.
#[derive(Clone, Debug, PartialEq, strum::IntoStaticStr)]
pub enum Action {
    /// Dry-run the write of the Secret.
    ProveSecretWritable(SecretShape),
    /// Set the finalizer and record the attempt, in one write that an outdated view loses.
    RecordAttempt(Box<Attempt>),
    /// Give a resource back what it has lost, in a write that an outdated view loses: the finalizer, and the record
    /// of this attempt, if any.
    SetFinalizer(Option<Box<Attempt>>),
    /// Send the recorded attempt.
    Create {
        /// It.
        attempt: Box<Attempt>,
        /// Until when it may be sent, by the API's clock.
        no_later_than: Timestamp,
    },
    /// Write the secret in hand.
    StoreSecret {
        /// Whose secret it is.
        hand: InHand,
        /// Where that endpoint delivers to.
        url: EndpointUrl,
        /// What the Secret should look like.
        shape: SecretShape,
        /// The endpoints whose secrets it is to go on holding beside; the latest first.
        keep: Vec<EndpointId>,
    },
    /// Have the Secret hold the secrets of these endpoints, which the Secrets of the resource do, and no others.
    RewriteSecret {
        /// Its name.
        name: String,
        /// The endpoint whose secret comes first.
        first: EndpointId,
        /// Where that endpoint delivers to, if it was seen.
        url: Option<EndpointUrl>,
        /// The attempt that made it, if that is known.
        attempt: u64,
        /// The others, the latest first.
        keep: Vec<EndpointId>,
    },
    /// Copy the secret of an endpoint that is adopted.
    AdoptSecret {
        /// Its id.
        id: EndpointId,
        /// Where it delivers to.
        url: EndpointUrl,
        /// Where its secret is.
        source: SecretSource,
        /// What the Secret should look like.
        shape: SecretShape,
    },
    /// Copy the Secret to the declared name.
    CopySecret {
        /// The name it has.
        from: String,
        /// What the copy should look like.
        shape: SecretShape,
    },
    /// Give the Secret its owner, its notes, and its declared labels and annotations.
    SyncSecretMetadata {
        /// What it should look like.
        shape: SecretShape,
        /// The endpoint whose secret it holds, if that is certain.
        endpoint: Option<EndpointId>,
        /// The attempt that it is to show to be answered, if it does not show that yet.
        attempt: Option<u64>,
    },
    /// Put on record which declared labels and annotations of the Secret somebody overrules, and tell of it.
    AcceptSecretMetadata(SecretShape),
    /// Look whether the values of a Secret that somebody else wrote are whole, and take them over.
    VerifySecret {
        /// Its name.
        name: String,
        /// The endpoint whose secret it should hold, if that can be told.
        endpoint: Option<EndpointId>,
        /// Where that endpoint delivers to, if it was seen.
        url: Option<EndpointUrl>,
    },
    /// Delete a Secret of ours that holds nothing of use any more.
    DeleteSecret {
        /// Its name.
        name: String,
    },
    /// Put on record that this attempt, and those before it, were answered, which a Secret shows so far.
    RecordAnswered(u64),
    /// Let go of a Secret, so that it outlives the resource.
    ReleaseSecret {
        /// Its name.
        name: String,
    },
    /// Change the endpoint.
    Patch {
        /// Its id.
        id: EndpointId,
        /// What is changed.
        patch: EndpointPatch,
        /// Why.
        cause: PatchCause,
    },
    /// Ask for an endpoint that a list did not show.
    Confirm {
        /// Its id.
        id: EndpointId,
    },
    /// Delete an endpoint.
    Delete {
        /// Its id.
        id: EndpointId,
        /// Why.
        cause: DeleteCause,
    },
    /// List the network afresh.
    List,
    /// Let the resource go.
    RemoveFinalizer(Leftover),
}

/// What may be left in the network, with a secret that is stored nowhere, when a resource is let go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Leftover {
    /// Nothing.
    Nothing,
    /// What this attempt made, or others of its series.
    OfAttempt(Box<Attempt>),
    /// This endpoint, whose Secret is gone though it was to be kept.
    WithoutSecret(EndpointId),
    /// These endpoints beside the one that is kept; the secrets of all of them are stored.
    Beside(Vec<EndpointId>),
}

/// Why an endpoint is changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PatchCause {
    /// It is not as declared.
    Difference,
    /// It was set inactive, and not by us.
    Reactivation,
    /// It is to take the place of the current one.
    Activation,
    /// Its place was taken.
    Retirement,
}

/// Why an endpoint is deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DeleteCause {
    /// Its resource is deleted.
    Removed,
    /// It is the trace of a create whose answer was lost.
    Orphan {
        /// That create.
        attempt: Box<Attempt>,
        /// How many creates of other resources may have made it instead.
        rival_posts: u32,
        /// What is left of that series of creates without it.
        remainder: Remainder,
    },
    /// Its secret is in memory, and can't or need not be stored.
    InHand,
    /// It was to be the next one, and is not wanted any more.
    Superseded,
    /// Another one takes its place, and may be made only once it is gone.
    Replaced,
    /// Its place was taken, long enough ago.
    Retired,
}

/// What is left, without one endpoint, of a series of creates whose answers were lost.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Remainder {
    /// Nothing: it was one create, and that endpoint is what it made.
    Nothing,
    /// Other endpoints, perhaps.
    Others,
}

/// What is done again only after a pause if it was done often of late.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StepKind {
    /// Creating an endpoint.
    Create,
    /// Changing this one.
    Change(EndpointId),
    /// Deleting this one.
    Delete(EndpointId),
    /// Asking for this one.
    Look(EndpointId),
    /// Listing the network.
    List,
    /// Dry-running the write of the Secret.
    Prove,
    /// Changing the Secret, but for its secret.
    Secret,
    /// Setting the finalizer.
    Finalizer,
}

impl Action {
    /// What it is, in one word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// What it counts as when it is done again and again; `None` for what brings an end, and for the secret in
    /// hand, which is to be stored as soon as it can be.
    #[must_use]
    pub fn kind(&self) -> Option<StepKind> {
        match self {
            Self::RecordAttempt(_) | Self::Create { .. } => Some(StepKind::Create),
            Self::Patch { id, .. } => Some(StepKind::Change(id.clone())),
            Self::Delete { id, .. } => Some(StepKind::Delete(id.clone())),
            Self::Confirm { id, .. } => Some(StepKind::Look(id.clone())),
            Self::List => Some(StepKind::List),
            Self::ProveSecretWritable(_) => Some(StepKind::Prove),
            Self::CopySecret { .. }
            | Self::RewriteSecret { .. }
            | Self::AdoptSecret { .. }
            | Self::SyncSecretMetadata { .. }
            | Self::AcceptSecretMetadata(_)
            | Self::VerifySecret { .. } => Some(StepKind::Secret),
            Self::SetFinalizer(_) => Some(StepKind::Finalizer),
            Self::StoreSecret { .. }
            | Self::DeleteSecret { .. }
            | Self::RecordAnswered(_)
            | Self::ReleaseSecret { .. }
            | Self::RemoveFinalizer(_) => None,
        }
    }

    /// Whether it asks something of the network, or begins what will.
    #[must_use]
    pub fn concerns_network(&self) -> bool {
        match self {
            Self::ProveSecretWritable(_)
            | Self::RecordAttempt(_)
            | Self::Create { .. }
            | Self::Patch { .. }
            | Self::Confirm { .. }
            | Self::Delete { .. }
            | Self::List => true,
            Self::StoreSecret { .. }
            | Self::RewriteSecret { .. }
            | Self::AdoptSecret { .. }
            | Self::CopySecret { .. }
            | Self::SyncSecretMetadata { .. }
            | Self::AcceptSecretMetadata(_)
            | Self::VerifySecret { .. }
            | Self::DeleteSecret { .. }
            | Self::RecordAnswered(_)
            | Self::ReleaseSecret { .. }
            | Self::SetFinalizer(_)
            | Self::RemoveFinalizer(_) => false,
        }
    }

    /// Whether it has to be the only one of its kind that is under way for a URL: otherwise the endpoint of one
    /// resource's create would look, before its answer is in, like the trace of another's. Of two resources that
    /// hold one endpoint, the last to go takes it along.
    #[must_use]
    pub fn excludes_others_of_its_url(&self) -> bool {
        matches!(
            self,
            Self::RecordAttempt(_)
                | Self::Create { .. }
                | Self::Delete { cause: DeleteCause::Orphan { .. }, .. }
                | Self::RemoveFinalizer(_)
        )
    }

    /// Whether to read the resource again, past the cache, before it: it can't be undone, or it would bring back
    /// what was declared once. The others lose by themselves when they come from an outdated view, or are as good
    /// then: a secret in hand is stored, whatever is declared.
    #[must_use]
    pub fn needs_present_view(&self) -> bool {
        match self {
            Self::Patch { .. }
            | Self::Delete {
                cause:
                    DeleteCause::Removed
                    | DeleteCause::Orphan { .. }
                    | DeleteCause::Superseded
                    | DeleteCause::Replaced
                    | DeleteCause::Retired,
                ..
            }
            | Self::RewriteSecret { .. }
            | Self::AdoptSecret { .. }
            | Self::CopySecret { .. }
            | Self::SyncSecretMetadata { .. }
            | Self::AcceptSecretMetadata(_)
            | Self::DeleteSecret { .. }
            | Self::ReleaseSecret { .. } => true,
            Self::ProveSecretWritable(_)
            | Self::RecordAttempt(_)
            | Self::SetFinalizer(_)
            | Self::RemoveFinalizer(_)
            | Self::VerifySecret { .. }
            | Self::RecordAnswered(_)
            | Self::Create { .. }
            | Self::StoreSecret { .. }
            | Self::Confirm { .. }
            | Self::List
            | Self::Delete { cause: DeleteCause::InHand, .. } => false,
        }
    }

    /// Whether it was seen, when it was planned, that there is no endpoint as declared with its secret stored.
    #[must_use]
    pub fn shows_a_difference(&self) -> bool {
        match self {
            Self::RecordAttempt(_) | Self::Create { .. } => !self.is_of_rotation(),
            Self::Patch { cause, .. } => matches!(cause, PatchCause::Difference | PatchCause::Reactivation),
            Self::Delete { cause, .. } => {
                !self.is_of_rotation() && !matches!(cause, DeleteCause::Superseded | DeleteCause::Retired)
            }
            Self::AdoptSecret { .. } | Self::CopySecret { .. } => true,
            Self::StoreSecret { keep, .. } => keep.is_empty(),
            Self::ProveSecretWritable(_)
            | Self::SetFinalizer(_)
            | Self::RewriteSecret { .. }
            | Self::SyncSecretMetadata { .. }
            | Self::AcceptSecretMetadata(_)
            | Self::VerifySecret { .. }
            | Self::DeleteSecret { .. }
            | Self::RecordAnswered(_)
            | Self::ReleaseSecret { .. }
            | Self::Confirm { .. }
            | Self::List
            | Self::RemoveFinalizer(_) => false,
        }
    }

    /// Whether it is about a create for another secret, which leaves the current endpoint as good as it was.
    #[must_use]
    pub fn is_of_rotation(&self) -> bool {
        let (Self::RecordAttempt(attempt)
        | Self::Create { attempt, .. }
        | Self::Delete { cause: DeleteCause::Orphan { attempt, .. }, .. }) = self
        else {
            return false;
        };
        matches!(attempt.purpose, Purpose::Interval | Purpose::Requested)
    }
}
