//! Events, told in passing: nothing that reconciles waits until one is published.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::runtime::events::EventType;
use kube::{Api, Client};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::conditions::shorten;
use crate::provider::Clock;

/// How many may wait to be published; what comes beyond is in the log only.
const WAITING: usize = 1024;
/// How many are published at a time, so that each create of a large fleet has its own.
const AT_A_TIME: usize = 8;
/// How much of an object's name an Event's own begins with. The API server appends five characters, and would cut
/// a longer beginning anywhere.
const LONGEST_BEGINNING: usize = 57;
/// Who reports.
const CONTROLLER: &str = "webhookoperator.dev/webhook-operator";

/// Where Events are handed in.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    /// The cluster's.
    clock: Arc<Clock>,
    queue: Sender<(Told, Timestamp)>,
    /// How many did not fit in the queue since it was last said.
    dropped: Arc<AtomicU64>,
}

/// Publishes what is handed in.
pub(crate) struct Publisher {
    client: Client,
    queue: Receiver<(Told, Timestamp)>,
    dropped: Arc<AtomicU64>,
}

/// What happened to an object.
#[derive(Debug)]
pub(crate) struct Told {
    /// Whether it is a warning.
    pub(crate) kind: EventType,
    /// The object.
    pub(crate) regarding: ObjectReference,
    /// Why, for machines.
    pub(crate) reason: String,
    /// What was done.
    pub(crate) action: &'static str,
    /// Why, for people.
    pub(crate) note: String,
}

/// A queue of Events, and who publishes them.
pub(crate) fn events(client: Client, clock: Arc<Clock>) -> (Events, Publisher) {
    let (sender, queue) = channel(WAITING);
    let dropped = Arc::<AtomicU64>::default();
    let events = Events { clock, queue: sender, dropped: Arc::clone(&dropped) };
    (events, Publisher { client, queue, dropped })
}

impl Events {
    /// Logs what happened, and has it published soon. It is a courtesy: that it can't be published stops nothing.
    pub(crate) fn tell(&self, told: Told) {
        let Told { kind, regarding: _, reason, action: _, note } = &told;
        match kind {
            EventType::Normal => info!(reason, "{note}"),
            EventType::Warning => warn!(reason, "{note}"),
        }
        if self.queue.try_send((told, self.clock.now())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Publisher {
    /// Publishes until `end`, and then what is waiting.
    pub(crate) async fn run(self, end: CancellationToken) {
        let Self { client, queue, dropped } = self;
        let told = stream::unfold((queue, end), async |(mut queue, end)| {
            let told = tokio::select! {
                biased;
                Some(told) = queue.recv() => Some(told),
                () = end.cancelled() => None,
            };
            told.map(|told| (told, (queue, end)))
        });
        let publish = async |(told, at)| {
            publish(&client, event(told, at)).await;
            let dropped = dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                warn!(dropped, "more Events came than the API server takes: these are in the log only");
            }
        };
        told.for_each_concurrent(AT_A_TIME, publish).await;
    }
}

async fn publish(client: &Client, event: Event) {
    let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
    let events = Api::<Event>::namespaced(client.clone(), namespace);
    if let Err(error) = events.create(&PostParams::default(), &event).await {
        debug!(namespace, name = event.metadata.generate_name, "can't publish an Event: {error}");
    }
}

/// An Event of its own each time: one that stood for several would show the first one's note.
fn event(told: Told, at: Timestamp) -> Event {
    let Told { kind, regarding, reason, action, note } = told;
    let instance = std::env::var("POD_NAME").unwrap_or_else(|_| CONTROLLER.to_owned());
    Event {
        metadata: ObjectMeta {
            // Those of an object of the whole cluster are in this one.
            namespace: regarding.namespace.clone().or_else(|| Some("default".to_owned())),
            generate_name: regarding.name.as_deref().map(beginning),
            ..ObjectMeta::default()
        },
        action: Some(action.to_owned()),
        event_time: Some(MicroTime(at)),
        note: Some(shorten(&note)),
        reason: Some(reason),
        regarding: Some(regarding),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(instance),
        type_: Some(match kind {
            EventType::Normal => "Normal".to_owned(),
            EventType::Warning => "Warning".to_owned(),
        }),
        ..Event::default()
    }
}

/// How the name of an object's Event begins. The names of objects are ASCII.
fn beginning(name: &str) -> String {
    let cut = name.get(..LONGEST_BEGINNING).unwrap_or(name);
    format!("{}-", cut.trim_end_matches(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, note: &str) -> Told {
        Told {
            kind: EventType::Warning,
            regarding: ObjectReference { name: Some(name.to_owned()), ..ObjectReference::default() },
            reason: "Because".to_owned(),
            action: "Test",
            note: note.to_owned(),
        }
    }

    #[test]
    fn a_name_is_cut_where_a_label_may_end() {
        assert_eq!(beginning("hook"), "hook-");
        assert_eq!(beginning(&"a".repeat(253)), "a".repeat(57) + "-");
        assert_eq!(beginning(&("a".repeat(56) + ".b")), "a".repeat(56) + "-");
    }

    #[test]
    fn case_16_a_note_in_any_script_is_cut_to_the_bytes_that_the_api_server_takes() {
        let note = event(told("hook", &"н".repeat(900)), Timestamp::UNIX_EPOCH).note.unwrap();
        assert!((1000..=1024).contains(&note.len()), "{}", note.len());
    }

    #[tokio::test]
    async fn case_16_what_does_not_fit_holds_nothing_up() {
        let (sender, queue) = channel(1);
        let events = Events { clock: Arc::new(Clock::local()), queue: sender, dropped: Arc::default() };
        (0..3).for_each(|number| events.tell(told("hook", &number.to_string())));
        assert_eq!(events.dropped.load(Ordering::Relaxed), 2);
        drop(queue);
        events.tell(told("hook", "nobody publishes any more"));
        assert_eq!(events.dropped.load(Ordering::Relaxed), 3);
    }
}
