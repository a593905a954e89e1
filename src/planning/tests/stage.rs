//! One resource, a network and a Secret store that do as they are told, and a trace of the steps.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::SignedDuration;

use super::given::{Given, URL, at};
use super::show::{long, time};
use crate::planning::{
    Action, Answer, DeleteCause, Finalizer, FreshList, HeldSecret, Holders, InHand, Intent, Memory, Outcome,
    PatchCause, Presence, Progress, Remote, Role, SecretData, SecretShape, SecretState, SecretWrites, Step,
    Timing, plan, report,
};
use crate::provider::{Endpoint, EndpointId, EndpointPatch};

/// What becomes of the next create.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// It is answered.
    Answered,
    /// It makes the endpoint, and the answer is lost.
    AnswerLost,
    /// It is lost.
    Lost,
    /// It is refused.
    Refused,
}

/// One resource, a network and a Secret store.
pub(super) struct Stage {
    pub(super) given: Given,
    pub(super) memory: Memory,
    /// What the network has.
    pub(super) network: Vec<Endpoint>,
    /// What becomes of the next create.
    pub(super) fate: Fate,
    /// Whether Secrets can be written.
    pub(super) writable: bool,
    /// What was neither found nor listed, and then, a moment later, not listed again.
    missed: BTreeSet<EndpointId>,
    trace: String,
}

impl Stage {
    /// A stage on which `given` plays, in a network that has what it sees.
    pub(super) fn new(given: Given) -> Self {
        let seen = given.observed.remote.values().filter_map(|remote| match &remote.presence {
            Presence::Present(endpoint) => Some(Endpoint::clone(endpoint)),
            Presence::Unlisted | Presence::Missing { .. } | Presence::Gone => None,
        });
        let network = seen.chain(given.observed.candidates.clone()).collect();
        let memory = Memory::default();
        Self {
            given,
            memory,
            network,
            fate: Fate::Answered,
            writable: true,
            missed: BTreeSet::new(),
            trace: String::new(),
        }
    }

    pub(super) fn trace(self) -> String {
        self.trace
    }

    fn tell(&mut self, told: &str) {
        let now = time(self.given.now);
        let _ = writeln!(self.trace, "{now:>6}  {told}");
    }

    /// Something happens.
    pub(super) fn meanwhile(&mut self, told: &str, happens: impl FnOnce(&mut Self)) -> &mut Self {
        self.tell(&format!("* {told}"));
        happens(self);
        self
    }

    /// The process dies, and another starts and lists the network.
    pub(super) fn crashes(&mut self) -> &mut Self {
        self.meanwhile("the process dies; another starts and lists", |stage| {
            stage.memory = Memory::default();
            stage.pass(1);
            stage.list();
        })
    }

    pub(super) fn waits_until(&mut self, seconds: i64) -> &mut Self {
        self.given.now = at(seconds);
        self
    }

    fn pass(&mut self, seconds: i64) {
        self.given.now += SignedDuration::from_secs(seconds);
    }

    /// Runs until a create was sent, and no further.
    pub(super) fn runs_until_sent(&mut self) -> &mut Self {
        self.runs_while(|action| !matches!(action, Action::Create { .. }))
    }

    /// Plans and performs until there is nothing to do, or a step can't be done.
    pub(super) fn runs(&mut self) -> &mut Self {
        self.runs_while(|_| true)
    }

    fn runs_while(&mut self, goes_on_after: impl Fn(&Action) -> bool) -> &mut Self {
        for _ in 0..20 {
            self.remember();
            let step = plan(&self.given.intent, &self.given.observed, self.given.now);
            self.tell(&long(&step));
            match step {
                Step::Act(action) => {
                    let goes_on = goes_on_after(&action);
                    if !self.perform(action) || !goes_on {
                        return self;
                    }
                }
                Step::End(outcome) => {
                    self.report(&outcome);
                    return self;
                }
            }
        }
        panic!("it does not come to an end:\n{}", self.trace);
    }

    fn remember(&mut self) {
        let observed = &mut self.given.observed;
        let attempt = observed.attempt.as_ref();
        observed.progress = attempt.map_or(Progress::Unknown, |attempt| self.memory.progress(attempt));
        observed.in_hand = self.memory.in_hand().cloned();
        observed.activations = self.memory.activations().cloned();
        observed.recoveries = self.memory.recoveries();
        let adopted = match &self.given.intent {
            Intent::Converge(desired) | Intent::Pause(desired) => desired.adopt.as_ref(),
            Intent::Finalize(_) | Intent::PauseDeletion | Intent::Unreadable(_) => None,
        };
        let claim = adopted.map(|adopted| adopted.id.clone());
        observed.claim = claim.filter(|_| observed.held().next().is_none());
    }

