//! How calls pass through a [`World`].

use http::Method;
use serde_json::Value;

use super::{State, World, counts};
use crate::call::{self, Call, Outcome};
use crate::classify;
use crate::plan::{PlanError, Stop, When};
use crate::signature::{Shape, Signature};
use crate::target::{Kind, Side};

/// The life that a call belongs to is over, or its client is gone: it must be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client of this call is gone: drop it")]
pub(crate) struct Gone;

/// A request that asks to be let in.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) life: u32,
    pub(crate) side: Side,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// A call that waits to be let in, while it waits.
struct Waiting<'a>(&'a World);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
        self.0.announce();
    }
}

/// A call that was let in.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) call: Call,
    /// The plan's moment, if one stops at this call. With [`When::BeforeSent`] the world is frozen
    /// already; go on with [`World::pass`].
    pub(crate) when: Option<When>,
    /// For a mutation that is not held; counted from the same moment as the call is let in, so that
    /// [`World::settled`] cannot miss it.
    pub(crate) under_way: Option<InFlight>,
}

/// A mutation that is about to be sent, or was sent and is not yet answered.
#[derive(Debug)]
pub(crate) struct InFlight(World);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
        self.0.announce();
    }
}

impl World {
    /// Waits for its turn, then journals the call and tells whether a plan stops at it.
    ///
    /// `client_is_there` is asked at the last moment.
    pub(crate) async fn admit(
        &self,
        letter: &Letter<'_>,
        client_is_there: impl Fn() -> bool,
    ) -> Result<Admitted, Gone> {
        let json: Option<Value> = serde_json::from_slice(letter.body).ok();
        let reading = classify::read(letter.side, letter.method, letter.path, letter.query, json.as_ref());
        let fields = json.as_ref().map(call::fields).unwrap_or_default();
        let mut waiting = None;
        loop {
            self.wait_for_thaw(letter.life, &mut waiting).await?;
            // Looked at while unlocked, for it costs a system call.
            if !client_is_there() {
                return Err(Gone);
            }
            let mut state = self.lock();
            if state.life != letter.life {
                return Err(Gone);
            }
            if state.frozen {
                continue;
            }
            let call = state.enter(letter, reading, fields);
            let when = state.match_plan(&call);
            let goes = call.kind == Kind::Mutation && when != Some(When::BeforeSent);
            state.in_flight += usize::from(goes);
            drop(state);
            self.announce();
            return Ok(Admitted { call, when, under_way: goes.then(|| InFlight(self.clone())) });
        }
    }

    async fn wait_for_thaw<'a>(&'a self, life: u32, waiting: &mut Option<Waiting<'a>>) -> Result<(), Gone> {
        {
            let mut state = self.lock();
            if !state.frozen || state.life != life {
                return if state.life == life { Ok(()) } else { Err(Gone) };
            }
            if waiting.is_none() {
                state.waiting += 1;
                *waiting = Some(Waiting(self));
            }
        }
        self.announce();
        self.pass(life).await
    }

    /// Waits while the world is frozen.
    pub(crate) async fn pass(&self, life: u32) -> Result<(), Gone> {
        self.until(|state| {
            if state.life != life {
                return Some(Err(Gone));
            }
            (!state.frozen).then_some(Ok(()))
        })
        .await
    }

    /// Waits until `life` is over.
    pub(crate) async fn life_over(&self, life: u32) {
        self.until(|state| (state.life != life).then_some(())).await;
    }

    /// A mutation that was held goes on; drop what this gives once it is answered.
    pub(crate) fn depart(&self) -> InFlight {
        self.lock().in_flight += 1;
        InFlight(self.clone())
    }

    pub(crate) fn record(&self, sequence: u64, outcome: Outcome) {
        if let Some(call) = self.lock().call(sequence) {
            call.outcome = outcome;
        }
        self.announce();
    }

    /// Freezes the world around an answer that has come for a planned call.
    pub(crate) fn freeze_for(&self, sequence: u64) {
        let mut state = self.lock();
        if state.active.as_ref().is_some_and(|(_, active)| *active == sequence) {
            state.frozen = true;
        }
        drop(state);
        self.announce();
    }

    /// The moment of the planned call has come. Without effect if its life is over.
    pub(crate) fn reach(&self, sequence: u64) {
        self.lock().reach(sequence);
        self.announce();
    }

    /// The moment of the planned call will not come: the world goes on.
    pub(crate) fn miss(&self, sequence: u64, why: &'static str) {
        {
            let mut state = self.lock();
            let Some((plan, active)) = state.active.take() else { return };
            if active != sequence {
                state.active = Some((plan, active));
                return;
            }
            state.frozen = false;
            if let Some(call) = state.call(sequence).cloned() {
                state.stops.push_back(Err(PlanError::Missed { plan, call: Box::new(call), why }));
            }
        }
        self.announce();
    }
}

impl State {
    fn enter(&mut self, letter: &Letter<'_>, reading: classify::Reading, fields: Vec<String>) -> Call {
        let shape = Shape::of(
            letter.side,
            letter.method,
            letter.path,
            &reading.target,
            reading.dry_run,
            &self.aliases,
        );
        let ordinal = self.ordinals.entry(shape.clone()).or_default();
        *ordinal += 1;
        let signature = Signature { shape, ordinal: *ordinal };
        let counted = counts(reading.kind, &reading.target);
        let call = Call {
            sequence: self.journal.len() as u64 + 1,
            life: self.life,
            side: letter.side,
            method: letter.method.clone(),
            path: letter.path.to_owned(),
            query: letter.query.map(str::to_owned),
            kind: reading.kind,
            target: reading.target,
            dry_run: reading.dry_run,
            counted,
            fields,
            signature,
            outcome: Outcome::Pending,
        };
        self.journal.push(call.clone());
        call
    }

    fn match_plan(&mut self, call: &Call) -> Option<When> {
        if self.active.is_some() || !self.plans.front()?.at.matches(call) {
            return None;
        }
        let plan = self.plans.pop_front()?;
        let when = plan.when;
        self.active = Some((plan, call.sequence));
        if when == When::BeforeSent {
            self.frozen = true;
            self.reach(call.sequence);
        }
        Some(when)
    }

    fn reach(&mut self, sequence: u64) {
        let Some((plan, active)) = self.active.take() else { return };
        if active != sequence {
            self.active = Some((plan, active));
            return;
        }
        if let Some(call) = self.call(sequence).cloned() {
            self.stops.push_back(Ok(Stop { plan, call }));
        }
    }
}
