//! A model of the executor: one step, performed with one of its possible outcomes.
//!
//! A call and what is remembered of it are one step here: the executor holds a lock per URL across a
//! create or a resolution, so nothing of the same URL happens in between in one process.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use webhook_operator::planning::{
    Action, Answer, Attempt, DeleteCause, Leftover, Observed, PatchCause, Reach, Step,
};
use webhook_operator::provider::{EndpointPatch, EndpointStatus};

use super::api::{Events, Id, Lag, Maker, Request, concerns, endpoint_id, parse_id};
use super::cluster::{Name, Resource, View};
use super::mutation::Mutation;
use super::planned::{Planned, ROTATION};
use super::process::Sight;
use super::time::{Tick, second};
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

/// Who acts, from which view of its resource, and how it turns out.
#[derive(Clone, Copy)]
pub struct Act<'a> {
    pub who: usize,
    pub view: &'a View,
    pub observed: &'a Observed,
    pub outcome: Outcome,
    pub mutation: Option<Mutation>,
}

impl World {
    /// Performs the next step of resource `who`; nothing when it has none.
    pub fn act(&mut self, who: usize, outcome: Outcome, mutation: Option<Mutation>) {
        let Some(planned) = self.plan(who, mutation) else { return };
        let view = self.view(who).clone();
        if self.begun.as_ref().is_some_and(|begun| begun.who == who) {
            self.begun = None;
        }
        let Planned { step, intent, observed } = &*planned;
        let act = Act { who, view: &view, observed, outcome, mutation };
        match step {
            Step::End(end) => self.report(act, intent, end),
            Step::Act(action) => self.perform(act, action),
        }
    }

    fn perform(&mut self, act: Act<'_>, action: &Action) {
        let Act { who, outcome, mutation, .. } = act;
        if action.needs_present_view() && mutation != Some(Mutation::TrustOldView) && !self.is_present(act) {
            return;
        }
        self.note_haste(act, action);
        match action {
            Action::ProveSecretWritable(_) => self.process.proven = !self.denied,
            Action::RecordAttempt(attempt) => self.record(act, attempt),
            Action::Create { attempt, no_later_than } => self.create(act, attempt, *no_later_than),
            Action::StoreSecret { hand, shape, keep, .. } => {
                let keep = keep.iter().map(parse_id).collect();
                self.store(act, hand, Name::parse(&shape.name), keep);
            }
            Action::RewriteSecret { name, first, attempt, keep, .. } => {
                let keep = keep.iter().map(parse_id).collect();
                self.rewrite_secret(act, Name::parse(name), parse_id(first), *attempt, keep);
            }
            Action::CopySecret { from, shape } => {
                self.copy_secret(act, Name::parse(from), Name::parse(&shape.name));
            }
            Action::DeleteSecret { name } => self.delete_secret(act, Name::parse(name)),
            Action::Patch { id, patch, cause } => {
                self.patch(who, parse_id(id), patch, outcome);
                if matches!(cause, PatchCause::Reactivation | PatchCause::Activation)
                    && outcome == Outcome::Done
                {
                    let now = self.instant();
                    self.process.memories[who].activated(id, now);
                }
            }
            Action::Confirm { id } => self.confirm(parse_id(id), outcome),
            Action::Delete { id, cause } => self.delete(act, parse_id(id), cause),
            Action::List => self.list(outcome),
            Action::SetFinalizer(attempt) => {
                self.write(act, |resource| {
                    resource.finalizer = true;
                    if let Some(attempt) = attempt {
                        resource.attempt = Some(Arc::new((**attempt).clone()));
                    }
                });
            }
            Action::RecordAnswered(number) => {
                self.write(act, |resource| resource.resolved = *number);
            }
            Action::ReleaseSecret { name } => self.release_secret(who, Name::parse(name)),
            Action::RemoveFinalizer(leftover) => {
                if self.is_present(act) && !self.is_claimed_since(act) {
                    if let Leftover::OfAttempt(attempt) = leftover {
                        self.warn_of(who, attempt);
                    }
                    self.places[who].remove();
                    self.catch_up(who);
                }
            }
            Action::SyncSecretMetadata { shape, attempt, .. } => {
                self.claim_secret(act, Name::parse(&shape.name), *attempt);
            }
            Action::AcceptSecretMetadata(_) | Action::VerifySecret { .. } | Action::AdoptSecret { .. } => {
                unreachable!(
                    "no labels are declared in the model, nobody else writes values, and nobody adopts"
                )
            }
        }
    }

    /// Warns of an attempt that was not resolved: the network could not be asked, or could not tell.
    fn warn_of(&mut self, who: usize, attempt: &Attempt) {
        let network_tells = self.process.reach == Reach::Open && !self.is_doubtful(attempt);
        if network_tells || self.places[who].now.secrets.show(attempt.number) {
            self.flaws.insert(Flaw::GivenUp);
        }
        self.warned_of.push(attempt.clone());
    }

