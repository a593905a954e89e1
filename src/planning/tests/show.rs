//! Steps in words, as tables and traces show them.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::given::{URL, at};
use crate::planning::{
    Action, Again, Attempt, DeleteCause, Leftover, Outcome, PatchCause, Purpose, Remainder, Step,
};
use crate::provider::{EndpointId, EndpointPatch, EventType};

/// A step on one line, without what an outcome tells people.
pub(super) fn short(step: &Step) -> String {
    match step {
        Step::Act(action) => act(action),
        Step::End(Outcome { state, reason, again, message: _ }) => {
            let until = match again {
                Again::At(at) | Again::AfterList(Some(at)) => format!(" until {}", time(*at)),
                Again::AfterList(None) | Again::OnChange | Again::WithBackoff => String::new(),
            };
            format!("{state:?}: {}{until}", reason.as_str())
        }
    }
}

/// A step with all that it says.
pub(super) fn long(step: &Step) -> String {
    match step {
        Step::Act(_) => short(step),
        Step::End(outcome) => format!("{}\n{:>8}{}", short(step), "", outcome.message),
    }
}

pub(super) fn time(time: Timestamp) -> String {
    let since = time.duration_since(at(0));
    match (since.as_secs(), since.subsec_millis()) {
        (seconds, 0) => format!("{seconds}s"),
        (seconds, millis) => format!("{seconds}.{millis:03}s"),
    }
}

fn act(action: &Action) -> String {
    match action {
        Action::ProveSecretWritable(_) => "prove the Secret writable".to_owned(),
        Action::RecordAttempt(attempt) => record(attempt),
        Action::SetFinalizer(None) => "set the finalizer".to_owned(),
        Action::SetFinalizer(Some(attempt)) => format!("set the finalizer, and {}", record(attempt)),
        Action::Create { .. } => "create".to_owned(),
        Action::StoreSecret { keep, .. } => format!("store the secret{}", beside(keep)),
        Action::RewriteSecret { first, keep, .. } => format!("have the Secret hold {first}{}", beside(keep)),
        Action::AdoptSecret { id, source, .. } => format!("adopt {id} with {}/{}", source.name, source.key),
        Action::CopySecret { from, shape: _ } => format!("copy Secret {from}"),
        Action::SyncSecretMetadata { .. } => "sync the Secret's metadata".to_owned(),
        Action::AcceptSecretMetadata(_) => "accept the Secret's metadata".to_owned(),
        Action::VerifySecret { name, .. } if name == "charging" => "verify the Secret".to_owned(),
        Action::VerifySecret { name, .. } => format!("verify Secret {name}"),
        Action::DeleteSecret { name } => format!("delete Secret {name}"),
        Action::RecordAnswered(number) => format!("record that attempt {number} was answered"),
        Action::ReleaseSecret { name } if name == "charging" => "release the Secret".to_owned(),
        Action::ReleaseSecret { name } => format!("release Secret {name}"),
        Action::Patch { id, patch, cause } => {
            let why = match cause {
                PatchCause::Difference => "",
                PatchCause::Reactivation => ", reactivating",
                PatchCause::Activation => ", to take over",
                PatchCause::Retirement => ", since its place was taken",
            };
            format!("patch {id}:{}{why}", change(patch))
        }
        Action::Confirm { id } => format!("confirm {id}"),
        Action::Delete { id, cause } => {
            let cause = match cause {
                DeleteCause::Removed => "removed",
                DeleteCause::Orphan { remainder: Remainder::Nothing, .. } => "last orphan",
                DeleteCause::Orphan { remainder: Remainder::Others, .. } => "orphan",
                DeleteCause::InHand => "in hand",
                DeleteCause::Superseded => "superseded",
                DeleteCause::Replaced => "replaced",
                DeleteCause::Retired => "retired",
            };
            format!("delete {id} ({cause})")
        }
        Action::List => "list".to_owned(),
        Action::RemoveFinalizer(Leftover::Nothing) => "remove the finalizer".to_owned(),
        Action::RemoveFinalizer(Leftover::OfAttempt(attempt)) => {
            format!("remove the finalizer, warning of attempt {}", attempt.number)
        }
        Action::RemoveFinalizer(Leftover::WithoutSecret(id)) => {
            format!("remove the finalizer, warning that the secret of {id} is gone")
        }
        Action::RemoveFinalizer(Leftover::Beside(ids)) => {
            format!("remove the finalizer, leaving{}", beside(ids))
        }
    }
}

fn beside(keep: &[EndpointId]) -> String {
    let keep = keep.iter().map(EndpointId::as_str).collect::<Vec<_>>();
    if keep.is_empty() { String::new() } else { format!(", beside {}", keep.join(" ")) }
}

fn record(attempt: &Attempt) -> String {
    let mut told = format!("record attempt {}", attempt.number);
    if attempt.purpose != Purpose::First {
        let _ = write!(told, " ({:?}), {}", attempt.purpose, attempt.status);
    }
    if attempt.posts > 1 {
        let _ = write!(told, ", post {} since {}", attempt.posts, time(attempt.since));
    }
    if attempt.url.as_str() != URL {
        let _ = write!(told, ", {}", attempt.url);
    }
    if !attempt.known.is_empty() {
        let known: Vec<_> = attempt.known.iter().map(AsRef::as_ref).collect();
        let _ = write!(told, ", knowing {}", known.join(" "));
    }
    told
}

fn change(patch: &EndpointPatch) -> String {
    let mut told = String::new();
    if let Some(events) = &patch.enabled_events {
        let events: Vec<_> = events.iter().map(EventType::as_str).collect();
        let _ = write!(told, " events {}", events.join(" "));
    }
    if let Some(status) = &patch.status {
        let _ = write!(told, " {status}");
    }
    told
}
