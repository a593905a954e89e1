//! A model of the executor: one step, performed with one of its possible outcomes.
//!
//! A call and what is remembered of it are one step here: the executor holds a lock per URL across a
//! create or a resolution, so nothing of the same URL happens in between in one process.

use std::collections::BTreeSet;
use std::sync::Arc;

use webhook_operator::planning::{
    Action, Attempt, DeleteCause, Intent, Leftover, Observed, Reach, Rest, State, Step,
};
use webhook_operator::provider::{EndpointPatch, EndpointStatus};

use super::api::{Events, Id, Lag, Maker, concerns, parse_id};
use super::cluster::{Condition, Resource, Secret};
use super::mutation::Mutation;
use super::process::Sight;
use super::time::Tick;
use super::world::{Flaw, World};

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    Done,
    /// The request was lost: no effect, no answer.
    RequestLost,
    /// The answer was lost.
    AnswerLost,
    /// No answer, and the effect comes later or never.
    Late,
    /// Refused for certain.
    Refused,
    /// Answered without the secret.
    WithoutSecret,
    /// The list, or the GET, does not show all.
    Lagging(Lag),
}

impl World {
    /// Performs the next step of resource `who`; nothing when it has none.
    pub fn act(&mut self, who: usize, outcome: Outcome, mutation: Option<Mutation>) {
        let Some((step, intent, observed)) = self.plan(who, mutation) else { return };
        match step {
            Step::Rest(rest) => self.report(who, &rest),
            Step::Act(action) => self.perform(who, action, &intent, &observed, outcome, mutation),
        }
    }

    fn perform(
        &mut self,
        who: usize,
        action: Action,
        intent: &Intent,
        observed: &Observed,
        outcome: Outcome,
        mutation: Option<Mutation>,
    ) {
        match action {
            Action::ProveSecretWritable => self.process.proven = !self.denied,
            Action::RecordAttempt(attempt) => self.record(who, attempt, outcome, mutation),
            Action::Create => self.create(who, intent, outcome, mutation),
            Action::StoreSecret => self.store(who, outcome),
            Action::Patch { id, patch, reactivates } => {
                self.patch(who, parse_id(&id), &patch, outcome);
                if reactivates && outcome == Outcome::Done {
                    let now = self.instant();
                    self.process.memories[who].reactivated(now);
                }
            }
            Action::Confirm { id } => self.confirm(parse_id(&id), outcome),
            Action::Delete { id, cause } => {
                self.delete(who, parse_id(&id), cause, observed, outcome, mutation);
            }
            Action::List => self.list(outcome),
            Action::SetFinalizer => {
                if let Some(resource) = self.places[who].now.resource.as_deref()
                    && self.sees_resource(who)
                {
                    let held = Resource { finalizer: true, ..resource.clone() };
                    self.places[who].write(held);
                    self.process.views[who].resource.clone_from(&self.places[who].now.resource);
                }
            }
            Action::RecordAnswered(number) => {
                if let Some(resource) = self.places[who].now.resource.as_deref()
                    && self.sees_resource(who)
                {
                    let recorded = Resource { resolved: number, ..resource.clone() };
                    self.places[who].write(recorded);
                    self.process.views[who].resource.clone_from(&self.places[who].now.resource);
                }
            }
            Action::ReleaseSecret { name: None } => {
                let place = &mut self.places[who];
                if let Some(endpoint) = place.now.secret.endpoint()
                    && self.process.views[who].secret == place.now.secret
                {
                    place.write_secret(Secret::Released { endpoint });
                    self.process.views[who].secret = Secret::Released { endpoint };
                }
            }
            Action::RemoveFinalizer(leftover) => {
                if self.sees_resource(who) {
                    if let Leftover::OfAttempt(attempt) = leftover {
                        self.warn_of(*attempt);
                    }
                    self.places[who].remove();
                    self.catch_up(who);
                }
            }
            Action::CopySecret { .. }
            | Action::DressSecret
            | Action::DeleteSecret { .. }
            | Action::ReleaseSecret { name: Some(_) } => {
                unreachable!("no Secret is moved or dressed in the model: {action:?}")
            }
        }
    }

    /// Warns of an attempt that was not resolved: the network could not be asked, or could not tell.
    fn warn_of(&mut self, attempt: Attempt) {
        let mut found = self.api.live().map(|(_, remote)| remote).filter(|remote| concerns(&attempt, remote));
        let doubtful =
            found.any(|remote| remote.maker == Maker::Hand || !remote.shown.active || self.api.undated);
        if self.process.reach == Reach::Open && !doubtful {
            self.flaws.insert(Flaw::GivenUp);
        }
        self.warned_of.push(attempt);
    }