    /// Whether something is there of which it can't be told whether `attempt` made it.
    pub fn is_doubtful(&self, attempt: &Attempt) -> bool {
        let mut found = self.api.live().map(|(_, remote)| remote).filter(|remote| concerns(attempt, remote));
        found.any(|remote| {
            let odd = self.api.undated || self.api.skew != 0;
            remote.maker == Maker::Hand || !remote.shown.active || odd
        })
    }

    /// Whether the resource is as the activation sees it.
    fn is_present(&self, act: Act<'_>) -> bool {
        act.view.resource == self.places[act.who].now.resource
    }

    /// Writes the resource, unless the activation's view of it is outdated.
    pub fn write(&mut self, act: Act<'_>, change: impl FnOnce(&mut Resource)) {
        if !self.is_present(act) {
            return;
        }
        let Act { who, outcome, .. } = act;
        let Some(mut resource) = self.places[who].now.resource.as_deref().cloned() else { return };
        change(&mut resource);
        self.places[who].write(resource);
        if !matches!(outcome, Outcome::AnswerLost) {
            self.process.views[who].resource.clone_from(&self.places[who].now.resource);
        }
    }

    fn record(&mut self, act: Act<'_>, attempt: &Attempt) {
        let Act { who, outcome, mutation, .. } = act;
        self.process.memories[who].recording(attempt);
        if outcome == Outcome::RequestLost {
            return;
        }
        let live = View { resource: self.places[who].now.resource.clone(), ..View::default() };
        let view = if mutation == Some(Mutation::UnguardedRecord) { &live } else { act.view };
        self.write(Act { view, ..act }, |resource| {
            resource.finalizer = true;
            resource.attempt = Some(Arc::new(attempt.clone()));
        });
    }

    fn create(&mut self, act: Act<'_>, attempt: &Attempt, no_later_than: Timestamp) {
        let Act { who, outcome, mutation, .. } = act;
        let request = Request::of(attempt);
        let (now, instant) = (self.now, self.instant());
        let memory = &mut self.process.memories[who];
        if mutation != Some(Mutation::SendUnannounced) {
            memory.sending(instant);
        }
        // It may have waited for its turn.
        if instant > no_later_than && mutation != Some(Mutation::SendOverdue) {
            return memory.refused();
        }
        match outcome {
            Outcome::Refused => memory.refused(),
            Outcome::RequestLost => {}
            Outcome::AnswerLost => {
                self.api.post(who, request, now, now);
            }
            Outcome::Late => self.api.send(who, request, now),
            Outcome::Done | Outcome::WithoutSecret | Outcome::Lagging(_) => {
                let id = self.api.post(who, request, now, now);
                let answer =
                    if outcome == Outcome::Done { Answer::WithSecret } else { Answer::WithoutSecret };
                self.process.memories[who].created(endpoint_id(id), answer);
                self.process.created.insert(id, who);
                let shown = self.api.endpoints[usize::from(id)].shown.clone();
                self.process.seen.insert(id, Sight::Present(shown));
            }
        }
    }

    fn patch(&mut self, who: usize, id: Id, patch: &EndpointPatch, outcome: Outcome) {
        if outcome == Outcome::RequestLost {
            return;
        }
        self.touch(who, id);
        let away = self.api.away;
        let declared = self.places[who].now.resource.as_ref().map(|resource| resource.request.events.set());
        if patch.enabled_events.is_some() && patch.enabled_events != declared {
            self.flaws.insert(Flaw::OutdatedPatch);
        }
        if patch.status == Some(EndpointStatus::Inactive) {
            self.note_gap(who, id);
        }
        if let Some(remote) = self.api.get_mut(id).filter(|_| !away) {
            if let Some(events) = &patch.enabled_events {
                remote.shown.events = Events::of(events);
            }
            if let Some(status) = &patch.status {
                remote.shown.active = *status == EndpointStatus::Active;
            }
        }
        if outcome == Outcome::Done {
            self.process.see(&self.api, id, self.now);
        }
    }

    /// Notes when an endpoint that delivers does not any more, and no other one of its resource does whose secret is
    /// stored.
    fn note_gap(&mut self, who: usize, id: Id) {
        let delivers = |id: Id| self.api.get(id).is_some_and(|remote| remote.shown.active);
        let mut made = self.api.live().filter(|(_, remote)| remote.maker == Maker::Resource(who));
        let place = &self.places[who].now;
        let other = made.any(|(other, _)| other != id && delivers(other) && place.has_secret_of(other));
        if delivers(id) && !other && place.has_secret_of(id) {
            self.flaws.insert(Flaw::Gap);
        }
    }

