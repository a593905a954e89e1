//! Time, cut down to the few instants that matter.

use std::time::Duration;

use jiff::Timestamp;
use webhook_operator::planning::Timing;

/// Ten seconds of the API's clock: twice the clock skew that the planner allows for, and as long as one
/// call, or one settling, takes.
pub type Tick = u8;

/// How long, in ticks, a create whose answer was lost may still take effect or hide from lists.
pub const UNSETTLED: Tick = 2;

pub const TIMING: Timing = Timing { settle: Duration::from_secs(10), call: Duration::from_secs(10) };

/// What the clock shows in a tick: half a second past the second that `createdAt` is cut off to.
pub fn instant(tick: Tick) -> Timestamp {
    second(tick) + jiff::SignedDuration::from_millis(500)
}

/// `createdAt` of what is created in a tick.
pub fn second(tick: Tick) -> Timestamp {
    Timestamp::constant(1_700_000_000 + i64::from(tick) * 10, 0)
}

/// The tick that shows `time`.
pub fn tick(time: Timestamp) -> Tick {
    let seconds = time.as_second() - 1_700_000_000;
    Tick::try_from(seconds.div_euclid(10)).unwrap_or(0)
}
