//! Doing what was planned: one action, then back to planning.

use kube::runtime::events::{Event, EventType};
use kube::{Resource as _, ResourceExt as _};
use tracing::{debug, info, warn};

use super::Activation;
use super::failure::Failure;
use crate::planning::{Action, DeleteCause, Intent};

impl Activation<'_> {
    pub(super) async fn perform(&mut self, action: Action, intent: &Intent) -> Result<(), Failure> {
        if needs_present_view(&action) {
            self.refuse_outdated_view().await?;
        }
        match (action, intent) {
            (Action::RecordAttempt(attempt), _) => self.record_attempt(&attempt).await,
            (Action::SetFinalizer, _) => self.set_finalizer().await,
            (Action::RemoveFinalizer(leftover), _) => self.remove_finalizer(&leftover).await,
            (Action::RecordAnswered(number), _) => self.record_answered(number).await,
            (Action::Create, _) => self.create().await,
            (Action::Patch { id, patch, reactivates }, _) => self.patch(&id, &patch, reactivates).await,
            (Action::Confirm { id }, _) => self.confirm(&id).await,
            (Action::Delete { id, cause }, _) => self.delete(&id, cause).await,
            (Action::List, _) => self.list().await,
            (Action::DeleteSecret { name }, _) => self.delete_secret(&name).await,
            (Action::ReleaseSecret { name }, _) => self.release_secret(name).await,
            (Action::ProveSecretWritable, Intent::Keep(desired)) => {
                self.prove_writable(&desired.secret).await
            }
            (Action::StoreSecret, Intent::Keep(desired)) => self.store_secret(&desired.secret).await,
            (Action::CopySecret { from }, Intent::Keep(desired)) => {
                self.copy_secret(&from, &desired.secret).await
            }
            (Action::DressSecret, Intent::Keep(desired)) => self.dress_secret(&desired.secret).await,
            // Never planned for a resource that is being deleted.
            (
                Action::ProveSecretWritable
                | Action::StoreSecret
                | Action::CopySecret { .. }
                | Action::DressSecret,
                Intent::Remove(_),
            ) => Err(Failure::Restless),
        }
    }

    /// Publishes an event. It is a courtesy: that it can't be written stops nothing.
    pub(super) async fn tell(&self, type_: EventType, reason: &str, action: &str, note: String) {
        match type_ {
            EventType::Normal => info!(reason, "{note}"),
            EventType::Warning => warn!(reason, "{note}"),
        }
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note.chars().take(1000).collect()),
            action: action.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.context.recorder.publish(&event, &self.view.object_ref(&())).await {
            debug!(name = self.view.name_any(), "can't publish an event: {error}");
        }
    }
}

/// Whether to read the resource again, past the cache, before an action: one that can't be undone, or that
/// would bring back what was declared once. The others lose by themselves when they come from an outdated
/// view, or are as good then: a secret in hand is stored, whatever is declared.
fn needs_present_view(action: &Action) -> bool {
    match action {
        Action::Patch { .. }
        | Action::Delete { cause: DeleteCause::Removed | DeleteCause::Orphan { .. }, .. }
        | Action::CopySecret { .. }
        | Action::DressSecret
        | Action::DeleteSecret { .. }
        | Action::ReleaseSecret { .. } => true,
        Action::ProveSecretWritable
        | Action::RecordAttempt(_)
        | Action::SetFinalizer
        | Action::RemoveFinalizer(_)
        | Action::RecordAnswered(_)
        | Action::Create
        | Action::StoreSecret
        | Action::Confirm { .. }
        | Action::List
        | Action::Delete { cause: DeleteCause::InHand, .. } => false,
    }
}
