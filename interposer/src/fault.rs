//! Faults of the network and of an overloaded server, injected between the client and the server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::watch;

use crate::call::Call;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server is not asked; this status answers. On the Kubernetes side the body is a `Status`.
    Status {
        /// Such as 429.
        code: StatusCode,
        /// The `Retry-After` header, in whole seconds.
        retry_after: Option<Duration>,
    },
    /// The call is sent after this time.
    Latency(Duration),
    /// The connection is reset; the server is not asked.
    ResetBefore,
    /// The server has answered; the connection is reset without a byte of it.
    ResetAfter,
}

impl Fault {
    /// This status, without `Retry-After`.
    #[must_use]
    pub fn status(code: StatusCode) -> Self {
        Self::Status { code, retry_after: None }
    }
}

/// How often a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// At the next so many matching calls.
    Next(usize),
    /// At every matching call.
    Always,
}

/// One fault that was ordered; it lasts until it is used up or [stopped](Self::stop).
#[derive(Debug, Clone)]
pub struct FaultHandle(Arc<Rule>);

impl FaultHandle {
    /// At how many calls it struck.
    #[must_use]
    pub fn struck(&self) -> usize {
        self.0.progress.borrow().struck
    }

    /// Waits until it has struck at `calls` calls. Bound this with a timeout.
    pub async fn until_struck(&self, calls: usize) {
        // The sender is in `self`, so the wait can only end well.
        let _ = self.0.progress.subscribe().wait_for(|progress| progress.struck >= calls).await;
    }

    /// Ends it.
    pub fn stop(&self) {
        self.0.progress.send_modify(|progress| progress.left = Some(0));
    }
}

#[derive(Debug)]
struct Progress {
    struck: usize,
    /// `None`: without end.
    left: Option<usize>,
}

type Condition = Box<dyn Fn(&Call) -> bool + Send + Sync>;

struct Rule {
    fault: Fault,
    on: Condition,
    progress: watch::Sender<Progress>,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl Rule {
    /// Uses one up, if there is one left.
    fn strike(&self) -> bool {
        let mut struck = false;
        self.progress.send_if_modified(|progress| {
            struck = progress.left != Some(0);
            progress.left = progress.left.map(|left| left.saturating_sub(1));
            progress.struck += usize::from(struck);
            struck
        });
        struck
    }
}

/// The faults of one interposer, in the order in which they were ordered.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Arc<Rule>>>);

impl Faults {
    pub(crate) fn order(&self, fault: Fault, times: Times, on: Condition) -> FaultHandle {
        let left = match times {
            Times::Next(calls) => Some(calls),
            Times::Always => None,
        };
        let progress = watch::Sender::new(Progress { struck: 0, left });
        let rule = Arc::new(Rule { fault, on, progress });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&rule));
        FaultHandle(rule)
    }

    /// The fault for this call, which then counts as struck.
    pub(crate) fn strike(&self, call: &Call) -> Option<Fault> {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        rules.iter().find(|rule| (rule.on)(call) && rule.strike()).map(|rule| rule.fault)
    }
}
