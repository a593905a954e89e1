//! Deliberate mistakes in the planner and around it, to prove that the properties can fail.

use jiff::Timestamp;
use webhook_operator::planning::{
    Action, Answer, Attempt, DeleteCause, Finalizer, Holders, Intent, Leftover, Observed, Outcome,
    PatchCause, Presence, Progress, Reach, Reason, Remainder, Removal, Role, SecretState, Step, Timing, plan,
};
use webhook_operator::provider::{Endpoint, EndpointId, EndpointPatch, EndpointStatus};

use super::process::Process;
use super::time::TIMING;

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Mutation { $($(#[$doc])* $name),* }

        impl Mutation {
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

mutations! {
    /// POSTs without recording the attempt first.
    SkipWriteAhead,
    /// Records the attempt though the view is outdated.
    UnguardedRecord,
    /// Does not note that a create is about to be sent.
    SendUnannounced,
    /// Sends an attempt that was recorded long ago.
    SendLate,
    /// Sends an unanswered create again.
    RepeatUnanswered,
    /// Takes a create for settled at once.
    IgnoreSettling,
    /// Takes any list for a fresh one.
    TrustAnyList,
    /// Takes what was there before for its own.
    IgnoreKnown,
    /// Deletes what it can't tell apart.
    DoubtfulAsOurs,
    /// Takes an endpoint of another status for somebody else's.
    DisabledAsForeign,
    /// Forgets the secret in hand.
    ForgetInHand,
    /// Stores an answer that held no secret.
    StoreNothing,
    /// Overwrites the stored secret of a live endpoint.
    OverwriteStored,
    /// Reports Ready before the secret is stored.
    ReadyBeforeStore,
    /// Does not ask whether other resources' creates may have made what it found.
    IgnoreRivals,
    /// Takes what other resources hold for its own.
    IgnoreHolds,
    /// Believes the cache when it says that nobody claims an orphan.
    TrustCachedClaims,
    /// Believes the cache when it says that no other create may have made an orphan.
    TrustCachedRivals,
    /// Believes a list that an endpoint is gone, and does not ask for it.
    TrustGaps,
    /// Takes what was not found by its id for gone, and waits for no other list.
    BelieveAtOnce,
    /// Believes that a fresh endpoint is gone, and does not wait.
    TrustFreshAbsence,
    /// Writes over a Secret that is somebody else's.
    SeizeSecret,
    /// Leaves alone what lost its owner.
    LeaveOwnerless,
    /// Takes over a Secret that lost its owner before it is known what became of a create.
    ClaimUnresolved,
    /// Takes the finalizer off first.
    ReleaseFirst,
    /// Does not resolve the open attempt of a resource that is deleted.
    AbandonAttempt,
    /// Lets a resource that is retained go with an open attempt.
    RetainAttempt,
    /// Does not wait for the network before a resource that is retained is let go.
    RetainHastily,
    /// Releases the Secret that alone shows that a create was answered.
    ReleaseEvidence,
    /// Drops the secret in hand of a resource that is deleted, and not its endpoint.
    AbandonInHand,
    /// Deletes an endpoint that another resource holds too.
    IgnoreContest,
    /// Does not set the finalizer of what lost it.
    LeaveUnguarded,
    /// Patches whatever has the same URL.
    PatchAnything,
    /// Never changes an endpoint that is not as declared.
    NeverPatch,
    /// Never finds out about a create that was not answered.
    AlwaysUncertain,
    /// Looks for what a create has made at the declared URL only.
    ForgetOldUrl,
    /// Deletes the Secret under the former name before it is copied.
    DropBeforeCopy,
    /// Leaves the Secret under the former name.
    LeaveFormerSecret,
    /// Performs what was planned from a view that is outdated by now.
    TrustOldView,
    /// Writes over a Secret that has come since what was planned was.
    OverwriteUnseen,
    /// Sends a create whose time was up while it waited.
    SendOverdue,
    /// Activates an endpoint before its secret is stored.
    ActivateUnstored,
    /// Activates it as soon as its secret is stored.
    ActivateAtOnce,
    /// Sets the old endpoint inactive before the new one is active.
    DeactivateFirst,
    /// Deletes the old endpoint as soon as it is inactive.
    RetireAtOnce,
    /// Deletes the current endpoint instead of one whose place it took.
    DeleteCurrent,
    /// Stores a new secret without the one before.
    DropPrevious,
    /// Never takes a secret out of the Secret.
    KeepPrevious,
    /// Takes an old endpoint of the resource itself for what its create may have made.
    ConfuseOwn,
    /// Forgets that it was asked for a rotation that is done.
    RotateForEver,
    /// Has an endpoint that was made for another URL take over.
    KeepSuperseded,
    /// Lets a resource go before its old endpoints are deleted.
    LeaveRetiring,
    /// Goes on though everything is to stay as it is.
    IgnorePause,
}

impl Mutation {
    /// The planner with this mistake in it.
    pub fn plan(self, intent: &Intent, observed: &mut Observed, now: Timestamp, process: &Process) -> Step {
        if matches!(self, Self::IgnoreHolds | Self::ConfuseOwn) {
            observed.candidates = process.present().map(|(id, shown)| shown.endpoint(id)).collect();
        }
        self.distort(intent, observed, now);
        let step = match intent {
            Intent::Pause(desired) if self == Self::IgnorePause => {
                plan(&Intent::Converge(desired.clone()), observed, now)
            }
            _ => plan(intent, observed, now),
        };
        self.replace(step, intent, observed)
    }

    fn distort(self, intent: &Intent, observed: &mut Observed, now: Timestamp) {
        let removing = matches!(intent, Intent::Finalize(_));
        let retaining = *intent == Intent::Finalize(Removal::Retain);
        match self {
            Self::IgnoreSettling => observed.timing = Timing::default(),
            Self::RepeatUnanswered => {
                if let Progress::Unanswered(_) = observed.progress {
                    observed.progress = Progress::Unsent;
                }
            }
            Self::TrustAnyList => observed.listed_at = observed.listed_at.map(|_| now + TIMING.settle * 9),
            Self::ConfuseOwn => {
                if let Some(attempt) = &mut observed.attempt {
                    attempt.known.clear();
                    observed.recorded.endpoints.retain(|_, role| !matches!(role, Role::Retiring { .. }));
                    if let SecretState::Held(secret) = &mut observed.secret {
                        secret.previous.clear();
                    }
                }
            }
            Self::IgnoreKnown => {
                if let Some(attempt) = &mut observed.attempt {
                    attempt.known.clear();
                }
            }
            Self::DisabledAsForeign => {
                let attempt = observed.attempt.clone();
                observed
                    .candidates
                    .retain(|found| attempt.as_ref().is_none_or(|attempt| attempt.would_make(found)));
            }
            Self::ForgetInHand => observed.in_hand = None,
            Self::StoreNothing => {
                if let Some(hand) = &mut observed.in_hand {
                    hand.answer = Answer::WithSecret;
                }
            }
            Self::IgnoreRivals => observed.rival_posts = 0,
            Self::TrustGaps => {
                for remote in observed.remote.values_mut() {
                    if remote.presence == Presence::Unlisted {
                        remote.presence = Presence::Gone;
                    }
                }
            }
            Self::BelieveAtOnce => {
                for remote in observed.remote.values_mut() {
                    if let Presence::Missing { .. } = remote.presence {
                        remote.presence = Presence::Gone;
                    }
                }
            }
            Self::TrustFreshAbsence if observed.open_attempt().is_none() => observed.attempt = None,
            Self::SeizeSecret if observed.secret == SecretState::Foreign => {
                observed.secret = SecretState::Absent;
            }
            Self::LeaveOwnerless if observed.unowned_secret().is_some() => {
                observed.secret = SecretState::Foreign;
            }
            Self::ClaimUnresolved if observed.unowned_secret().is_some() => observed.attempt = None,
            Self::RetainAttempt if retaining => observed.attempt = None,
            Self::RetainHastily if retaining => observed.reach = Reach::Shut,
            Self::AbandonAttempt if removing => observed.attempt = None,
            Self::AbandonInHand if removing => {
                observed.in_hand = None;
                observed.attempt = None;
            }
            Self::IgnoreContest => {
                observed.remote.values_mut().for_each(|remote| remote.holders = Holders::Sole);
            }
            Self::LeaveUnguarded => observed.finalizer = Finalizer::Set,
            Self::ForgetOldUrl => {
                if let Intent::Converge(desired) = intent {
                    observed.candidates.retain(|found| found.url == desired.endpoint.url);
                }
            }
            Self::ActivateAtOnce => observed.recorded.next_since = Some(Timestamp::MIN),
            Self::RetireAtOnce => {
                for role in observed.recorded.endpoints.values_mut() {
                    if let Role::Retiring { since } = role {
                        *since = Timestamp::MIN;
                    }
                }
            }
            Self::RotateForEver => {
                observed.recorded.handled_rotation = None;
                if let Some(attempt) = &mut observed.attempt {
                    attempt.request = None;
                }
            }
            Self::LeaveFormerSecret => {
                if let SecretState::Held(_) = observed.secret {
                    observed.former_secrets.clear();
                }
            }
            _ => {}
        }
    }

    fn replace(self, step: Step, intent: &Intent, observed: &Observed) -> Step {
        match (self, step) {
            (Self::SkipWriteAhead, Step::Act(Action::RecordAttempt(next))) => at_once(next),
            (Self::SendLate, Step::Act(Action::RecordAttempt(next)))
                if observed.progress == Progress::Unsent && same_request(observed.open_attempt(), &next) =>
            {
                let open = observed.open_attempt().cloned().map(Box::new);
                at_once(open.unwrap_or(next))
            }
            (Self::DoubtfulAsOurs, Step::End(end)) if end.reason == Reason::CreateUncertain => {
                doubtful(observed).unwrap_or(Step::End(end))
            }
            (Self::AlwaysUncertain, Step::Act(Action::List | Action::Delete { .. }))
                if observed.open_attempt().is_some() && observed.in_hand.is_none() =>
            {
                let told = observed.candidates.iter().map(|found| found.id.as_str()).collect::<Vec<_>>();
                Step::End(Outcome::stalled(Reason::CreateUncertain, told.join(", ")))
            }
            (Self::OverwriteStored, Step::Act(Action::Delete { cause: DeleteCause::InHand, .. }))
                if matches!(observed.secret, SecretState::Held(_)) =>
            {
                store(intent, observed)
            }
            (Self::ReadyBeforeStore, Step::Act(Action::StoreSecret { .. })) => {
                Step::End(Outcome::ready("too early".to_owned()))
            }
            (Self::NeverPatch, Step::Act(Action::Patch { .. }))
            | (Self::KeepPrevious, Step::Act(Action::RewriteSecret { .. })) => {
                Step::End(Outcome::ready("never mind".to_owned()))
            }
            (Self::ReleaseFirst, Step::Act(Action::Delete { .. }))
                if matches!(intent, Intent::Finalize(_)) =>
            {
                Step::Act(Action::RemoveFinalizer(Leftover::Nothing))
            }
            (Self::ReleaseEvidence, Step::Act(Action::RecordAnswered(_))) => {
                Step::Act(Action::ReleaseSecret { name: observed.secret_name.clone() })
            }
            (Self::PatchAnything, Step::Act(Action::Patch { id, patch, cause })) => {
                let id = observed.candidates.last().map_or(id, |found| found.id.clone());
                Step::Act(Action::Patch { id, patch, cause })
            }
            (Self::ActivateUnstored, Step::Act(Action::StoreSecret { hand, .. }))
                if observed.recorded.current().is_some() =>
            {
                set(&hand.id, EndpointStatus::Active, PatchCause::Activation)
            }
            (
                Self::DeactivateFirst,
                Step::Act(Action::Patch { id, patch, cause: PatchCause::Activation }),
            ) => match observed.recorded.current() {
                Some(current) if is_active(observed, current) => {
                    set(current, EndpointStatus::Inactive, PatchCause::Retirement)
                }
                _ => Step::Act(Action::Patch { id, patch, cause: PatchCause::Activation }),
            },
            (Self::DeleteCurrent, Step::Act(Action::Delete { id, cause: DeleteCause::Retired })) => {
                let id = observed.recorded.current().cloned().unwrap_or(id);
                Step::Act(Action::Delete { id, cause: DeleteCause::Retired })
            }
            (Self::DropPrevious, Step::Act(Action::StoreSecret { hand, url, shape, .. })) => {
                Step::Act(Action::StoreSecret { hand, url, shape, keep: Vec::new() })
            }
            (Self::KeepSuperseded, Step::Act(Action::Delete { id, cause: DeleteCause::Superseded })) => {
                set(&id, EndpointStatus::Active, PatchCause::Activation)
            }
            (Self::LeaveRetiring, Step::Act(Action::Delete { id, .. }))
                if matches!(intent, Intent::Finalize(_))
                    && matches!(observed.recorded.endpoints.get(&id), Some(Role::Retiring { .. })) =>
            {
                Step::Act(Action::RemoveFinalizer(Leftover::Nothing))
            }
            (Self::DropBeforeCopy, Step::Act(Action::CopySecret { from, .. })) => {
                Step::Act(Action::DeleteSecret { name: from })
            }
            (_, step) => step,
        }
    }
}

fn is_active(observed: &Observed, id: &EndpointId) -> bool {
    observed.remote.get(id).is_some_and(|remote| match &remote.presence {
        Presence::Present(endpoint) => endpoint.status == EndpointStatus::Active,
        _ => false,
    })
}

fn set(id: &EndpointId, status: EndpointStatus, cause: PatchCause) -> Step {
    let patch = EndpointPatch { enabled_events: None, status: Some(status) };
    Step::Act(Action::Patch { id: id.clone(), patch, cause })
}

fn same_request(open: Option<&Attempt>, next: &Attempt) -> bool {
    open.is_some_and(|open| open.sends(&next.request()))
}

/// Deletes what is there with the attempt's URL and was not known before.
fn doubtful(observed: &Observed) -> Option<Step> {
    let attempt = observed.open_attempt()?;
    let mut unknown = observed.candidates.iter().filter(|found| !attempt.known.contains(&found.id));
    let found: &Endpoint = unknown.find(|found| attempt.would_make(found))?;
    let id: EndpointId = found.id.clone();
    let (attempt, rival_posts) = (Box::new(attempt.clone()), observed.rival_posts);
    let cause = DeleteCause::Orphan { attempt, rival_posts, remainder: Remainder::Nothing };
    Some(Step::Act(Action::Delete { id, cause }))
}

/// Writes the secret in hand.
fn store(intent: &Intent, observed: &Observed) -> Step {
    match (intent, &observed.in_hand) {
        (Intent::Converge(desired), Some(hand)) => Step::Act(Action::StoreSecret {
            hand: hand.clone(),
            url: desired.endpoint.url.clone(),
            shape: desired.secret.clone(),
            keep: Vec::new(),
        }),
        _ => Step::End(Outcome::gone()),
    }
}

/// Sends an attempt, however late.
fn at_once(attempt: Box<Attempt>) -> Step {
    Step::Act(Action::Create { attempt, no_later_than: Timestamp::MAX })
}
