//! Why a demo ends early.

use std::io;
use std::process::ExitStatus;

use controlplane::StartError;

/// Why a demo ends early: one sentence each.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("interrupted; everything that the demo started is stopped and removed")]
    Interrupted,
    #[error("the operator can't be built with cargo ({0}); cargo's own message is above")]
    Build(String),
    #[error("the control plane does not start: {0}")]
    ControlPlane(#[from] StartError),
    #[error("the remote API's simulator does not start: {0}")]
    Simulator(#[from] simulator::StartError),
    #[error("the control plane can't be reached: {0}")]
    Client(Box<dyn std::error::Error + Send + Sync>),
    #[error("{what} failed: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error("the sample {file} can't be used: {why}")]
    Sample { file: &'static str, why: String },
    #[error("step {number} ({title}): {problem}")]
    Step { number: usize, title: &'static str, problem: Problem },
    #[error("the operator ended unexpectedly ({0})")]
    OperatorEnded(ExitStatus),
    #[error("the receiver ended unexpectedly")]
    ReceiverEnded,
}

impl DemoError {
    /// Whether the operator's log may tell more.
    pub(crate) fn concerns_operator(&self) -> bool {
        matches!(self, Self::Step { .. } | Self::OperatorEnded(_))
    }
}

/// What went wrong in a step, in words for the person who watches.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// A fact is not as it should be.
    #[error("{0}")]
    Untrue(String),
    #[error("`{command}` failed: {said}")]
    Command { command: String, said: String },
    #[error("`{command}` was to be refused, and was not")]
    Unrefused { command: String },
    #[error("{what} failed: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error("{0}")]
    Demo(Box<DemoError>),
}

impl From<DemoError> for Problem {
    fn from(error: DemoError) -> Self {
        Self::Demo(Box::new(error))
    }
}

/// To be put behind an operation on files or processes.
pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> DemoError {
    move |source| DemoError::Io { what, source }
}
