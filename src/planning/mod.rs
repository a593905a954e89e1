//! What to do next for one `WebhookEndpoint`: pure, without a client, a clock or an await.
//!
//! [`plan`] looks at what is wanted and what is known and names one [`Step`]. Each step is durable
//! before the next is planned, and planning again from any point is safe: that is what makes a crash
//! at any moment harmless. The rules live in one module each:
//!
//! - `keep`: the endpoint that is held is made equal to what is declared;
//! - `create`: the write-ahead attempt, and how an unanswered create is resolved instead of repeated;
//! - `remove`: the way out through the finalizer.

mod attempt;
mod create;
mod intent;
mod keep;
mod memory;
mod observed;
mod remove;
mod rest;
mod step;

#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use attempt::{Attempt, Progress};
pub use intent::{Desired, Drift, Intent, Removal, SecretShape};
pub use memory::Memory;
pub use observed::{HeldSecret, InHand, Observed, Presence, Reach, Reactivation, SecretState};
pub use rest::{Reason, Rest, State};
pub use step::{Action, DeleteCause, Leftover, Step, Timing};

/// The next step for one resource at `now`, by the API's clock.
#[must_use]
pub fn plan(intent: &Intent, observed: &Observed, now: Timestamp, timing: &Timing) -> Step {
    match intent {
        Intent::Keep(desired) => keep::plan(desired, observed, now, timing),
        Intent::Remove(removal) => remove::plan(*removal, observed, now, timing),
    }
}
