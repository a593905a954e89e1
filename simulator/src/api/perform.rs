//! Calls and the world: what they meet, what they do, what is recorded.

use axum::body::Body;
use http::Response;

use super::answer::Answer;
use super::call::Call;
use super::{endpoints, shape, token};
use crate::endpoint::NetworkId;
use crate::fault::{FaultKind, Point, Traits};
use crate::ledger::{Effect, Entry};
use crate::operation::Operation;
use crate::store::Slip;
use crate::world::World;

impl World {
    /// The fault that a call meets.
    pub(super) fn meet(&mut self, call: &Call, first_on_connection: bool) -> Option<FaultKind> {
        let network = match call.operation {
            Operation::Token => {
                call.client_id().and_then(|id| self.credentials.network_of_client(&id).cloned())
            }
            _ => self.network_of(call),
        };
        let url_of_id = call.id.as_ref().and_then(|id| self.store.truth(id)).map(|endpoint| &endpoint.url);
        self.faults.meet(&Traits {
            operation: call.operation,
            url: call.url.as_ref().or(url_of_id).map(String::as_str),
            id: call.id.as_ref(),
            network: network.as_ref(),
            has_cursor: call.cursor().is_some(),
            first_on_connection,
        })
    }

    /// Does what a call asks for, and records and answers it.
    pub(super) fn answer(&mut self, call: &Call, slip: Slip, fault: Option<&'static str>) -> Response<Body> {
        let answer = self.perform(call, slip);
        self.record(call, Some(&answer), answer.effect, fault);
        answer.render(self.clock.now())
    }

    /// Records a call that a fault leaves unanswered, before or after its effect.
    pub(super) fn strike(&mut self, call: &Call, point: Point, fault: &'static str) {
        let performed = match point {
            Point::BeforeEffect => None,
            Point::AfterEffect => Some(self.perform(call, Slip::None)),
        };
        let entry = self.entry(call, performed.as_ref());
        let effect = performed.map_or(Effect::None, |performed| performed.effect);
        self.ledger.append(Entry { status: None, effect, fault: Some(fault), ..entry });
    }

    /// Does what a call asked for whose effect was deferred.
    pub(super) fn complete(&mut self, call: &Call, sequence: u64, fault: &'static str) {
        let performed = self.perform(call, Slip::None);
        let entry = self.entry(call, Some(&performed));
        let effect = performed.effect;
        let completes = Some(sequence);
        self.ledger.append(Entry { status: None, effect, fault: Some(fault), completes, ..entry });
    }

    /// Records a call; gives the entry's sequence.
    pub(super) fn record(
        &mut self,
        call: &Call,
        answer: Option<&Answer>,
        effect: Effect,
        fault: Option<&'static str>,
    ) -> u64 {
        let entry = self.entry(call, answer);
        self.ledger.append(Entry { effect, fault, ..entry })
    }

    /// Does what a call asks for.
    pub(super) fn perform(&mut self, call: &Call, slip: Slip) -> Answer {
        let answer = match call.operation {
            Operation::Token => token::issue(self, call),
            Operation::Unknown => endpoints::unknown(call),
            _ => endpoints::perform(self, call, slip),
        };
        shape::shape(answer, call, &self.habits)
    }

    fn entry(&self, call: &Call, answer: Option<&Answer>) -> Entry {
        Entry {
            sequence: 0,
            time: self.clock.now(),
            operation: call.operation,
            network: answer.and_then(|answer| answer.network.clone()).or_else(|| self.network_of(call)),
            id: answer.and_then(|answer| answer.id.clone()).or_else(|| call.id.clone()),
            url: call.url.clone(),
            fields: call.fields.clone(),
            starting_after: call.cursor(),
            status: answer.map(|answer| answer.status.as_u16()),
            effect: Effect::None,
            fault: None,
            completes: None,
        }
    }

    /// The network of a call's bearer token.
    fn network_of(&self, call: &Call) -> Option<NetworkId> {
        let caller = self.credentials.caller(call.bearer.as_ref()?, self.clock.elapsed())?;
        Some(caller.network)
    }
}
