//! What a process remembers of a resource between two plans; all of it may be lost in a crash.

use jiff::Timestamp;

use super::attempt::{Answer, Attempt, InHand, Progress};
use super::observed::Reactivation;
use super::step::{DeleteCause, Remainder};
use crate::provider::EndpointId;

/// What this process remembers of one resource.
///
/// Each method is called at the moment it names, so that dropping a call half-way (a time-out, a
/// shutdown) leaves what is remembered on the safe side: a create counts as unanswered from the moment
/// before it is sent.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Memory {
    attempt: Option<Box<Attempt>>,
    progress: Progress,
    in_hand: Option<InHand>,
    reactivation: Option<Reactivation>,
}

impl Memory {
    /// The attempt is about to be written to the resource. Nothing is sent before that has succeeded.
    pub fn recording(&mut self, attempt: &Attempt) {
        self.attempt = Some(Box::new(attempt.clone()));
        self.progress = Progress::Unsent;
    }

    /// The recorded attempt is about to be sent, at `now` by the API's clock.
    pub fn sending(&mut self, now: Timestamp) {
        self.progress = Progress::Unanswered(now);
    }

    /// The API's answer, or the lack of one, leaves open what became of the create, at `now`.
    pub fn unanswered(&mut self, now: Timestamp) {
        self.progress = Progress::Unanswered(now);
    }

    /// The create certainly had no effect.
    pub fn refused(&mut self) {
        self.progress = Progress::Unsent;
    }

    /// The create was answered.
    pub fn created(&mut self, id: EndpointId, answer: Answer) {
        let attempt = self.attempt.as_ref().map_or(0, |attempt| attempt.number);
        self.in_hand = Some(InHand { attempt, id, answer });
    }

    /// The secret in hand is stored.
    pub fn stored(&mut self) {
        self.in_hand = None;
        self.progress = Progress::Unknown;
        self.attempt = None;
    }

    /// An endpoint was deleted, or was not there any more.
    pub fn deleted(&mut self, id: &EndpointId, cause: &DeleteCause) {
        match cause {
            DeleteCause::InHand => {
                self.in_hand = None;
                self.progress = Progress::Undone;
            }
            DeleteCause::Orphan { attempt, remainder: Remainder::Nothing, .. } => {
                self.attempt = Some(attempt.clone());
                self.progress = Progress::Undone;
            }
            DeleteCause::Orphan { remainder: Remainder::Others, .. } | DeleteCause::Removed => {}
        }
        if self.in_hand.as_ref().is_some_and(|hand| hand.id == *id) {
            self.in_hand = None;
        }
    }

    /// An endpoint was reactivated at `now`, by the API's clock.
    pub fn reactivated(&mut self, now: Timestamp) {
        let quiet = jiff::SignedDuration::from_hours(48);
        let earlier = self.reactivation.filter(|last| now.duration_since(last.at) < quiet);
        let count = earlier.map_or(0, |last| last.count).saturating_add(1);
        self.reactivation = Some(Reactivation { count, at: now });
    }

    /// What is remembered of `attempt`'s outcome.
    #[must_use]
    pub fn progress(&self, attempt: &Attempt) -> Progress {
        let same = |own: &Attempt| (own.number, own.started_at) == (attempt.number, attempt.started_at);
        if self.attempt.as_deref().is_some_and(same) { self.progress } else { Progress::Unknown }
    }

    /// The attempt that this process sent, and whose outcome it does not know.
    #[must_use]
    pub fn unanswered_attempt(&self) -> Option<&Attempt> {
        self.attempt.as_deref().filter(|_| matches!(self.progress, Progress::Unanswered(_)))
    }

    /// The created endpoint whose secret is in memory and nowhere else.
    #[must_use]
    pub fn in_hand(&self) -> Option<&InHand> {
        self.in_hand.as_ref()
    }

    /// Earlier reactivations.
    #[must_use]
    pub fn reactivation(&self) -> Option<Reactivation> {
        self.reactivation
    }
}