    /// Notes what is done before its time.
    fn note_haste(&mut self, act: Act<'_>, action: &Action) {
        let Some(resource) = act.view.resource.as_deref() else { return };
        let is_over = |since: Tick, time: Duration| {
            second(since).saturating_add(time).is_ok_and(|end| end <= self.instant())
        };
        let flaw = match action {
            Action::RecordAttempt(_)
            | Action::Create { .. }
            | Action::Patch { .. }
            | Action::Delete { .. }
                if resource.paused =>
            {
                Some(Flaw::PauseIgnored)
            }
            Action::Patch { id, cause: PatchCause::Activation, .. } => {
                let id = parse_id(id);
                let is_moved = resource.recorded_url.is_none_or(|(url, _)| url != resource.request.url);
                let next = resource.next.filter(|(next, ..)| *next == id);
                let is_due = next.is_some_and(|(.., since)| is_over(since, ROTATION.activate_after));
                let is_stored = act.view.has_secret_of(id);
                match (is_stored, is_moved || is_due) {
                    (false, _) => Some(Flaw::ActivatedUnstored),
                    (true, false) => Some(Flaw::ActivatedEarly),
                    (true, true) => None,
                }
            }
            Action::Delete { id, cause: DeleteCause::Retired } => {
                let since = resource.retiring.get(&parse_id(id));
                let is_due = since.is_some_and(|since| is_over(*since, ROTATION.retire_after));
                (!is_due).then_some(Flaw::RetriesCut)
            }
            _ => None,
        };
        self.flaws.extend(flaw);
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
            Outcome::Done => self.process.see(&self.api, id, self.now),
            Outcome::Lagging(_) => self.process.miss(id, self.now),
            _ => {}
        }
    }

    fn delete(&mut self, act: Act<'_>, id: Id, cause: &DeleteCause) {
        let Act { who, outcome, mutation, .. } = act;
        let cleared = match cause {
            DeleteCause::InHand
            | DeleteCause::Removed
            | DeleteCause::Superseded
            | DeleteCause::Replaced
            | DeleteCause::Retired => true,
            DeleteCause::Orphan { attempt, rival_posts, .. } => {
                (mutation == Some(Mutation::TrustCachedClaims) || self.is_unclaimed(who, id))
                    && (mutation == Some(Mutation::TrustCachedRivals)
                        || self.live_rival_posts(who, attempt) <= *rival_posts)
            }
        };
        if !cleared {
            return;
        }
        self.process.memories[who].deleting(cause);
        if outcome == Outcome::RequestLost {
            return;
        }
        self.touch(who, id);
        let given_up = matches!(cause, DeleteCause::Superseded | DeleteCause::Retired);
        if given_up {
            self.note_gap(who, id);
        }
        let place = &self.places[who].now;
        let kept = place.resource.as_ref().is_some_and(|resource| !resource.deleting);
        // One that its own resource takes along was stripped of its owner meanwhile.
        let own = |any: usize| {
            let takes =
                matches!(cause, DeleteCause::Removed | DeleteCause::Superseded | DeleteCause::Retired);
            any == who && takes
        };
        let mut places = self.everybody().filter(|any| !own(*any)).map(|any| &self.places[any].now);
        let released = places.any(|place| place.secrets.released().any(|released| released == id));
        if released || kept && !given_up && place.secrets.endpoints().any(|stored| stored == id) {
            self.flaws.insert(Flaw::StoredEndpointDeleted);
        }
        let found = self.api.shown(id).is_some();
        if found {
            self.api.delete(id);
        }
        if outcome != Outcome::Done {
            return;
        }
        if found || self.process.seen.get(&id) == Some(&Sight::Gone) {
            self.process.memories[who].deleted(&endpoint_id(id), cause);
            self.process.seen.insert(id, Sight::Gone);
        } else {
            // Answered 404, and asked for.
            self.process.miss(id, self.now);
        }
    }

    /// Whether no Secret, and no other resource, holds an endpoint: read past the cache before an orphan is
    /// deleted.
    fn is_unclaimed(&self, who: usize, id: Id) -> bool {
        let mut others = self.everybody().filter(|other| *other != who);
        self.everybody().all(|any| !self.places[any].now.secrets.store(id))
            && !others.any(|other| self.places[other].now.holds(id))
    }

    /// The creates of other resources that may have made the same: read past the cache, too.
    fn live_rival_posts(&self, who: usize, own: &Attempt) -> u32 {
        let others = self.everybody().filter(|other| *other != who);
        let rivals = others.filter_map(|other| self.places[other].now.open_attempt(other));
        rivals.filter(|rival| rival.resembles(own)).map(|rival| rival.posts).sum()
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
}
