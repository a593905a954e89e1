//! What goes first.

/// How urgent it is to reconcile a resource; the most urgent first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Urgency {
    /// Somebody changed it, or what belongs to it.
    Change,
    /// The API shows another state than before, or what was to be done later is due.
    Drift,
    /// What was tried before failed.
    Retry,
    /// It may be concerned by what changed elsewhere, or was not looked at yet.
    Resync,
}

impl Urgency {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Change, Self::Drift, Self::Retry, Self::Resync];
}
