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

    /// Starts the hold now; the future ends when it is over.
    pub(crate) fn hold(&self, hold: Hold) -> impl Future<Output = ()> + use<> {
        let mut released = self.0.subscribe();
        let started = Instant::now();
        async move {
            match hold {
                Hold::For(duration) => tokio::time::sleep_until((started + duration).into()).await,
                // An error means that the simulator is gone, and with it what it held.
                Hold::UntilReleased => released.changed().await.unwrap_or_default(),
            }
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
