//! Where to stop the world, and what came of it.

use std::fmt;
use std::sync::Arc;

use crate::call::Call;
use crate::signature::Signature;

/// The moment of a call at which the world stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// The call has left the operator and has not been sent to the server.
    BeforeSent,
    /// The server has answered completely; the operator gets nothing of it.
    DoneAnswerWithheld,
    /// The operator has received the complete answer, and cannot call anything any more.
    AnswerDelivered,
}

impl When {
    /// All three.
    pub const ALL: [Self; 3] = [Self::BeforeSent, Self::DoneAnswerWithheld, Self::AnswerDelivered];
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeSent => "before it is sent",
            Self::DoneAnswerWithheld => "done, answer withheld",
            Self::AnswerDelivered => "answer delivered",
        })
    }
}

/// Names one call.
#[derive(Clone)]
pub enum CallMatcher {
    /// The call with this signature in this life of the operator.
    Signature(Signature),
    /// The first call for which this holds. It runs under the world's lock: it must not call the world.
    Where(Arc<dyn Fn(&Call) -> bool + Send + Sync>),
}

impl CallMatcher {
    /// The first call for which `holds`.
    pub fn matching(holds: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        Self::Where(Arc::new(holds))
    }

    pub(crate) fn matches(&self, call: &Call) -> bool {
        match self {
            Self::Signature(signature) => call.signature == *signature,
            Self::Where(holds) => holds(call),
        }
    }
}

impl fmt::Debug for CallMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(signature) => write!(f, "{signature}"),
            Self::Where(_) => f.write_str("a call that satisfies a condition"),
        }
    }
}

/// One stop: at this call, at this moment.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which call.
    pub at: CallMatcher,
    /// Which moment of it.
    pub when: When,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {}", self.at, self.when)
    }
}

/// The world has stopped.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The plan that was reached.
    pub plan: Plan,
    /// The call that it stopped at.
    pub call: Call,
}

/// Why a plan was not reached.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No call matched in time.
    #[error("no call reached the plan ({plan}) within {within:?}; the last calls were:\n{journal}")]
    NotReached {
        /// The plan.
        plan: String,
        /// How long was waited.
        within: std::time::Duration,
        /// The end of the journal, one call a line.
        journal: String,
    },
    /// A call matched, but its moment never came.
    #[error("the call {call} matched the plan ({plan}), but {why}")]
    Missed {
        /// The plan.
        plan: Plan,
        /// The call.
        call: Box<Call>,
        /// What came between.
        why: &'static str,
    },
    /// There is nothing to wait for.
    #[error("no plan is armed: call World::plan first")]
    NoPlan,
}
