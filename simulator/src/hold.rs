//! Holding something back, for a time or until a test says so.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How long something is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// For this long by the machine's clock; milliseconds in JSON.
    #[serde(with = "milliseconds")]
    For(Duration),
    /// Until [`Handle::release`](crate::Handle::release).
    UntilReleased,
}

/// Lets go what is held back until released.
#[derive(Debug)]
pub(crate) struct Release(watch::Sender<u64>);

impl Release {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(crate) fn release(&self) {
        self.0.send_modify(|generation| *generation += 1);
    }

    /// Notes every release from now on.
    pub(crate) fn watch(&self) -> Releases {
        Releases { released: self.0.subscribe(), since: Instant::now() }
    }
}

/// The releases since some moment.
#[derive(Debug)]
pub(crate) struct Releases {
    released: watch::Receiver<u64>,
    since: Instant,
}

impl Releases {
    /// Ends when a hold that began at that moment is over.
    pub(crate) async fn end_of(mut self, hold: Hold) {
        match hold {
            Hold::For(duration) => tokio::time::sleep_until((self.since + duration).into()).await,
            // An error means that the simulator is gone, and with it what it held.
            Hold::UntilReleased => self.released.changed().await.unwrap_or_default(),
        }
    }
}

/// Durations as whole milliseconds in JSON.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
