//! All that can happen next.

use std::sync::Arc;

use webhook_operator::planning::{Action, Reach, Step};

use super::api::{Lag, Maker};
use super::cluster::View;
use super::deeds;
use super::mutation::Mutation;
use super::perform::Outcome;
use super::process::Process;
use super::time::Tick;
use super::world::{Begun, Deed, World};

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Event {
    /// Resource `who` is activated, and its next step turns out so.
    Act { who: usize, outcome: Outcome },
    /// Resource `who` is activated, and something else happens before its next step is performed.
    Begin { who: usize },
    /// The watch shows a resource and its Secret as they are.
    CatchUp { who: usize },
    /// The lister lists.
    Resync { lag: Lag },
    /// A tick passes.
    Advance,
    /// A create that was in flight takes effect.
    TakeEffect { post: usize },
    /// The process dies and another starts.
    Crash(Crash),
    /// The API shows an empty copy, until the next tick.
    FailOver,
    /// Secrets can't be written from now on.
    Deny,
    /// Secrets can be written again.
    Allow,
    /// The process has waited for the network for long enough.
    Shut,
    /// The network answers the process again.
    Open,
    /// Somebody does something.
    Deed(Deed),
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Crash {
    /// Whose create is in flight at that moment, if the process was about to send one.
    pub sending: Option<usize>,
    /// What the next process sees too late.
    pub stale: Stale,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stale {
    Nothing,
    /// A resource, by so many versions.
    Resource(usize, usize),
    /// A Secret, by one version.
    Secret(usize),
    /// Both, by one version.
    Both(usize),
}

impl World {
    /// What can happen next, until the clock shows `horizon`.
    pub fn events(&self, horizon: Tick, mutation: Option<Mutation>, events: &mut Vec<Event>) {
        // Nothing but deletion goes on before the first list; what else happens before it might as well
        // happen after.
        if self.process.listed_at.is_none() {
            return events.extend(self.lags(self.now).map(|lag| Event::Resync { lag }));
        }
        for who in self.everybody() {
            // One activation at a time is looked at so closely.
            if self.begun.as_ref().is_none_or(|begun| begun.who == who) {
                self.acts(who, mutation, events);
            }
            if !self.is_up_to_date(who) {
                events.push(Event::CatchUp { who });
            }
        }
        if self.budget.resyncs > 0 && self.process.listed_at != Some(self.now) {
            events.extend(self.lags(self.now).map(|lag| Event::Resync { lag }));
        }
        if self.now < horizon {
            events.push(Event::Advance);
        }
        events.extend((0..self.api.in_flight.len()).map(|post| Event::TakeEffect { post }));
        if self.budget.failovers > 0 && !self.api.away {
            events.push(Event::FailOver);
        }
        if self.denied {
            events.push(Event::Allow);
        } else if self.budget.denials > 0 {
            events.push(Event::Deny);
        }
        match self.process.reach {
            Reach::Shut => events.push(Event::Open),
            Reach::Open if self.budget.shut > 0 => events.push(Event::Shut),
            Reach::Open => {}
        }
        events.extend(
            self.budget
                .deeds
                .iter()
                .filter(|deed| deeds::possible(self, **deed))
                .map(|deed| Event::Deed(*deed)),
        );
        if self.budget.crashes > 0 {
            self.crashes(mutation, events);
        }
    }

    fn acts(&self, who: usize, mutation: Option<Mutation>, events: &mut Vec<Event>) {
        let Some(planned) = self.plan(who, mutation) else { return };
        if self.budget.between > 0 && self.begun.is_none() && matches!(planned.step, Step::Act(_)) {
            events.push(Event::Begin { who });
        }
        let mut act = |outcome| events.push(Event::Act { who, outcome });
        if let Step::Act(Action::List) = planned.step {
            return self.lags(self.lists_at()).for_each(|lag| act(Outcome::Lagging(lag)));
        }
        act(Outcome::Done);
        let Step::Act(action) = &planned.step else { return };
        if let Action::Confirm { id } = action
            && self.budget.lagging > 0
            && self.api.get(super::api::parse_id(id)).is_some_and(|remote| self.now < remote.settled_at)
        {
            act(Outcome::Lagging(Lag::Fresh));
        }
        if let Action::Create { .. } = action
            && self.budget.refused > 0
        {
            act(Outcome::Refused);
            act(Outcome::WithoutSecret);
        }
        if self.budget.lost == 0 {
            return;
        }
        match action {
            Action::Create { .. } => {
                [Outcome::RequestLost, Outcome::AnswerLost, Outcome::Late].into_iter().for_each(act);
            }
            Action::Delete { .. }
            | Action::RecordAttempt(_)
            | Action::StoreSecret { .. }
            | Action::RewriteSecret { .. }
            | Action::CopySecret { .. }
            | Action::DeleteSecret { .. }
            | Action::Patch { .. } => act(Outcome::AnswerLost),
            _ => {}
        }
    }

    fn lags(&self, at: Tick) -> impl Iterator<Item = Lag> {
        let fresh: Vec<_> =
            self.api.live().filter(|(_, remote)| at < remote.settled_at).map(|(id, _)| id).collect();
        let lagging = self.budget.lagging > 0;
        let all = (lagging && fresh.len() > 1).then_some(Lag::Fresh);
        let one = fresh.into_iter().filter(move |_| lagging).map(Lag::One);
        let gaps = self.budget.gaps > 0;
        let held = |id| self.places.iter().any(|place| place.now.holds(id));
        let gap = self.api.live().filter(move |(id, remote)| {
            gaps && at >= remote.settled_at
                && at > remote.made_at
                && (remote.maker == Maker::Hand || held(*id))
        });
        [Lag::None].into_iter().chain(all).chain(one).chain(gap.map(|(id, _)| Lag::One(id)))
    }

    fn crashes(&self, mutation: Option<Mutation>, events: &mut Vec<Event>) {
        let about_to_send =
            |who: &usize| self.plan(*who, mutation).is_some_and(|planned| is_create(&planned.step));
        let sending = self.everybody().filter(about_to_send).map(Some);
        for sending in [None].into_iter().chain(sending) {
            events.push(Event::Crash(Crash { sending, stale: Stale::Nothing }));
        }
        if self.budget.stale == 0 {
            return;
        }
        for (who, place) in self.places.iter().enumerate() {
            let mut stale = |stale| events.push(Event::Crash(Crash { sending: None, stale }));
            (1..=place.earlier.len()).for_each(|by| stale(Stale::Resource(who, by)));
            if place.earlier_secrets.is_some() {
                stale(Stale::Secret(who));
                if !place.earlier.is_empty() {
                    stale(Stale::Both(who));
                }
            }
        }
    }

    /// An event in words, with the step that it is about.
    pub fn tell(&self, event: Event, mutation: Option<Mutation>) -> String {
        match event {
            Event::Act { who, outcome } => {
                let planned = self.plan(who, mutation);
                let step = planned.as_ref().map(|planned| &planned.step);
                format!("@{} resource {who}: {step:?}: {outcome:?}", self.now)
            }
            other => format!("@{} {other:?}", self.now),
        }
    }

    /// The state after `event`.
    pub fn after(&self, event: Event, mutation: Option<Mutation>) -> Self {
        let mut next = self.clone();
        match event {
            Event::Act { who, outcome } => {
                next.spend(outcome);
                next.act(who, outcome, mutation);
            }
            Event::Begin { who } => {
                next.budget.between -= 1;
                next.begun = Some(Begun { who, process: Arc::new(self.process.clone()), at: self.now });
            }
            Event::CatchUp { who } => next.catch_up(who),
            Event::Resync { lag } => {
                next.spend(Outcome::Lagging(lag));
                next.budget.resyncs -= u8::from(self.process.listed_at.is_some());
                next.process.list(&self.api, self.now, lag);
            }
            Event::Advance => next.advance(),
            Event::TakeEffect { post } => next.take_effect(post),
            Event::Crash(crash) => next.crash(crash, mutation),
            Event::FailOver => {
                next.budget.failovers -= 1;
                next.api.away = true;
            }
            Event::Deny => {
                next.budget.denials -= 1;
                next.denied = true;
            }
            Event::Allow => next.denied = false,
            Event::Shut => {
                next.budget.shut -= 1;
                next.process.reach = Reach::Shut;
            }
            Event::Open => next.process.reach = Reach::Open,
            Event::Deed(deed) => {
                next.budget.deeds.remove(&deed);
                deeds::perform(&mut next, deed);
            }
        }
        next
    }

    fn spend(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::RequestLost | Outcome::AnswerLost | Outcome::Late => self.budget.lost -= 1,
            Outcome::Refused | Outcome::WithoutSecret => self.budget.refused -= 1,
            Outcome::Lagging(Lag::One(id))
                if self.lists_at() >= self.api.endpoints[usize::from(id)].settled_at =>
            {
                self.budget.gaps -= 1;
            }
            Outcome::Lagging(Lag::One(_) | Lag::Fresh) => self.budget.lagging -= 1,
            Outcome::Done | Outcome::Lagging(Lag::None) => {}
        }
    }

    pub fn take_effect(&mut self, post: usize) {
        let post = self.api.in_flight.remove(post);
        self.api.post(post.by, post.request, post.sent_at, self.now);
    }

    fn crash(&mut self, crash: Crash, mutation: Option<Mutation>) {
        if let Some(who) = crash.sending {
            self.act(who, Outcome::Late, mutation);
        }
        self.budget.crashes -= 1;
        let mut views: Vec<View> = self.places.iter().map(|place| place.now.clone()).collect();
        if crash.stale != Stale::Nothing {
            self.budget.stale -= 1;
        }
        let resource = |who: usize, by: usize| Some(Arc::clone(&self.places[who].earlier[by - 1]));
        let secrets = |who: usize| self.places[who].earlier_secrets.clone().unwrap_or_default();
        match crash.stale {
            Stale::Nothing => {}
            Stale::Resource(who, by) => views[who].resource = resource(who, by),
            Stale::Secret(who) => views[who].secrets = secrets(who),
            Stale::Both(who) => {
                views[who] = View { resource: resource(who, 1), secrets: secrets(who) };
            }
        }
        self.begun = None;
        self.process = Process::start(views, self.process.incarnation + 1);
        if self.budget.stale == 0 || self.budget.crashes == 0 {
            self.places.iter_mut().for_each(super::cluster::Place::forget);
        }
    }
}

fn is_create(step: &Step) -> bool {
    matches!(step, Step::Act(Action::Create { .. }))
}
