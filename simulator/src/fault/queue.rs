//! Which call meets which fault.

use std::collections::BTreeMap;

use super::{Fault, FaultId, FaultKind, Times};
use crate::endpoint::{EndpointId, NetworkId};
use crate::operation::Operation;

/// The injected faults and how often each was met.
#[derive(Debug, Default)]
pub(crate) struct FaultQueue {
    faults: BTreeMap<FaultId, Waiting>,
    injected: u64,
}

#[derive(Debug)]
struct Waiting {
    fault: Fault,
    /// How many fitting calls it let pass.
    passed: u64,
    /// How many calls met it.
    met: u64,
}

/// What a fault can be limited to.
pub(crate) struct Traits<'a> {
    pub(crate) operation: Operation,
    pub(crate) url: Option<&'a str>,
    pub(crate) id: Option<&'a EndpointId>,
    pub(crate) network: Option<&'a NetworkId>,
    /// Whether it asks for a later page of a list.
    pub(crate) has_cursor: bool,
    /// Whether it is the first on its connection, which was thus spared by what refuses connections.
    pub(crate) first_on_connection: bool,
}

impl FaultQueue {
    pub(crate) fn inject(&mut self, fault: Fault) -> FaultId {
        self.injected += 1;
        let id = FaultId(self.injected);
        if fault.times != Times::Next(0) {
            self.faults.insert(id, Waiting { fault, passed: 0, met: 0 });
        }
        id
    }

    /// Removes a fault; tells whether it was still there.
    pub(crate) fn clear(&mut self, id: FaultId) -> bool {
        self.faults.remove(&id).is_some()
    }

    pub(crate) fn clear_all(&mut self) {
        self.faults.clear();
    }

    /// The faults still waiting, with how often each was met.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (FaultId, &Fault, u64)> {
        self.faults.iter().map(|(id, waiting)| (*id, &waiting.fault, waiting.met))
    }

    /// The fault that a call meets.
    pub(crate) fn meet(&mut self, call: &Traits<'_>) -> Option<FaultKind> {
        self.meet_first(|fault| fits(fault, call))
    }

    /// Whether a connection just accepted is refused.
    pub(crate) fn refuses_connection(&mut self) -> bool {
        self.meet_first(refuses_everything).is_some()
    }

    /// The first of the fitting faults that is due; the others only count the call.
    fn meet_first(&mut self, fits: impl Fn(&Fault) -> bool) -> Option<FaultKind> {
        let mut struck_by = None;
        for (id, waiting) in self.faults.iter_mut().filter(|(_, waiting)| fits(&waiting.fault)) {
            if waiting.passed < waiting.fault.after {
                waiting.passed += 1;
            } else if struck_by.is_none() {
                waiting.met += 1;
                struck_by = Some(*id);
            }
        }
        let id = struck_by?;
        let waiting = self.faults.get(&id)?;
        let kind = waiting.fault.kind.clone();
        if waiting.fault.times == Times::Next(waiting.met) {
            self.faults.remove(&id);
        }
        Some(kind)
    }
}

fn refuses_everything(fault: &Fault) -> bool {
    let limited = fault.operation.is_some() || fault.url.is_some() || fault.id.is_some();
    fault.kind == FaultKind::Refuse && !limited && fault.network.is_none()
}

fn fits(fault: &Fault, call: &Traits<'_>) -> bool {
    let Fault { operation, kind, times: _, after: _, url, id, network } = fault;
    operation.is_none_or(|operation| operation == call.operation)
        && url.as_deref().is_none_or(|url| call.url == Some(url))
        && id.as_ref().is_none_or(|id| call.id == Some(id))
        && network.as_ref().is_none_or(|network| call.network == Some(network))
        && !(call.first_on_connection && refuses_everything(fault))
        && (call.has_cursor || !matches!(kind, FaultKind::RepeatItems { .. }))
        && (call.operation == Operation::List || !matches!(kind, FaultKind::SkipItems { .. }))
}
