//! How much faster time goes than in life.

use std::time::Duration;

/// What takes minutes: the kubelet, `activateAfter`, the grace of a lost Secret.
const OF_MINUTES: u32 = 20;
/// What takes hours: the API's retries, `retireAfter`.
pub const OF_HOURS: u32 = 3600;

/// So many minutes of receivers.
pub fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes) / OF_MINUTES
}

/// So many hours of the API.
pub fn hours(hours: u64) -> Duration {
    Duration::from_hours(hours) / OF_HOURS
}

/// How long it takes at most until a changed Secret is in the mounted files: the kubelet's sync period of a minute, and the
/// half of one for its cache.
pub fn kubelet() -> Duration {
    Duration::from_secs(90) / OF_MINUTES
}

/// What to know of the scale.
pub fn told() -> String {
    format!(
        "a minute of the receivers takes {} s here, an hour of the API's retries {} s",
        minutes(1).as_secs(),
        hours(1).as_secs()
    )
}
