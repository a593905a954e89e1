//! Deliberate mistakes in the planner and around it, to prove that the properties can fail.

use jiff::Timestamp;
use webhook_operator::planning::{
    Action, Attempt, DeleteCause, Intent, Leftover, Observed, Presence, Progress, Reach, Reason, Removal,
    Rest, SecretState, Step, plan,
};

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
    /// Believes that a fresh endpoint is gone, and does not wait.
    TrustFreshAbsence,
    /// Writes over a Secret that is somebody else's.
    SeizeSecret,
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
}

impl Mutation {
    /// The planner with this mistake in it.
    pub fn plan(self, intent: &mut Intent, observed: &mut Observed, now: Timestamp) -> Step {
        self.distort(intent, observed, now);
        let step = plan(intent, observed, now, &self.timing());
        self.replace(step, intent, observed)
    }

    fn timing(self) -> webhook_operator::planning::Timing {
        let mut timing = TIMING;
        if self == Self::IgnoreSettling {
            timing.settle = std::time::Duration::ZERO;
            timing.call = std::time::Duration::ZERO;
        }
        timing
    }

    fn distort(self, intent: &Intent, observed: &mut Observed, now: Timestamp) {
        let removing = matches!(intent, Intent::Remove(_));
        let retaining = *intent == Intent::Remove(Removal::Retain);
        match self {
            Self::RepeatUnanswered => {
                if let Progress::Unanswered(_) = observed.progress {
                    observed.progress = Progress::Unsent;
                }
            }
            Self::TrustAnyList => observed.listed_at = observed.listed_at.map(|_| now + TIMING.settle * 9),
            Self::IgnoreKnown => {
                if let Some(attempt) = &mut observed.attempt {
                    attempt.known.clear();
                }
            }
            Self::DisabledAsForeign => {
                let attempt = observed.attempt.clone();
                observed
                    .unheld
                    .retain(|found| attempt.as_ref().is_none_or(|attempt| attempt.would_make(found)));
            }
            Self::ForgetInHand => observed.in_hand = None,
            Self::StoreNothing => {
                if let Some(hand) = &mut observed.in_hand {
                    hand.has_secret = true;
                }
            }
            Self::IgnoreRivals => observed.rival_posts = 0,
            Self::TrustGaps => {
                for presence in observed.remote.values_mut().filter(|at| matches!(at, Presence::Unlisted)) {
                    *presence = Presence::Gone;
                }
            }
            Self::TrustFreshAbsence if observed.open_attempt().is_none() => observed.attempt = None,
            Self::SeizeSecret if observed.secret == SecretState::Foreign => {
                observed.secret = SecretState::Absent;
            }
            Self::RetainAttempt if retaining => observed.attempt = None,
            Self::RetainHastily if retaining => observed.reach = Reach::Shut,
            Self::AbandonAttempt if removing => observed.attempt = None,
            Self::AbandonInHand if removing => {
                observed.in_hand = None;
                observed.attempt = None;
            }
            Self::IgnoreContest => observed.contested.clear(),
            Self::LeaveUnguarded => observed.finalizer = true,
            _ => {}
        }
    }

    fn replace(self, step: Step, intent: &Intent, observed: &Observed) -> Step {
        match (self, step) {
            (Self::SkipWriteAhead, Step::Act(Action::RecordAttempt(_))) => Step::Act(Action::Create),
            (Self::SendLate, Step::Act(Action::RecordAttempt(next)))
                if observed.progress == Progress::Unsent && same_request(observed.open_attempt(), &next) =>
            {
                Step::Act(Action::Create)
            }
            (Self::DoubtfulAsOurs, Step::Rest(rest)) if rest.reason == Reason::CreateUncertain => {
                doubtful(observed).map_or(Step::Rest(rest), |id| {
                    Step::Act(Action::Delete { id, cause: DeleteCause::Orphan { last: true } })
                })
            }
            (Self::OverwriteStored, Step::Act(Action::Delete { cause: DeleteCause::InHand, .. }))
                if matches!(observed.secret, SecretState::Held(_)) =>
            {
                Step::Act(Action::StoreSecret)
            }
            (Self::ReadyBeforeStore, Step::Act(Action::StoreSecret)) => {
                Step::Rest(Rest::ready("too early".to_owned()))
            }
            (Self::ReleaseFirst, Step::Act(Action::Delete { .. })) if matches!(intent, Intent::Remove(_)) => {
                Step::Act(Action::RemoveFinalizer(Leftover::Nothing))
            }
            (Self::ReleaseEvidence, Step::Act(Action::RecordAnswered(_))) => {
                Step::Act(Action::ReleaseSecret { name: None })
            }
            (Self::PatchAnything, Step::Act(Action::Patch { id, patch, reactivates })) => {
                let id = observed.unheld.first().map_or(id, |found| found.id.clone());
                Step::Act(Action::Patch { id, patch, reactivates })
            }
            (_, step) => step,
        }
    }
}

fn same_request(open: Option<&Attempt>, next: &Attempt) -> bool {
    open.is_some_and(|open| open.sends(&next.request()))
}

/// What is there with the attempt's URL and was not known before.
fn doubtful(observed: &Observed) -> Option<webhook_operator::provider::EndpointId> {
    let attempt = observed.open_attempt()?;
    let mut unknown = observed.unheld.iter().filter(|found| !attempt.known.contains(&found.id));
    unknown.find(|found| attempt.would_make(found)).map(|found| found.id.clone())
}
