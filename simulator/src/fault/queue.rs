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
    /// Fitting calls so far, those that passed included.
    fitting: u64,
}

/// What a fault can be limited to.
pub(crate) struct Traits<'a> {
    pub(crate) operation: Operation,
    pub(crate) url: Option<&'a str>,
    pub(crate) id: Option<&'a EndpointId>,
    pub(crate) network: Option<&'a NetworkId>,
    /// Whether it asks for a later page of a list.
    pub(crate) has_cursor: bool,
}

impl FaultQueue {
    pub(crate) fn inject(&mut self, fault: Fault) -> FaultId {
        self.injected += 1;
        let id = FaultId(self.injected);
        if fault.times != Times::Next(0) {
            self.faults.insert(id, Waiting { fault, fitting: 0 });
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
        self.faults.iter().map(|(id, waiting)| {
            let met = waiting.fitting.saturating_sub(waiting.fault.after);
            (*id, &waiting.fault, met)
        })
    }

    /// The fault that a call meets.
    pub(crate) fn meet(&mut self, call: &Traits<'_>) -> Option<FaultKind> {
        self.meet_first(|fault| fits(fault, call))
    }

    /// Whether a connection just accepted is refused.
    pub(crate) fn refuses_connection(&mut self) -> bool {
        self.meet_first(refuses_everything).is_some()
    }

    fn meet_first(&mut self, fits: impl Fn(&Fault) -> bool) -> Option<FaultKind> {
        let mut met = None;
        for (id, waiting) in self.faults.iter_mut().filter(|(_, waiting)| fits(&waiting.fault)) {
            waiting.fitting += 1;
            if waiting.fitting > waiting.fault.after {
                met = Some(*id);
                break;
            }
        }
        let id = met?;
        let waiting = self.faults.get(&id)?;
        let kind = waiting.fault.kind.clone();
        if let Times::Next(count) = waiting.fault.times
            && waiting.fitting >= waiting.fault.after.saturating_add(count)
        {
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
        && (call.has_cursor || !matches!(kind, FaultKind::RepeatItems { .. }))
        && (call.operation == Operation::List || !matches!(kind, FaultKind::SkipItems { .. }))
}