    /// Does it; says whether it could.
    fn perform(&mut self, action: Action) -> bool {
        let now = self.given.now;
        match action {
            Action::ProveSecretWritable(_) if self.writable => {
                self.given.observed.secret_writes = SecretWrites::Proven;
            }
            Action::StoreSecret { hand, shape, keep, .. } if self.writable => self.store(hand, shape, keep),
            Action::RewriteSecret { name, first, attempt, keep, .. } => {
                let observed = &mut self.given.observed;
                let declared = match &mut observed.secret {
                    SecretState::Held(held) if name == observed.secret_name => Some(held),
                    _ => None,
                };
                let held = declared.or(observed.former_secrets.get_mut(&name)).expect("it is there");
                held.endpoint = Some(first);
                held.attempt = attempt;
                held.previous = keep;
            }
            Action::AdoptSecret { id, shape, .. } => {
                self.given.observed.secret = SecretState::Held(HeldSecret {
                    endpoint: Some(id),
                    labels: shape.labels,
                    annotations: shape.annotations,
                    ..HeldSecret::default()
                });
            }
            Action::ProveSecretWritable(_) | Action::StoreSecret { .. } => {
                self.given.observed.secret_writes = SecretWrites::Unproven;
                self.tell("* the write of the Secret is refused");
                return false;
            }
            Action::RecordAttempt(attempt) => {
                self.memory.recording(&attempt);
                self.given.observed.attempt = Some(*attempt);
                self.given.observed.finalizer = Finalizer::Set;
            }
            Action::SetFinalizer(_) => self.given.observed.finalizer = Finalizer::Set,
            Action::Create { .. } => return self.create(),
            Action::CopySecret { from, .. } => {
                let held = self.given.observed.former_secrets[&from].clone();
                self.given.observed.secret = SecretState::Held(held);
            }
            Action::SyncSecretMetadata { shape, .. } | Action::AcceptSecretMetadata(shape) => {
                let observed = &mut self.given.observed;
                if let Some(found) = observed.unowned_secret().cloned() {
                    observed.secret = SecretState::Held(found);
                }
                if let SecretState::Held(held) = &mut observed.secret {
                    held.labels = shape.labels;
                    held.annotations = shape.annotations;
                    held.ownership = shape.ownership;
                }
            }
            Action::VerifySecret { name, .. } => {
                let observed = &mut self.given.observed;
                let former = observed.former_secrets.get_mut(&name);
                let declared = match &mut observed.secret {
                    SecretState::Held(held) if name == observed.secret_name => Some(held),
                    _ => None,
                };
                match former.or(declared).filter(|held| held.endpoint.is_some()) {
                    Some(held) => held.data = SecretData::AsWritten,
                    None => return false,
                }
            }
            Action::RecordAnswered(number) => self.given.observed.recorded.resolved_attempt = number,
            Action::ReleaseSecret { name } if name == self.given.observed.secret_name => {
                let held = self.given.observed.held_secret().cloned().unwrap_or_default();
                self.given.observed.secret = SecretState::Ownerless(held);
            }
            Action::DeleteSecret { name } | Action::ReleaseSecret { name } => {
                if self.given.observed.former_secrets.remove(&name).is_none() {
                    self.given.observed.secret = SecretState::Absent;
                }
            }
            Action::Patch { id, patch, cause } => {
                self.patch(&id, patch);
                if matches!(cause, PatchCause::Reactivation | PatchCause::Activation) {
                    self.memory.activated(&id, now);
                }
            }
            Action::Confirm { id } => self.see(&id),
            Action::Delete { id, cause } => self.delete(&id, &cause),
            Action::List => self.list(),
            Action::RemoveFinalizer(_) => self.given.observed.finalizer = Finalizer::Absent,
        }
        true
    }

