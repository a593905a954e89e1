//! Where to stop the world, and what came of it.

use std::fmt;
use std::sync::Arc;

use crate::call::Call;
use crate::signature::{Shape, Signature};

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
    /// The n-th counted mutation of this life of the operator, from 1.
    Nth(usize),
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

    /// `nth` is the call's number among the counted mutations of its life, if it counts.
    pub(crate) fn matches(&self, call: &Call, nth: Option<usize>) -> bool {
        match self {
            Self::Nth(wanted) => nth == Some(*wanted),
            Self::Signature(signature) => call.signature == *signature,
            Self::Where(holds) => holds(call),
        }
    }
}

impl fmt::Debug for CallMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(nth) => write!(f, "mutation {nth}"),
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

/// How closely a run must follow what was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Every mutation's signature was learnt: as many calls of each shape as before, or fewer.
    Exact,
    /// Every mutation's shape was learnt, however often it comes.
    ShapeOnly,
}

/// The mutations that one life of the operator may make.
#[derive(Debug)]
pub(crate) struct Expectation {
    pub(crate) strictness: Strictness,
    pub(crate) known: Vec<Signature>,
}

impl Expectation {
    pub(crate) fn allows(&self, signature: &Signature) -> bool {
        let same_shape = |shape: &Shape| self.known.iter().any(|known| known.shape == *shape);
        match self.strictness {
            Strictness::Exact => self.known.contains(signature),
            Strictness::ShapeOnly => same_shape(&signature.shape),
        }
    }
}

/// A mutation that nobody expected, so no plan covers it.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The mutation.
    pub call: Call,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a call without a plan: {}", self.call)
    }
}
