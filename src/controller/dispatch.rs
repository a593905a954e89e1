//! Which resource is reconciled when: at once, or after a while, and never twice at a time.
//!
//! kube's controller polls each of its reconciliations whenever one of them moves on, so that many which wait for
//! their turn slow every one of them down: here each is a task of its own.

use std::collections::HashMap;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::time::{DelayQueue, delay_queue};

use super::lines::{Queue, Turn};
use super::pulses::Pulse;
use crate::index::{NetworkKey, ResourceKey};
use crate::provider::Fence;
use crate::reconcile::{Ended, Urgency};

/// How often it shows that it goes on, though nothing happens.
const TURN: Duration = Duration::from_secs(10);
/// When it counts as standing still.
const STANDSTILL: Duration = Duration::from_mins(2);

/// How the dispatcher does its work.
pub(super) struct Work<T, N, F> {
    /// Who waits for their turn.
    pub(super) queue: Queue<T>,
    /// While it is shut, none is begun.
    pub(super) fence: Fence,
    /// Which network a resource belongs to; none when it is gone.
    pub(super) network_of: N,
    /// Reconciles a resource, which may have been given what it waited for.
    pub(super) reconcile: F,
}

/// Reconciles each resource that `due` names, and again after as long as `reconcile` says, until `stop`; waits then
/// for those that are under way.
pub(super) async fn dispatch<T, N, F, R>(
    due: impl Stream<Item = (ResourceKey, Urgency)>,
    work: Work<T, N, F>,
    pulse: Pulse,
    stop: CancellationToken,
) where
    T: Send + 'static,
    N: Fn(&ResourceKey) -> Option<NetworkKey>,
    F: Fn(ResourceKey, Option<T>) -> R,
    R: Future<Output = Ended<T>> + Send + 'static,
{
    let mut due = std::pin::pin!(due);
    let mut dispatcher = Dispatcher {
        work,
        under_way: HashMap::new(),
        running: JoinSet::new(),
        waiting: JoinSet::new(),
        later: Later::default(),
        is_held: false,
    };
    let fence = dispatcher.work.fence.clone();
    let mut turn = tokio::time::interval(TURN);
    loop {
        pulse.beat(STANDSTILL);
        tokio::select! {
            // Nothing is begun once it is to stop, whatever else there is to do.
            biased;
            () = stop.cancelled() => break,
            Some(done) = dispatcher.running.join_next() => dispatcher.end(done),
            () = fence.opened(), if dispatcher.is_held => dispatcher.call_all(),
            Some((key, urgency)) = due.next() => dispatcher.add(key, urgency),
            Some(got) = dispatcher.waiting.join_next() => dispatcher.resume(got),
            Some((key, urgency)) = dispatcher.later.next() => dispatcher.add(key, urgency),
            _ = turn.tick() => {}
        }
    }
    let Dispatcher { mut running, .. } = dispatcher;
    while let Some(done) = running.join_next().await {
        pulse.beat(STANDSTILL);
        unwrap(done);
    }
}

struct Dispatcher<T, N, F> {
    work: Work<T, N, F>,
    /// Those that are reconciled, or wait for what they need to go on, and how urgent what has happened to them since
    /// is.
    under_way: HashMap<ResourceKey, Option<Urgency>>,
    /// Those that are reconciled.
    running: JoinSet<(Turn<T>, Ended<T>)>,
    /// Those that wait for what they need to go on.
    waiting: JoinSet<Turn<T>>,
    later: Later,
    /// Whether somebody was not called because the fence was shut.
    is_held: bool,
}