    fn create(&mut self) -> bool {
        self.memory.sending(self.given.now);
        self.pass(1);
        let attempt = self.given.observed.attempt.clone().expect("an attempt is on record");
        let id = EndpointId::from(format!("wh_{}", attempt.number));
        let made = Endpoint {
            id: id.clone(),
            network_id: None,
            url: attempt.url,
            enabled_events: attempt.enabled_events,
            status: attempt.status,
            created_at: Some(self.given.now),
        };
        match self.fate {
            Fate::Answered => {
                self.network.push(made);
                self.memory.created(id.clone(), Answer::WithSecret);
                self.tell(&format!("* answered: {id}"));
                self.see(&id);
            }
            Fate::AnswerLost => {
                self.network.push(made);
                self.unanswered();
            }
            Fate::Lost => self.unanswered(),
            Fate::Refused => {
                self.memory.refused();
                self.tell("* refused");
                return false;
            }
        }
        true
    }

    fn unanswered(&mut self) {
        self.pass(9);
        self.memory.unanswered(self.given.now);
        self.tell("* no answer");
        self.pass(1);
    }

    fn store(&mut self, hand: InHand, shape: SecretShape, keep: Vec<EndpointId>) {
        self.given.observed.secret = SecretState::Held(HeldSecret {
            endpoint: Some(hand.id),
            previous: keep,
            attempt: hand.attempt,
            labels: shape.labels,
            annotations: shape.annotations,
            ..HeldSecret::default()
        });
        self.memory.stored();
    }

    fn patch(&mut self, id: &EndpointId, patch: EndpointPatch) {
        if let Some(endpoint) = self.network.iter_mut().find(|endpoint| endpoint.id == *id) {
            endpoint.enabled_events = patch.enabled_events.unwrap_or_else(|| endpoint.enabled_events.clone());
            endpoint.status = patch.status.unwrap_or_else(|| endpoint.status.clone());
        }
        self.see(id);
    }

    fn delete(&mut self, id: &EndpointId, cause: &DeleteCause) {
        self.network.retain(|endpoint| endpoint.id != *id);
        self.given.observed.candidates.retain(|endpoint| endpoint.id != *id);
        self.memory.deleted(id, cause);
        self.note(id, Presence::Gone);
    }

    /// Looks at one endpoint by a call of its own.
    fn see(&mut self, id: &EndpointId) {
        let found = self.network.iter().find(|endpoint| endpoint.id == *id).cloned();
        let since = self.given.now;
        let missing = if self.missed.remove(id) { Presence::Gone } else { Presence::Missing { since } };
        self.note(id, found.map_or(missing, Presence::from));
    }

    fn note(&mut self, id: &EndpointId, presence: Presence) {
        let remote = Remote { presence, holders: Holders::Sole };
        self.given.observed.remote.insert(id.clone(), remote);
    }

    /// A complete list.
    pub(super) fn list(&mut self) {
        let observed = &mut self.given.observed;
        observed.listed_at = Some(self.given.now);
        observed.fresh_list = FreshList::NotRequested;
        observed.candidates =
            self.network.iter().filter(|endpoint| endpoint.url.as_str() == URL).cloned().collect();
        let known: BTreeSet<_> = observed.held().chain(observed.remote.keys()).cloned().collect();
        for id in known {
            let found = self.network.iter().find(|endpoint| endpoint.id == id).cloned();
            let missing = match observed.presence(&id) {
                Some(Presence::Missing { since }) if self.given.now >= Timing::believed_from(*since) => {
                    self.missed.insert(id.clone());
                    Presence::Unlisted
                }
                Some(known @ (Presence::Gone | Presence::Missing { .. })) => known.clone(),
                Some(Presence::Present(_) | Presence::Unlisted) | None => Presence::Unlisted,
            };
            let presence = found.map_or(missing, Presence::from);
            observed.remote.insert(id, Remote { presence, holders: Holders::Sole });
        }
        self.pass(1);
    }

    fn report(&mut self, outcome: &Outcome) {
        let Given { now, intent, observed } = &mut self.given;
        let Some(told) = report(intent, outcome, observed, *now) else { return };
        let mut recorded = observed.recorded.clone();
        let current = told.endpoint.map(|endpoint| endpoint.id.clone()).or(recorded.current().cloned());
        let retiring = told.retiring.iter().map(|old| (old.id.clone(), Role::Retiring { since: old.since }));
        let next = told.next.iter().map(|next| (next.id.clone(), Role::Next));
        recorded.endpoints = retiring.chain(next).chain(current.map(|id| (id, Role::Current))).collect();
        recorded.next_since = told.next.map(|next| next.since);
        recorded.handled_rotation = told.handled_rotation.map(str::to_owned);
        recorded.resolved_attempt = told.resolved_attempt;
        recorded.applied_generation = told.applied_generation;
        recorded.generation = observed.generation;
        observed.recorded = recorded;
    }
}
