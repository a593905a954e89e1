//! What holds requests back while this process may not act.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

/// Stands before everything that a client sends: while it is shut, nothing leaves. What has left is not cut off. Clones
/// are one and the same.
#[derive(Clone, Debug)]
pub struct Fence(Arc<watch::Sender<Gate>>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gate {
    Open,
    OpenUntil(Moment),
    /// For good.
    Closed,
}

/// A moment by a clock that nobody sets, and that goes on while the process is stopped or the machine sleeps.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(Duration);

impl Moment {
    /// This one.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        // Neither is ever before its own beginning.
        Self(Duration::try_from(clock_gettime(clock)).unwrap_or_default())
    }

    /// The moment so much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }

    /// The moment so much earlier.
    #[cfg(test)]
    pub(crate) fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time))
    }

    /// How long it is until then; nothing when it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_sub(Self::now().0)
    }
}

/// One that is open until it is closed: for a process that nobody competes with.
impl Default for Fence {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Gate::Open)))
    }
}

impl Fence {
    /// One that is shut until it is opened.
    #[must_use]
    pub fn shut() -> Self {
        Self(Arc::new(watch::Sender::new(Gate::OpenUntil(Moment(Duration::ZERO)))))
    }

    /// Opens it until then, unless it was closed.
    pub fn open_until(&self, end: Moment) {
        self.0.send_if_modified(|gate| {
            let changes = *gate != Gate::Closed;
            if changes {
                *gate = Gate::OpenUntil(end);
            }
            changes
        });
    }

    /// Closes it for good.
    pub fn close(&self) {
        self.0.send_replace(Gate::Closed);
    }

    /// Whether what comes now may leave.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.borrow().is_open()
    }

    /// Waits until it is open; for ever, once it was closed.
    pub async fn opened(&self) {
        // The sender is in `self`, so waiting never fails.
        let _ = self.0.subscribe().wait_for(|gate| gate.is_open()).await;
    }
}

impl Gate {
    fn is_open(self) -> bool {
        match self {
            Self::Open => true,
            Self::OpenUntil(end) => Moment::now() < end,
            Self::Closed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn soon(milliseconds: u64) -> Moment {
        Moment::now().after(Duration::from_millis(milliseconds))
    }

    #[tokio::test]
    async fn it_is_open_until_its_time_is_up_and_opens_again_until_it_is_closed() {
        assert!(Fence::default().is_open());
        let fence = Fence::shut();
        assert!(!fence.is_open() && fence.opened().now_or_never().is_none());
        let waits = tokio::spawn({
            let fence = fence.clone();
            async move { fence.opened().await }
        });
        fence.open_until(soon(3_600_000));
        waits.await.unwrap();
        assert!(fence.is_open());

        fence.open_until(soon(0));
        assert!(!fence.is_open(), "its time is up");
        fence.open_until(soon(3_600_000));
        assert!(fence.is_open());
        fence.close();
        fence.open_until(soon(3_600_000));
        assert!(!fence.is_open() && fence.opened().now_or_never().is_none(), "it was closed for good");
    }
}