impl<T, N, F, R> Dispatcher<T, N, F>
where
    T: Send + 'static,
    N: Fn(&ResourceKey) -> Option<NetworkKey>,
    F: Fn(ResourceKey, Option<T>) -> R,
    R: Future<Output = Ended<T>> + Send + 'static,
{
    /// Has a resource wait for its turn.
    fn add(&mut self, key: ResourceKey, urgency: Urgency) {
        if let Some(since) = self.under_way.get_mut(&key) {
            *since = Some(since.map_or(urgency, |since| since.min(urgency)));
            return;
        }
        self.later.remove(&key);
        if let Some(network) = (self.work.network_of)(&key) {
            self.work.queue.lock().join(key, network.clone(), urgency, None);
            self.call(&network);
        }
    }

    /// Has a resource wait for its turn once more, which has got what it waited for.
    fn resume(&mut self, got: Result<Turn<T>, JoinError>) {
        let Turn { key, network, urgency, brings } = unwrap(got);
        self.work.queue.lock().join(key, network.clone(), urgency, brings);
        self.call(&network);
    }

    /// Calls those whose turn it is, of all networks.
    fn call_all(&mut self) {
        self.is_held = false;
        let networks = self.work.queue.lock().networks();
        for network in networks {
            self.call(&network);
        }
    }

    /// Calls those of a network whose turn it is, unless none is to be begun.
    fn call(&mut self, network: &NetworkKey) {
        if !self.work.fence.is_open() {
            self.is_held = true;
            return;
        }
        while let Some(mut turn) = self.next_of(network) {
            self.under_way.entry(turn.key.clone()).or_default();
            let reconcile = (self.work.reconcile)(turn.key.clone(), turn.brings.take());
            self.running.spawn(async move {
                let ended = reconcile.await;
                (turn, ended)
            });
        }
    }

    fn next_of(&self, network: &NetworkKey) -> Option<Turn<T>> {
        self.work.queue.lock().call(network)
    }

    fn end(&mut self, done: Result<(Turn<T>, Ended<T>), JoinError>) {
        let (mut turn, ended) = unwrap(done);
        let network = turn.network.clone();
        self.work.queue.lock().end_turn(&network);
        match ended {
            Ended::Done(again) => match (self.under_way.remove(&turn.key).flatten(), again) {
                (Some(urgency), _) => self.add(turn.key, urgency),
                (None, Some((after, urgency))) => {
                    self.later.add(turn.key, after, urgency.unwrap_or(turn.urgency));
                }
                (None, None) => {}
            },
            Ended::Needs(what) => {
                self.waiting.spawn(async move {
                    turn.brings = Some(what.await);
                    turn
                });
            }
        }
        self.call(&network);
    }
}

/// Those that are reconciled again after a while, unless something happens before.
#[derive(Default)]
struct Later {
    queue: DelayQueue<(ResourceKey, Urgency)>,
    keys: HashMap<ResourceKey, delay_queue::Key>,
}

impl Later {
    fn add(&mut self, key: ResourceKey, after: Duration, urgency: Urgency) {
        let queued = self.queue.insert((key.clone(), urgency), after);
        self.keys.insert(key, queued);
    }

    fn remove(&mut self, key: &ResourceKey) {
        if let Some(queued) = self.keys.remove(key) {
            self.queue.remove(&queued);
        }
    }

    async fn next(&mut self) -> Option<(ResourceKey, Urgency)> {
        let (key, urgency) = self.queue.next().await?.into_inner();
        self.keys.remove(&key);
        Some((key, urgency))
    }
}

