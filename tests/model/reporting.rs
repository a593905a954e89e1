//! A model of what is written to the status, and of whether it is true.

use std::collections::BTreeSet;

use webhook_operator::planning::{self, Intent, State, report};
use webhook_operator::provider::{Endpoint, EndpointStatus};

use super::api::{Id, Maker, Url, endpoint_id, parse_id};
use super::cluster::{Condition, Generation, Resource, Secret};
use super::perform::Act;
use super::process::Sight;
use super::time::tick;
use super::world::{Flaw, World};

impl World {
    /// Writes how an activation ended to the status, unless it says so already.
    pub fn report(&mut self, act: Act<'_>, intent: &Intent, end: &planning::Outcome) {
        let Act { view, observed, .. } = act;
        let Some(resource) = view.resource.as_deref() else { return };
        let Some(told) = report(intent, end, observed, self.instant()) else { return };
        let recorded_url = |endpoint: &Endpoint| {
            let sent = told.requested_url.unwrap_or(&endpoint.url);
            (Url::spelt(sent), endpoint.url.as_str() != sent.as_str())
        };
        let next = told.next.map(|next| {
            let url = next.requested_url.or(next.endpoint.map(|endpoint| &endpoint.url));
            let known = resource.next.map(|(_, url, _)| url);
            (parse_id(next.id), url.map(Url::spelt).or(known).unwrap_or(Url::Usual), tick(next.since))
        });
        let reported = Resource {
            condition: self.condition(end),
            generation: if told.applied_generation == observed.generation {
                Generation::Applied
            } else {
                Generation::Observed
            },
            recorded: told.endpoint.map(|endpoint| parse_id(&endpoint.id)).or(resource.recorded),
            recorded_url: told.endpoint.map(recorded_url).or(resource.recorded_url),
            next,
            retiring: told.retiring.iter().map(|old| (parse_id(old.id), tick(old.since))).collect(),
            answered: told.handled_rotation.map_or(0, |request| request.parse().expect("a number")),
            resolved: told.resolved_attempt,
            ..resource.clone()
        };
        if end.state == State::Ready && !self.is_true(act, intent) {
            self.flaws.insert(Flaw::UntrueReady);
        }
        if reported != *resource {
            self.write(act, |resource| *resource = reported);
        }
    }

    fn condition(&self, end: &planning::Outcome) -> Condition {
        match end.state {
            State::Ready => Condition::Ready,
            State::Drifted => Condition::Drifted,
            State::Reconciling | State::Replacing(_) | State::Paused(_) | State::Gone => Condition::UnderWay,
            State::Stalled => {
                let named = (0..).zip(&self.api.endpoints).map(|(id, _)| id);
                let named = named.filter(|id| end.message.contains(endpoint_id(*id).as_str()));
                Condition::Stalled(end.reason, named.collect::<BTreeSet<Id>>())
            }
        }
    }

    /// Whether `Ready` is true of what this process can see of its resource: the secret of its own endpoint is
    /// stored under the declared name, and the endpoint was as declared when it was last seen.
    fn is_true(&self, act: Act<'_>, intent: &Intent) -> bool {
        let Act { who, view, .. } = act;
        let Intent::Converge(desired) = intent else { return false };
        let Secret::Held { endpoint, genuine: true, .. } = *view.declared_secret() else { return false };
        let live = self.api.get(endpoint).is_some() || self.removed_by_hand.contains(&endpoint);
        let own = self.api.endpoints[usize::from(endpoint)].maker == Maker::Resource(who);
        let Some(Sight::Present(seen)) = self.process.seen.get(&endpoint) else { return false };
        let declared = &desired.endpoint;
        let equal = seen.url == Url::of(&declared.url)
            && seen.events.set() == declared.enabled_events
            && seen.active == (declared.status == EndpointStatus::Active);
        live && own && equal
    }
}