    fn sees_resource(&self, who: usize) -> bool {
        self.process.views[who].resource == self.places[who].now.resource
    }

    fn record(&mut self, who: usize, attempt: Attempt, outcome: Outcome, mutation: Option<Mutation>) {
        self.process.memories[who].recording(&attempt);
        let guarded = mutation != Some(Mutation::UnguardedRecord);
        if outcome == Outcome::RequestLost || guarded && !self.sees_resource(who) {
            return;
        }
        let Some(resource) = self.places[who].now.resource.as_deref() else { return };
        let recorded = Resource { finalizer: true, attempt: Some(Arc::new(attempt)), ..resource.clone() };
        self.places[who].write(recorded);
        if outcome == Outcome::Done {
            self.process.views[who].resource.clone_from(&self.places[who].now.resource);
        }
    }

    fn create(&mut self, who: usize, intent: &Intent, outcome: Outcome, mutation: Option<Mutation>) {
        let Intent::Keep(desired) = intent else { return };
        let attempt = self.process.views[who].resource.as_ref().and_then(|resource| resource.attempt.clone());
        let sent =
            attempt.map_or_else(|| desired.endpoint.enabled_events.clone(), |a| a.enabled_events.clone());
        let events = Events::of(&sent);
        let (now, instant) = (self.now, self.instant());
        let memory = &mut self.process.memories[who];
        if mutation != Some(Mutation::SendUnannounced) {
            memory.sending(instant);
        }
        match outcome {
            Outcome::Refused => memory.refused(),
            Outcome::RequestLost => {}
            Outcome::AnswerLost => {
                self.api.post(who, events, now, now);
            }
            Outcome::Late => self.api.send(who, events, now),
            Outcome::Done | Outcome::WithoutSecret | Outcome::Lagging(_) => {
                let id = self.api.post(who, events, now, now);
                self.process.memories[who].created(super::api::endpoint_id(id), outcome == Outcome::Done);
                self.process.created.insert(id, who);
                self.process.see(&self.api, id);
            }
        }
    }

    fn store(&mut self, who: usize, outcome: Outcome) {
        let Some(hand) = self.process.memories[who].in_hand().cloned() else { return };
        if self.denied {
            self.process.proven = false;
            return;
        }
        // Created when the view shows none, replaced under its resourceVersion when it shows one.
        if outcome == Outcome::RequestLost || self.process.views[who].secret != self.places[who].now.secret {
            return;
        }
        if self.places[who].now.secret == Secret::Foreign {
            self.flaws.insert(Flaw::ForeignSecretTouched);
        }
        let secret =
            Secret::Held { endpoint: parse_id(&hand.id), attempt: hand.attempt, genuine: hand.has_secret };
        self.places[who].write_secret(secret.clone());
        if outcome == Outcome::Done {
            self.process.memories[who].stored();
            self.process.views[who].secret = secret;
            self.process.proven = true;
        }
    }

    fn patch(&mut self, who: usize, id: Id, patch: &EndpointPatch, outcome: Outcome) {
        if outcome == Outcome::RequestLost {
            return;
        }
        self.touch(who, id);
        if let Some(remote) = self.api.get_mut(id) {
            if let Some(events) = &patch.enabled_events {
                remote.shown.events = Events::of(events);
            }
            if let Some(status) = &patch.status {
                remote.shown.active = *status == EndpointStatus::Active;
            }
        }
        if outcome == Outcome::Done {
            self.process.see(&self.api, id);
        }
    }

    /// Notes a change of an endpoint that is not `who`'s to change.
    fn touch(&mut self, who: usize, id: Id) {
        let foreign = self.api.get(id).is_some_and(|remote| remote.maker == Maker::Hand);
        let anothers = self.everybody().any(|other| other != who && self.places[other].now.holds(id));
        if foreign || anothers {
            self.flaws.insert(Flaw::ForeignEndpointTouched);
        }
    }

    fn confirm(&mut self, id: Id, outcome: Outcome) {
        match outcome {
            Outcome::Done => self.process.see(&self.api, id),
            Outcome::Lagging(_) => {
                self.process.seen.insert(id, Sight::Gone);
            }
            _ => {}
        }
    }

