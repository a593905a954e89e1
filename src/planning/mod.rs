//! What to do next for one `WebhookEndpoint`: pure, without a client, a clock or an await.
//!
//! [`plan`] looks at what is wanted and what is known and names one [`Step`]. Each step is durable
//! before the next is planned, and planning again from any point is safe: that is what makes a crash
//! at any moment harmless. The rules live in one module each:
//!
//! - `absence`: when it is believed that an endpoint is not there;
//! - `converge`: the endpoint that is held is made equal to what is declared;
//! - `roles`: which endpoint is the current one, which is to take its place, and which are to go;
//! - `replace`: why an endpoint is replaced by another, and the steps of that;
//! - `adopt`: an endpoint that exists is taken over;
//! - `stored`: whose the Secret is, where it goes, and whether what it holds is believed;
//! - `create`: the write-ahead attempt, and how an unanswered create is resolved instead of repeated;
//! - `finalize`: the way out through the finalizer;
//! - `habit`: what the API shows otherwise than it was sent, from the first answer on;
//! - `again`: what is not done again, or not yet;
//! - `admission`: what the network allows, whatever the step;
//! - `report`: what the status says of how it ended.

mod absence;
mod admission;
mod adopt;
mod again;
mod attempt;
mod converge;
mod create;
mod deadline;
mod finalize;
mod habit;
mod intent;
mod memory;
mod network;
mod observed;
mod outcome;
mod pause;
mod replace;
mod report;
mod roles;
mod secret;
mod step;
mod stored;
mod timing;

#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use attempt::{Answer, Attempt, InHand, Progress, Purpose};
pub use deadline::{Reach, RetainDeadline};
pub use intent::{Adoption, Desired, Drift, Intent, Overlap, Removal, Rotation, SecretShape, SecretSource};
pub use memory::Memory;
pub use network::{Admission, Identity, NetworkState, Openness, Refusal, Unavailable};
pub use observed::{
    Finalizer, FreshList, Holders, Observed, Presence, Record, Recorded, RecordedEndpoint, Remote,
    Repetition, Role, Unread,
};
pub use outcome::{Again, Current, Glance, Outcome, Reason, State};
pub use report::{Abnormal, Condition, NextNote, Report, RetiringNote, StoredNote, report};
pub use secret::{HeldSecret, Mutability, Ownership, SecretData, SecretState, SecretWrites};
pub use step::{Action, DeleteCause, Leftover, PatchCause, Remainder, Step, StepKind};
pub use timing::Timing;

/// The next step for one resource at `now`, by the API's clock.
#[must_use]
pub fn plan(intent: &Intent, observed: &Observed, now: Timestamp) -> Step {
    let step = match intent {
        Intent::Converge(desired) | Intent::Pause(desired) => converge::plan(desired, observed, now),
        Intent::Finalize(removal) => finalize::plan(*removal, observed, now),
        Intent::Unreadable(why) => return Step::End(Outcome::stalled(Reason::Unreadable, why.clone())),
        Intent::PauseDeletion => return Step::End(Outcome::paused_deletion()),
    };
    let step = admission::admit(intent, observed, step);
    let step = match intent {
        Intent::Pause(_) => pause::hold(step),
        _ => again::unless_without_effect(step, observed.previous.as_ref()),
    };
    again::unless_resting(step, &observed.resting, now)
}
