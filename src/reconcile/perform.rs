//! Doing what was planned: one action, then back to planning.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;
use kube::runtime::events::EventType;

use super::Activation;
use super::events::Told;
use super::failure::Failure;
use crate::planning::Action;
use crate::resources::WebhookEndpoint;

impl Activation<'_> {
    pub(super) async fn perform(&mut self, action: &Action) -> Result<(), Failure> {
        if action.needs_present_view() {
            self.refuse_outdated_view().await?;
        }
        match action {
            Action::RecordAttempt(attempt) => self.record_attempt(attempt).await,
            Action::SetFinalizer(attempt) => self.set_finalizer(attempt.as_deref()).await,
            Action::RemoveFinalizer(leftover) => self.remove_finalizer(leftover).await,
            Action::RecordAnswered(number) => self.record_answered(*number).await,
            Action::Create { attempt, no_later_than } => self.create(attempt, *no_later_than).await,
            Action::Patch { id, patch, cause } => self.patch(id, patch, *cause).await,
            Action::Confirm { id } => self.confirm(id).await,
            Action::Delete { id, cause } => self.delete(id, cause).await,
            Action::List => self.list().await,
            Action::ProveSecretWritable(shape) => self.prove_writable(shape).await,
            Action::StoreSecret { hand, url, shape, keep } => self.store_secret(hand, url, shape, keep).await,
            Action::RewriteSecret { name, first, url, attempt, keep } => {
                self.rewrite_secret(name, (first, url.as_ref(), *attempt), keep).await
            }
            Action::AdoptSecret { id, url, source, shape } => self.adopt_secret(id, url, source, shape).await,
            Action::CopySecret { from, shape } => self.copy_secret(from, shape).await,
            Action::SyncSecretMetadata { shape, endpoint, attempt } => {
                self.sync_secret_metadata(shape, endpoint.as_ref(), *attempt).await
            }
            Action::AcceptSecretMetadata(shape) => self.accept_secret_metadata(shape).await,
            Action::VerifySecret { name, endpoint, url } => {
                self.verify_secret(name, endpoint.as_ref(), url.as_ref()).await
            }
            Action::DeleteSecret { name } => self.delete_secret(name).await,
            Action::ReleaseSecret { name } => self.release_secret(name).await,
        }
    }

    /// Tells what happened.
    pub(super) fn publish(&self, kind: EventType, reason: &str, action: &'static str, note: String) {
        let r#type = match kind {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        };
        self.context.metrics.told(r#type, reason);
        let regarding = ObjectReference {
            api_version: Some(WebhookEndpoint::api_version(&()).into_owned()),
            kind: Some(WebhookEndpoint::kind(&()).into_owned()),
            namespace: Some(self.key.namespace.to_string()),
            name: Some(self.key.name.to_string()),
            uid: Some(self.resource.uid.clone()),
            ..ObjectReference::default()
        };
        self.context.events.tell(Told { kind, regarding, reason: reason.to_owned(), action, note });
    }
}
