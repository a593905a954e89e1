//! What a process remembers of a resource between two plans; all of it may be lost in a crash.

use jiff::Timestamp;

use super::attempt::{Answer, Attempt, InHand, Progress, Purpose};
use super::observed::Repetition;
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
    activations: Option<(EndpointId, Repetition)>,
    recoveries: Option<Repetition>,
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
        let attempt = self.attempt.take().filter(|attempt| attempt.purpose == Purpose::SecretLost);
        if let Some(attempt) = attempt {
            self.recoveries = Some(Repetition::again(self.recoveries, attempt.started_at));
        }
    }

    /// An endpoint is about to be deleted. Whether it was may never be known, so its secret is not stored any more.
    pub fn deleting(&mut self, cause: &DeleteCause) {
        if let Some(hand) = self.in_hand.as_mut().filter(|_| *cause == DeleteCause::InHand)
            && hand.answer == Answer::WithSecret
        {
            hand.answer = Answer::WithoutSecret;
        }
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
            DeleteCause::Orphan { remainder: Remainder::Others, .. }
            | DeleteCause::Removed
            | DeleteCause::Superseded
            | DeleteCause::Replaced
            | DeleteCause::Retired => {}
        }
        if self.in_hand.as_ref().is_some_and(|hand| hand.id == *id) {
            self.in_hand = None;
        }
    }

    /// An endpoint was set active at `now`, by the API's clock.
    pub fn activated(&mut self, id: &EndpointId, now: Timestamp) {
        let earlier = self.activations.take().filter(|(earlier, _)| earlier == id);
        let count = Repetition::again(earlier.map(|(_, earlier)| earlier), now);
        self.activations = Some((id.clone(), count));
    }

    /// What is remembered of `attempt`'s outcome.
    #[must_use]
    pub fn progress(&self, attempt: &Attempt) -> Progress {
        let same = |own: &Attempt| (own.number, own.started_at) == (attempt.number, attempt.started_at);
        if self.attempt.as_deref().is_some_and(same) { self.progress } else { Progress::Unknown }
    }

    /// The latest attempt that was written to the resource, or is about to be.
    #[must_use]
    pub fn recorded(&self) -> Option<&Attempt> {
        self.attempt.as_deref()
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

    /// Earlier activations of an endpoint.
    #[must_use]
    pub fn activations(&self) -> Option<&(EndpointId, Repetition)> {
        self.activations.as_ref()
    }

    /// Earlier replacements of endpoints whose secrets were lost.
    #[must_use]
    pub fn recoveries(&self) -> Option<Repetition> {
        self.recoveries
    }
}
