//! What health checks and metrics look at.

use std::sync::Arc;

use super::lines::Queue;
use super::pulses::Pulses;
use crate::provider::Fence;
use crate::reconcile::{Context, UrlLocks};

/// What health checks and metrics look at in a term.
#[derive(Clone)]
pub(super) struct Looked {
    /// What it knows.
    pub(super) context: Arc<Context>,
    /// The loops that are to go round.
    pub(super) pulses: Pulses,
    /// What keeps everything from leaving while it is shut.
    pub(super) fence: Fence,
    /// Who waits for their turn.
    pub(super) queue: Queue<UrlLocks>,
}
