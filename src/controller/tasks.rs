//! What goes on in the background of a term. None of it ends unnoticed.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What goes on in the background of a term.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    over: CancellationToken,
    /// The first that failed.
    failure: watch::Sender<Option<TaskFailure>>,
}

/// A task that the operator can't do without is not there any more.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TaskFailure {
    /// It panicked: a defect.
    #[error("{task} panicked, which is a defect of the operator, so it has to be started again: {message}")]
    Panicked {
        /// What it did.
        task: &'static str,
        /// What the panic said.
        message: String,
    },
    /// It ended.
    #[error("{task} ended, though it should go on, so the operator has to be started again")]
    Ended {
        /// What it did.
        task: &'static str,
    },
}

/// When a task may end by itself.
pub(super) enum Life {
    /// Never: the end of the term ends it.
    Term,
    /// Whenever it is done; the end of the term ends it too.
    UntilDone,
    /// Once this is cancelled: it finishes what is under way.
    Drains(CancellationToken),
}

impl Tasks {
    /// Has this go on in the background.
    pub(super) fn spawn(
        &self,
        name: &'static str,
        life: Life,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let (over, failure) = (self.over.clone(), self.failure.clone());
        let task = AssertUnwindSafe(task).catch_unwind();
        self.tracker.spawn(async move {
            let ended = match &life {
                Life::Term | Life::UntilDone => over.run_until_cancelled_owned(task).await,
                Life::Drains(_) => Some(task.await),
            };
            let may_end = match &life {
                Life::Term => false,
                Life::UntilDone => true,
                Life::Drains(draining) => draining.is_cancelled(),
            };
            let failed = match ended {
                None => return,
                Some(Ok(())) if may_end => return,
                Some(Ok(())) => TaskFailure::Ended { task: name },
                Some(Err(panic)) => TaskFailure::Panicked { task: name, message: said(&*panic) },
            };
            failure.send_if_modified(|first| first.is_none() && first.replace(failed).is_none());
        })
    }

    /// Waits until one of them fails.
    pub(super) async fn failure(&self) -> TaskFailure {
        let mut failures = self.failure.subscribe();
        loop {
            if let Some(failure) = failures.borrow_and_update().clone() {
                return failure;
            }
            // The sender is in `self`.
            let _ = failures.changed().await;
        }
    }

    /// Ends all of it but what drains, and waits until all has ended.
    pub(super) async fn end(&self) {
        self.over.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_ends_is_told_and_one_that_may_end_is_not() {
        let draining = CancellationToken::new();
        draining.cancel();
        let tasks = Tasks::default();
        tasks.spawn("what may end", Life::UntilDone, async {}).await.unwrap();
        tasks.spawn("what drains", Life::Drains(draining), async {}).await.unwrap();
        tasks.spawn("what is aborted", Life::Term, std::future::pending()).abort();
        assert!(tasks.failure().now_or_never().is_none());

        for (life, expected) in [
            (Life::Term, "the watch ended, though it should go on"),
            (Life::Drains(CancellationToken::new()), "the watch ended, though it should go on"),
        ] {
            let tasks = Tasks::default();
            tasks.spawn("the watch", life, async {});
            assert!(tasks.failure().await.to_string().starts_with(expected));
        }
        for life in [Life::Term, Life::UntilDone, Life::Drains(CancellationToken::new())] {
            let tasks = Tasks::default();
            tasks.spawn("the watch", life, async { panic!("no {}", "way") });
            let told = tasks.failure().await.to_string();
            assert!(told.starts_with("the watch panicked") && told.ends_with(": no way"), "{told}");
            tasks.end().await;
        }
    }
}