/// A reconciliation that panicked is a defect, and takes the dispatcher with it.
fn unwrap<T>(done: Result<T, JoinError>) -> T {
    done.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => unreachable!("nobody cancels a reconciliation: {cancelled}"),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
    use tokio::sync::oneshot;
    use tokio_stream::wrappers::UnboundedReceiverStream;

    use super::super::pulses::Pulses;
    use super::*;
    use crate::provider::Moment;

    /// A reconciliation that has begun, and how it is ended.
    type Begun = (String, oneshot::Sender<Ended<()>>);

    fn end(begun: oneshot::Sender<Ended<()>>, how: Ended<()>) {
        begun.send(how).unwrap_or_else(|_| panic!("nobody waits for its end"));
    }

    fn after(pause: Duration) -> Ended<()> {
        Ended::Done(Some((pause, None)))
    }

    struct Stage {
        due: UnboundedSender<(ResourceKey, Urgency)>,
        begun: UnboundedReceiver<Begun>,
        stop: CancellationToken,
        dispatcher: tokio::task::JoinHandle<()>,
    }

    fn stage() -> Stage {
        stage_behind(&Fence::default())
    }

    fn stage_behind(fence: &Fence) -> Stage {
        let ((due, keys), (tell, begun)) = (unbounded_channel(), unbounded_channel());
        let pulse = Pulses::default().of("the dispatcher".to_owned(), STANDSTILL);
        let stop = CancellationToken::new();
        let tell = Arc::new(Mutex::new(tell));
        let work = Work {
            queue: Queue::new(2),
            fence: fence.clone(),
            network_of: |_: &ResourceKey| Some(NetworkKey::cluster("main")),
            reconcile: move |key: ResourceKey, _: Option<()>| {
                let (end, ended) = oneshot::channel();
                tell.lock().unwrap().send((key.name.to_string(), end)).unwrap();
                async move { ended.await.unwrap() }
            },
        };
        let dispatcher =
            tokio::spawn(dispatch(UnboundedReceiverStream::new(keys), work, pulse, stop.clone()));
        Stage { due, begun, stop, dispatcher }
    }

    impl Stage {
        fn happens(&self, name: &str) {
            let key = ResourceKey::new("billing", name);
            self.due.send((key, Urgency::Change)).unwrap();
        }

        async fn begins(&mut self, name: &str) -> oneshot::Sender<Ended<()>> {
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
        end(first, after(Duration::from_hours(1)));
        let second = stage.begins("a").await;
        end(second, Ended::Done(None));
        end(b, Ended::Done(None));
        stage.happens("c");
        end(stage.begins("c").await, Ended::Done(None));
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
        end(late, after(2 * hour));
        end(early, after(hour));
        end(stage.begins("early").await, Ended::Done(None));
        assert!(start.elapsed() >= hour);
        stage.happens("late");
        end(stage.begins("late").await, Ended::Done(None));
        assert!(start.elapsed() < 2 * hour, "something happened before its time");
        stage.happens("end");
        let _end = stage.begins("end").await;
        tokio::time::sleep(3 * hour).await;
        assert!(stage.begun.try_recv().is_err(), "its time is over");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_for_something_leaves_its_turn_to_others() {
        let mut stage = stage();
        for name in ["a", "b", "c"] {
            stage.happens(name);
        }
        let (a, b) = (stage.begins("a").await, stage.begins("b").await);
        let (give, given) = oneshot::channel();
        let needs = Ended::Needs(Box::pin(async move { given.await.unwrap() }));
        end(a, needs);
        let c = stage.begins("c").await;
        stage.happens("a");
        stage.happens("d");
        give.send(()).unwrap();
        // It has joined the line before anybody's turn is over.
        tokio::time::sleep(Duration::from_secs(1)).await;
        end(b, Ended::Done(None));
        let again = stage.begins("a").await;
        end(c, Ended::Done(None));
        end(stage.begins("d").await, Ended::Done(None));
        end(again, Ended::Done(None));
        end(stage.begins("a").await, Ended::Done(None));
    }

    #[tokio::test]
    async fn none_is_begun_while_the_fence_is_shut() {
        let fence = Fence::shut();
        let mut stage = stage_behind(&fence);
        let hour = || Moment::now().after(Duration::from_hours(1));
        for name in ["a", "b", "c"] {
            stage.happens(name);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(stage.begun.try_recv().is_err(), "it is shut");
        fence.open_until(hour());
        let (a, b) = (stage.begins("a").await, stage.begins("b").await);
        // What is under way goes on, and what it makes room for waits.
        fence.open_until(Moment::now());
        end(a, Ended::Done(None));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(stage.begun.try_recv().is_err(), "its time is up");
        fence.open_until(hour());
        end(stage.begins("c").await, Ended::Done(None));
        end(b, Ended::Done(None));
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
        end(a, after(Duration::ZERO));
        stage.dispatcher.await.unwrap();
        assert!(stage.begun.recv().await.is_none());
    }
}
