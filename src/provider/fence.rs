//! What holds requests back for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stands before everything that a client sends, for as long as this process may act: once it is closed,
/// nothing leaves any more. What has left is not cut off. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    closed: Arc<AtomicBool>,
}

impl Fence {
    /// Closes it for good.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}