    fn delete(
        &mut self,
        who: usize,
        id: Id,
        cause: DeleteCause,
        observed: &Observed,
        outcome: Outcome,
        mutation: Option<Mutation>,
    ) {
        let cleared = match cause {
            DeleteCause::InHand => true,
            DeleteCause::Removed => self.sees_resource(who),
            DeleteCause::Orphan { .. } => {
                self.sees_resource(who)
                    && (mutation == Some(Mutation::TrustCachedClaims) || self.is_unclaimed(who, id))
                    && (mutation == Some(Mutation::TrustCachedRivals)
                        || self.live_rival_posts(who, observed) <= observed.rival_posts)
            }
        };
        if !cleared || outcome == Outcome::RequestLost {
            return;
        }
        self.touch(who, id);
        let place = &self.places[who].now;
        let kept = place.resource.as_ref().is_some_and(|resource| !resource.deleting);
        let retained = self.everybody().any(|who| match self.places[who].now.secret {
            Secret::Released { endpoint } => endpoint == id,
            _ => false,
        });
        if retained || kept && place.secret.endpoint() == Some(id) {
            self.flaws.insert(Flaw::StoredEndpointDeleted);
        }
        self.api.delete(id);
        if outcome == Outcome::Done {
            self.process.memories[who].deleted(
                &super::api::endpoint_id(id),
                cause,
                observed.attempt.as_ref(),
            );
            self.process.seen.insert(id, Sight::Gone);
        }
    }

    /// Whether no Secret, and no other resource, holds an endpoint: read past the cache before an orphan is
    /// deleted.
    fn is_unclaimed(&self, who: usize, id: Id) -> bool {
        let mut others = self.everybody().filter(|other| *other != who);
        self.everybody().all(|any| self.places[any].now.secret.stored() != Some(id))
            && !others.any(|other| self.places[other].now.holds(id))
    }

    /// The creates of other resources that may have made the same: read past the cache, too.
    fn live_rival_posts(&self, who: usize, observed: &Observed) -> u32 {
        let others = self.everybody().filter(|other| *other != who);
        let rivals = others.filter_map(|other| self.places[other].now.open_attempt(other));
        let own = observed.attempt.as_ref();
        let rivals = rivals.filter(|rival| own.is_some_and(|own| rival.resembles(own)));
        rivals.map(|rival| rival.posts).sum()
    }

    /// When a list that begins now is taken: it takes time, so one that follows another in the same tick
    /// takes the tick.
    pub fn lists_at(&self) -> Tick {
        if self.process.listed_at == Some(self.now) { self.now + 1 } else { self.now }
    }

    fn list(&mut self, outcome: Outcome) {
        if self.lists_at() > self.now {
            self.advance();
        }
        match outcome {
            Outcome::Done => self.process.list(&self.api, self.now, Lag::None),
            Outcome::Lagging(lag) => self.process.list(&self.api, self.now, lag),
            _ => {}
        }
    }

    /// Writes what a rest says to the status, unless it says so already.
    fn report(&mut self, who: usize, rest: &Rest) {
        let view = &self.process.views[who];
        let Some(resource) = view.resource.as_deref() else { return };
        let condition = self.condition(rest);
        let mut reported = Resource { condition, ..resource.clone() };
        if let Secret::Held { endpoint, attempt, .. } = view.secret {
            reported.resolved = reported.resolved.max(attempt);
            if let Some(Sight::Present(_)) = self.process.seen.get(&endpoint) {
                reported.recorded = Some(endpoint);
            }
        }
        reported.reached |= rest.state == State::Ready;
        if rest.state == State::Ready && !self.is_true(who) {
            self.flaws.insert(Flaw::UntrueReady);
        }
        if reported != *resource && self.sees_resource(who) {
            self.places[who].write(reported);
            self.process.views[who].resource.clone_from(&self.places[who].now.resource);
        }
    }

    fn condition(&self, rest: &Rest) -> Condition {
        match rest.state {
            State::Ready => Condition::Ready,
            State::Drifted => Condition::Drifted,
            State::Reconciling | State::Gone => Condition::UnderWay,
            State::Stalled => {
                let named = (0..).zip(&self.api.endpoints).map(|(id, _)| id);
                let named = named.filter(|id| rest.message.contains(super::api::endpoint_id(*id).as_str()));
                Condition::Stalled(named.collect::<BTreeSet<Id>>())
            }
        }
    }

    /// Whether `Ready` is true of what this process can see of resource `who`.
    fn is_true(&self, who: usize) -> bool {
        let Secret::Held { endpoint, genuine: true, .. } = self.process.views[who].secret else {
            return false;
        };
        let live = self.api.get(endpoint).is_some() || self.removed_by_hand.contains(&endpoint);
        live && self.api.endpoints[usize::from(endpoint)].maker == Maker::Resource(who)
    }
}
