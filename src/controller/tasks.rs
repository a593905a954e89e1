//! What goes on in the background.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What goes on in the background of a term.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    over: CancellationToken,
}

impl Tasks {
    /// Has this go on until it ends, or the term does.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let over = self.over.clone();
        self.tracker.spawn(async move {
            over.run_until_cancelled_owned(task).await;
        })
    }

    /// Ends all of it, and waits until it has.
    pub(super) async fn end(&self) {
        self.over.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
