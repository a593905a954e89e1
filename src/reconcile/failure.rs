//! What can go wrong in an activation, and how it is reported.

use std::time::Duration;

use super::refusal::without_secrets;
use crate::planning::{Outcome, Reason};
use crate::provider::{self, EndpointId, ErrorClass};

/// What can go wrong in an activation.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The resource changed since it was looked at.
    #[error(
        "the resource, or what belongs to it, differs from what the watches show: waits for them to catch up"
    )]
    Outdated,
    /// Kubernetes does not let the Secret be written.
    #[error("Secret {name:?} can't be written, {}: {why}", instead(in_hand.as_ref()))]
    SecretRefused {
        /// Its name.
        name: String,
        /// The endpoint whose secret it was to hold, if there is one.
        in_hand: Option<EndpointId>,
        /// What the API server says.
        why: String,
    },
    /// A call to Kubernetes failed.
    #[error("can't {what}: {source}")]
    Kubernetes {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// Create after create is answered with nothing that can be used.
    #[error(transparent)]
    Unusable(provider::Error),
    /// A call to the remote API failed.
    #[error(transparent)]
    Provider(#[from] provider::Error),
    /// The Secret to copy holds no secret.
    #[error("Secret {name:?} has no key \"secret\" any more, so it can't be moved: restore it")]
    NothingToCopy {
        /// Its name.
        name: String,
    },
    /// A Secret that somebody else wrote is not whole.
    #[error(
        "Secret {name:?} was written by somebody else, and does not hold a signing secret for its endpoint: delete \
         the Secret and create it again from a backup, or delete the endpoint from the network to have a new one \
         created"
    )]
    NotWhole {
        /// Its name.
        name: String,
    },
    /// A create was answered with an endpoint that was there before.
    #[error(
        "the API answered the create with endpoint {id}, which was there before and is not this resource's: delete \
         it from the network, or choose another URL"
    )]
    NotMade {
        /// Its id.
        id: EndpointId,
    },
    /// The API refuses a second endpoint with one URL.
    #[error(
        "the API refuses a second endpoint beside the one that is to be replaced, which is left as it is ({0}): set \
         spec.rotation.overlap to None to have that one deleted before another one is created, and lose what happens \
         between"
    )]
    OverlapRefused(provider::Error),
    /// The Secret named for an endpoint that is adopted does not hold its secret.
    #[error(
        "Secret {name:?} has no signing secret of endpoint {id} under key {key:?}: correct spec.adopt.secretRef or that \
         Secret, or annotate the resource with webhookoperator.dev/rotate to have the endpoint replaced by one whose \
         secret is known"
    )]
    SecretUnknown {
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
        /// The endpoint.
        id: EndpointId,
    },
    /// Planning does not come to an end.
    #[error(
        "the plan for this resource does not come to an end; this is a defect of the operator: report it"
    )]
    Restless,
}

/// What is done while a Secret can't be written.
fn instead(in_hand: Option<&EndpointId>) -> String {
    match in_hand {
        Some(id) => format!("so the secret of endpoint {id} is in memory only, and is stored once it can be"),
        None => "so no endpoint is created or changed".to_owned(),
    }
}

impl Failure {
    /// A failed call to Kubernetes; a conflict means that the view was outdated.
    pub(super) fn kubernetes(what: &'static str) -> impl FnOnce(kube::Error) -> Self {
        move |error| match &error {
            kube::Error::Api(status) if status.code == 409 || status.code == 404 => Self::Outdated,
            _ => Self::Kubernetes { what, source: Box::new(without_secrets(error, &[])) },
        }
    }

    /// Why, for machines.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Outdated | Self::Kubernetes { .. } | Self::Restless => Reason::KubernetesError,
            Self::NotMade { .. } => Reason::Refused,
            Self::SecretRefused { .. } => Reason::SecretRefused,
            Self::NothingToCopy { .. } | Self::NotWhole { .. } => Reason::SecretLost,
            Self::OverlapRefused(_) => Reason::OverlapRefused,
            Self::SecretUnknown { .. } => Reason::SecretUnknown,
            Self::Provider(error) if error.class() == ErrorClass::Permanent => Reason::Refused,
            Self::Provider(_) | Self::Unusable(_) => Reason::ProviderError,
        }
    }

    /// How the resource stands.
    pub(super) fn outcome(&self) -> Outcome {
        let message = self.to_string();
        match self {
            Self::SecretRefused { .. }
            | Self::NothingToCopy { .. }
            | Self::NotWhole { .. }
            | Self::NotMade { .. }
            | Self::OverlapRefused(_)
            | Self::SecretUnknown { .. }
            | Self::Restless => Outcome::stalled(self.reason(), message),
            Self::Provider(error) | Self::Unusable(error) => match error.class() {
                ErrorClass::Permanent => Outcome::stalled(self.reason(), message),
                // Credentials may come with another commit, and scopes with the vendor's support: the resource
                // need not change for it.
                ErrorClass::Unauthorized
                | ErrorClass::Forbidden
                | ErrorClass::Retry
                | ErrorClass::Ambiguous
                | ErrorClass::NotFound => Outcome::reconciling(self.reason(), message, None),
            },
            Self::Outdated | Self::Kubernetes { .. } => Outcome::reconciling(self.reason(), message, None),
        }
    }

    /// Whether a list of the network that succeeds is a reason to try again at once.
    pub(super) fn may_pass_with_network(&self) -> bool {
        match self {
            Self::Provider(error) => matches!(error.class(), ErrorClass::Retry | ErrorClass::Ambiguous),
            _ => false,
        }
    }

    /// Whether nothing left this process, or it came too late to change anything.
    pub(super) fn nothing_was_done(&self) -> bool {
        match self {
            Self::Outdated => true,
            Self::Provider(error) | Self::Unusable(error) => error.is_unsent(),
            _ => false,
        }
    }

    /// How long to wait at least before the next try.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Provider(error) | Self::Unusable(error) | Self::OverlapRefused(error) => {
                error.retry_after()
            }
            _ => None,
        }
    }
}
