//! Which resource is reconciled when: at once, or after a while, and never twice at a time.
//!
//! kube's controller polls each of its reconciliations whenever one of them moves on, so that many which wait for
//! their turn slow every one of them down: here each is a task of its own.

use std::collections::HashMap;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::time::{DelayQueue, delay_queue};

use super::pulses::Pulse;
use crate::index::ResourceKey;

/// How often it shows that it goes on, though nothing happens.
const TURN: Duration = Duration::from_secs(10);
/// When it counts as standing still.
const STANDSTILL: Duration = Duration::from_mins(2);

/// Reconciles each resource that `due` names, and again after as long as `reconcile` says, until `stop`; waits then
/// for those that are under way.
pub(super) async fn dispatch<R>(
    due: impl Stream<Item = ResourceKey>,
    reconcile: impl Fn(ResourceKey) -> R,
    pulse: Pulse,
    stop: CancellationToken,
) where
    R: Future<Output = Option<Duration>> + Send + 'static,
{
    let mut due = std::pin::pin!(due);
    let mut work =
        Work { reconcile, running: HashMap::new(), tasks: JoinSet::new(), later: Later::default() };
    let mut turn = tokio::time::interval(TURN);
    loop {
        pulse.beat(STANDSTILL);
        tokio::select! {
            // Nothing is begun once it is to stop, whatever else there is to do.
            biased;
            () = stop.cancelled() => break,
            Some(done) = work.tasks.join_next_with_id() => work.end(done),
            Some(key) = due.next() => work.begin(key),
            Some(expired) = work.later.queue.next() => {
                let key = expired.into_inner();
                work.later.keys.remove(&key);
                work.begin(key);
            }
            _ = turn.tick() => {}
        }
    }
    while let Some(done) = work.tasks.join_next().await {
        pulse.beat(STANDSTILL);
        done.unwrap_or_else(|error| resume(error));
    }
}

struct Work<F> {
    reconcile: F,
    /// By its task.
    running: HashMap<Id, ResourceKey>,
    tasks: JoinSet<Option<Duration>>,
    later: Later,
}

/// Those that are reconciled after a while, or once more as soon as they are done.
#[derive(Default)]
struct Later {
    queue: DelayQueue<ResourceKey>,
    keys: HashMap<ResourceKey, delay_queue::Key>,
    /// Those that are under way, and whether something has happened to them since.
    under_way: HashMap<ResourceKey, Since>,
}

/// Whether something has happened to a resource since it was begun with.
#[derive(Clone, Copy, PartialEq)]
enum Since {
    Nothing,
    Something,
}

impl<F, R> Work<F>
where
    F: Fn(ResourceKey) -> R,
    R: Future<Output = Option<Duration>> + Send + 'static,
{
    fn begin(&mut self, key: ResourceKey) {
        if let Some(since) = self.later.under_way.get_mut(&key) {
            *since = Since::Something;
            return;
        }
        if let Some(queued) = self.later.keys.remove(&key) {
            self.later.queue.remove(&queued);
        }
        let task = self.tasks.spawn((self.reconcile)(key.clone()));
        self.running.insert(task.id(), key.clone());
        self.later.under_way.insert(key, Since::Nothing);
    }

    fn end(&mut self, done: Result<(Id, Option<Duration>), JoinError>) {
        let (id, again) = done.unwrap_or_else(|error| resume(error));
        let Some(key) = self.running.remove(&id) else { return };
        if self.later.under_way.remove(&key) == Some(Since::Something) {
            self.begin(key);
        } else if let Some(again) = again {
            let queued = self.later.queue.insert(key.clone(), again);
            self.later.keys.insert(key, queued);
        }
    }
}

/// A reconciliation that panicked is a defect, and takes the dispatcher with it.
fn resume(error: JoinError) -> ! {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => unreachable!("nobody cancels a reconciliation: {cancelled}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
    use tokio::sync::oneshot;
    use tokio_stream::wrappers::UnboundedReceiverStream;

    use super::super::pulses::Pulses;
    use super::*;

    /// A reconciliation that has begun, and how it is ended.
    type Begun = (String, oneshot::Sender<Option<Duration>>);

    struct Stage {
        due: UnboundedSender<ResourceKey>,
        begun: UnboundedReceiver<Begun>,
        stop: CancellationToken,
        dispatcher: tokio::task::JoinHandle<()>,
    }

    fn stage() -> Stage {
        let ((due, keys), (tell, begun)) = (unbounded_channel(), unbounded_channel());
        let pulse = Pulses::default().of("the dispatcher".to_owned(), STANDSTILL);
        let stop = CancellationToken::new();
        let tell = Arc::new(Mutex::new(tell));
        let reconcile = move |key: ResourceKey| {
            let (end, ended) = oneshot::channel();
            tell.lock().unwrap().send((key.name, end)).unwrap();
            async move { ended.await.unwrap() }
        };
        let dispatcher =
            tokio::spawn(dispatch(UnboundedReceiverStream::new(keys), reconcile, pulse, stop.clone()));
        Stage { due, begun, stop, dispatcher }
    }

    impl Stage {
        fn happens(&self, name: &str) {
            self.due.send(ResourceKey { namespace: "billing".to_owned(), name: name.to_owned() }).unwrap();
        }

        async fn begins(&mut self, name: &str) -> oneshot::Sender<Option<Duration>> {
            let (begun, end) = self.begun.recv().await.unwrap();
            assert_eq!(begun, name);
            end
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_to_one_that_is_under_way_has_it_reconciled_once_more() {
        let mut stage = stage();
        stage.happens("a");
        let first = stage.begins("a").await;
        (0..3).for_each(|_| stage.happens("a"));
        stage.happens("b");
        let b = stage.begins("b").await;
        first.send(Some(Duration::from_hours(1))).unwrap();
        let second = stage.begins("a").await;
        second.send(None).unwrap();
        b.send(None).unwrap();
        stage.happens("c");
        stage.begins("c").await.send(None).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_reconciled_again_in_its_own_time_or_as_soon_as_something_happens() {
        let mut stage = stage();
        let start = tokio::time::Instant::now();
        let hour = Duration::from_hours(1);
        for name in ["late", "early"] {
            stage.happens(name);
        }
        let (late, early) = (stage.begins("late").await, stage.begins("early").await);
        late.send(Some(2 * hour)).unwrap();
        early.send(Some(hour)).unwrap();
        stage.begins("early").await.send(None).unwrap();
        assert!(start.elapsed() >= hour);
        stage.happens("late");
        stage.begins("late").await.send(None).unwrap();
        assert!(start.elapsed() < 2 * hour, "something happened before its time");
        stage.happens("end");
        let _end = stage.begins("end").await;
        tokio::time::sleep(3 * hour).await;
        assert!(stage.begun.try_recv().is_err(), "its time is over");
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_are_under_way_are_waited_for_and_none_is_begun_at_the_end() {
        let mut stage = stage();
        stage.happens("a");
        let a = stage.begins("a").await;
        stage.stop.cancel();
        stage.happens("b");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!stage.dispatcher.is_finished());
        a.send(Some(Duration::ZERO)).unwrap();
        stage.dispatcher.await.unwrap();
        assert!(stage.begun.recv().await.is_none());
    }
}
