//! How a resource stands when there is nothing to do for it now.

use jiff::Timestamp;

/// How a resource stands, in words for its conditions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rest {
    /// How it stands.
    pub state: State,
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people, and what to do about it.
    pub message: String,
    /// When to look again, by the API's clock; at the next change when `None`.
    pub wake: Option<Timestamp>,
}

/// How a resource stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// As declared, and its secret is stored.
    Ready,
    /// On its way.
    Reconciling,
    /// Only a change by a person helps.
    Stalled,
    /// Usable and stored, but not as declared, and left so.
    Drifted,
    /// The finalizer is off: nothing is left to report on.
    Gone,
}

impl Rest {
    /// As declared, and its secret is stored.
    #[must_use]
    pub fn ready(message: String) -> Self {
        Self { state: State::Ready, reason: Reason::Available, message, wake: None }
    }

    /// On its way.
    #[must_use]
    pub fn reconciling(reason: Reason, message: String, wake: Option<Timestamp>) -> Self {
        Self { state: State::Reconciling, reason, message, wake }
    }

    /// Only a change by a person helps.
    #[must_use]
    pub fn stalled(reason: Reason, message: String) -> Self {
        Self { state: State::Stalled, reason, message, wake: None }
    }

    /// Not as declared, and left so.
    #[must_use]
    pub fn drifted(reason: Reason, message: String, wake: Option<Timestamp>) -> Self {
        Self { state: State::Drifted, reason, message, wake }
    }

    /// Let go.
    #[must_use]
    pub fn gone() -> Self {
        Self { state: State::Gone, reason: Reason::Deleted, message: "let go".to_owned(), wake: None }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Why a resource stands as it does; the `reason` of its conditions.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Reason { $($(#[$doc])* $name),* }

        impl Reason {
            /// The reason as conditions and events spell it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

reasons! {
    /// The remote endpoint is as declared and its secret is stored.
    Available,
    /// Nobody may change this endpoint while it is paused.
    Paused,
    /// The network was not listed yet.
    AwaitingList,
    /// A create was not answered; whether it took effect is being found out.
    ResolvingCreate,
    /// A create was not answered, and which endpoint it made can't be told.
    CreateUncertain,
    /// The API refused a call as wrong.
    Refused,
    /// The endpoint was changed by somebody else.
    Drifted,
    /// The endpoint was deleted by somebody else.
    DeletedRemotely,
    /// The endpoint was set inactive by somebody else and will be reactivated.
    Deactivated,
    /// The URL changed, and replacing an endpoint is not supported yet.
    ReplacementNotSupported,
    /// Adopting an endpoint is not supported yet.
    AdoptionNotSupported,
    /// The Secret under the declared name is somebody else's.
    SecretNotOurs,
    /// The Secret of an earlier resource of the same name is still there.
    SecretOfFormerResource,
    /// The Secret is gone or outdated, and the API shows a secret only once.
    SecretLost,
    /// Two resources hold the same endpoint.
    EndpointContested,
    /// The Secret can't be written.
    SecretRefused,
    /// A Kubernetes write failed.
    KubernetesError,
    /// The network does not exist.
    NetworkNotFound,
    /// The network is not ready.
    NetworkNotReady,
    /// The network does not allow this namespace.
    NamespaceNotAllowed,
    /// The network does not allow this URL.
    UrlNotAllowed,
    /// The API could not be reached or refused a call.
    ProviderError,
    /// The resource was let go.
    Deleted,
}
