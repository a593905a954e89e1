//! How a resource stands when there is nothing to do for it now.

use jiff::Timestamp;

/// How a resource stands, in words for its conditions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// How it stands.
    pub state: State,
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people, and what to do about it.
    pub message: String,
    /// When to look again.
    pub again: Again,
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
    /// Another endpoint is to take the place of the current one.
    Replacing(Current),
    /// Usable and stored, but not as declared, and left so.
    Drifted,
    /// To be left as it is.
    Paused(Glance),
    /// The finalizer is off: nothing is left to report on.
    Gone,
}

/// What was seen of the endpoint that is left as it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Glance {
    /// It is as declared, and its secret is stored.
    AsDeclared,
    /// It is not, or there is none.
    Different,
    /// Nothing now.
    Nothing,
}

/// How the current endpoint stands while another one is to take its place.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Current {
    /// It is as declared, and its secret is stored.
    AsDeclared,
    /// It is not, or its secret is lost.
    Different,
}

/// When to look again, beside when something changes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Again {
    /// Not before that.
    OnChange,
    /// At this time, by the API's clock.
    At(Timestamp),
    /// After each list of the network, and at this time, if any, by the API's clock.
    AfterList(Option<Timestamp>),
    /// After pauses that grow: no watch would show that it has changed.
    WithBackoff,
}

impl Outcome {
    /// As declared, and its secret is stored.
    #[must_use]
    pub fn ready(message: String) -> Self {
        Self { state: State::Ready, reason: Reason::Available, message, again: Again::OnChange }
    }

    /// On its way.
    #[must_use]
    pub fn reconciling(reason: Reason, message: String, at: Option<Timestamp>) -> Self {
        Self { state: State::Reconciling, reason, message, again: Again::AfterList(at) }
    }

    /// Another endpoint is to take the place of the current one, which is usable or not; there is more to do at this
    /// time.
    #[must_use]
    pub fn replacing(reason: Reason, usable: bool, message: String, at: Timestamp) -> Self {
        let current = if usable { Current::AsDeclared } else { Current::Different };
        Self { state: State::Replacing(current), reason, message, again: Again::AfterList(Some(at)) }
    }

    /// The same, to be looked at again at this time at the latest.
    pub(super) fn by(mut self, at: Option<Timestamp>) -> Self {
        let earlier = |known: Option<Timestamp>| known.into_iter().chain(at).min();
        self.again = match self.again {
            Again::OnChange => at.map_or(Again::OnChange, Again::At),
            Again::At(known) => Again::At(earlier(Some(known)).unwrap_or(known)),
            Again::AfterList(known) => Again::AfterList(earlier(known)),
            Again::WithBackoff => Again::WithBackoff,
        };
        self
    }

    /// On its way, as soon as the network's budget allows another request.
    #[must_use]
    pub fn awaits_budget() -> Self {
        let message =
            "waits for its turn: the network's spec.limits allow no more requests for now".to_owned();
        let (state, reason) = (State::Reconciling, Reason::BudgetSpent);
        Self { state, reason, message, again: Again::OnChange }
    }

    /// Only a change by a person helps.
    #[must_use]
    pub fn stalled(reason: Reason, message: String) -> Self {
        Self { state: State::Stalled, reason, message, again: Again::AfterList(None) }
    }

    /// Only a change by a person helps, and no watch would show it.
    #[must_use]
    pub fn stalled_unseen(reason: Reason, message: String) -> Self {
        Self { state: State::Stalled, reason, message, again: Again::WithBackoff }
    }

    /// Not as declared, and left so, until this time if any.
    #[must_use]
    pub fn drifted(reason: Reason, message: String, until: Option<Timestamp>) -> Self {
        Self { state: State::Drifted, reason, message, again: until.map_or(Again::OnChange, Again::At) }
    }

    /// Nothing is known of the network yet.
    pub(super) fn awaiting_list() -> Self {
        Self::reconciling(Reason::AwaitingList, "waits for the first list of the network".to_owned(), None)
    }

    /// To be left as it is.
    #[must_use]
    pub fn paused(seen: Glance) -> Self {
        let message = "spec.paused is true, so nothing is changed: set it to false to go on".to_owned();
        Self { state: State::Paused(seen), reason: Reason::Paused, message, again: Again::OnChange }
    }

    /// To be left as it is, although it is being deleted.
    #[must_use]
    pub fn paused_deletion() -> Self {
        let message = "spec.paused is true, so the deletion waits: set it to false to go on".to_owned();
        Self { message, ..Self::paused(Glance::Different) }
    }

    /// Let go.
    #[must_use]
    pub fn gone() -> Self {
        let message = "let go".to_owned();
        Self { state: State::Gone, reason: Reason::Deleted, message, again: Again::OnChange }
    }
}

impl Reason {
    /// Whether what was last seen of the endpoint still holds, as far as is known.
    pub(super) fn leaves_what_was_seen(self) -> bool {
        matches!(
            self,
            Self::Paused
                | Self::AwaitingList
                | Self::NetworkNotReady
                | Self::NetworkChanged
                | Self::NetworkUnconfirmed
                | Self::BudgetSpent
                | Self::ProviderError
                | Self::KubernetesError
        )
    }
}

impl Reason {
    /// Whether it is told anew what went wrong this time: what is said once for a reason is left so, since each try
    /// may go wrong in another way.
    #[must_use]
    pub fn varies(self) -> bool {
        matches!(self, Self::NetworkNotReady | Self::ProviderError | Self::KubernetesError)
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
    /// The same was done again and again, and did not last: it is done once more after a pause.
    BackOff,
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
    /// Another endpoint is to take the place of the current one.
    Replacing,
    /// The API refuses a second endpoint, and the current one is not to be deleted before.
    OverlapRefused,
    /// Nobody says what the signing secret of the endpoint to adopt is.
    SecretUnknown,
    /// The endpoint to adopt does not exist.
    EndpointNotFound,
    /// The endpoint to adopt is in another network.
    EndpointInAnotherNetwork,
    /// The Secret under the declared name is somebody else's.
    SecretNotOurs,
    /// The Secret of an earlier resource of the same name is still there.
    SecretOfFormerResource,
    /// The Secret is gone, altered or outdated, and the API shows a secret only once.
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
    /// The API shows another network than the known one.
    NetworkChanged,
    /// It is not certain yet that the API shows the known network.
    NetworkUnconfirmed,
    /// The network's budget of requests is spent for now.
    BudgetSpent,
    /// The network does not allow this namespace.
    NamespaceNotAllowed,
    /// The network does not allow this URL.
    UrlNotAllowed,
    /// The API could not be reached or refused a call.
    ProviderError,
    /// This version of the operator can't read the resource.
    Unreadable,
    /// The resource was let go.
    Deleted,
}
