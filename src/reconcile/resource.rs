//! Writes of the resource itself: the attempt, the finalizer, the status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tracing::debug;

use super::Activation;
use super::failure::Failure;
use super::observe::{observe, seen};
use super::report::{Facts, status};
use crate::conditions::{Type, find};
use crate::planning::{Attempt, Leftover, Rest, State};
use crate::resources::{ATTEMPT_ANNOTATION, FINALIZER, WebhookEndpoint, WebhookEndpointStatus};

impl Activation<'_> {
    fn resources(&self) -> Api<WebhookEndpoint> {
        Api::namespaced(self.context.client.clone(), &self.key.namespace)
    }

    /// Reads the resource again, past the cache: it must be as planned with.
    pub(super) async fn refuse_outdated_view(&self) -> Result<(), Failure> {
        let live = self.resources().get_metadata(&self.key.name).await;
        let live = live.map_err(Failure::kubernetes("read the resource"))?;
        if live.resource_version() == self.view.resource_version() && live.uid() == self.view.uid() {
            return Ok(());
        }
        Err(Failure::Outdated)
    }

    /// Reads the resource again, past the cache, and goes by that until the cache shows something newer.
    pub(super) async fn fetch_view(&mut self) {
        match self.resources().get(&self.key.name).await {
            Ok(live) if live.uid() == self.view.uid() => self.replace_view(live),
            Ok(_) => {}
            Err(error) => debug!("can't read the resource: {error}"),
        }
    }

    /// Sets the finalizer and records the attempt, in one write that an outdated view loses.
    pub(super) async fn record_attempt(&mut self, attempt: &Attempt) -> Result<(), Failure> {
        let body = json!({ "metadata": {
            "uid": self.view.uid(),
            "resourceVersion": self.view.resource_version(),
            "finalizers": self.with_finalizer(),
            "annotations": { ATTEMPT_ANNOTATION: serde_json::to_string(attempt).unwrap_or_default() },
        }});
        self.mind.memory.recording(attempt);
        let patched =
            self.resources().patch(&self.key.name, &PatchParams::default(), &Patch::Merge(body)).await;
        self.replace_view(patched.map_err(Failure::kubernetes("record the create"))?);
        Ok(())
    }

    /// Gives the finalizer back to a resource that has lost it.
    pub(super) async fn set_finalizer(&mut self) -> Result<(), Failure> {
        let body = json!({ "metadata": {
            "uid": self.view.uid(),
            "resourceVersion": self.view.resource_version(),
            "finalizers": self.with_finalizer(),
        }});
        let patched =
            self.resources().patch(&self.key.name, &PatchParams::default(), &Patch::Merge(body)).await;
        self.replace_view(patched.map_err(Failure::kubernetes("set the finalizer"))?);
        Ok(())
    }

    fn with_finalizer(&self) -> Vec<String> {
        let others = self.view.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).cloned();
        others.chain([FINALIZER.to_owned()]).collect()
    }

    /// Puts on record that the recorded attempt was answered.
    pub(super) async fn record_answered(&mut self, number: u64) -> Result<(), Failure> {
        let body = json!({
            "metadata": { "uid": self.view.uid(), "resourceVersion": self.view.resource_version() },
            "status": { "resolvedAttempt": number },
        });
        let patched =
            self.resources().patch_status(&self.key.name, &PatchParams::default(), &Patch::Merge(body)).await;
        self.replace_view(patched.map_err(Failure::kubernetes("write the status"))?);
        Ok(())
    }

    /// Lets the resource go, and warns first of what that leaves.
    pub(super) async fn remove_finalizer(&mut self, leftover: &Leftover) -> Result<(), Failure> {
        if let Leftover::OfAttempt(attempt) = leftover {
            let note = format!(
                "create attempt {} for {}, begun at {}, is unresolved, and what it made could not be found out or \
                 undone: an endpoint whose secret is stored nowhere may be left in the network, where it counts as \
                 unmanaged; delete it from there if nobody uses it",
                attempt.number, attempt.url, attempt.started_at
            );
            self.tell(EventType::Warning, "CreateUnresolved", "Release", note).await;
        }
        let mut finalizers = self.view.finalizers().to_vec();
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        let body = json!({ "metadata": {
            "uid": self.view.uid(),
            "resourceVersion": self.view.resource_version(),
            "finalizers": finalizers,
        }});
        let patched =
            self.resources().patch(&self.key.name, &PatchParams::default(), &Patch::Merge(body)).await;
        self.view = match patched {
            // With the last finalizer goes the resource.
            Err(kube::Error::Api(status)) if status.code == 404 => {
                let mut gone = self.view.clone();
                gone.metadata.finalizers = None;
                gone
            }
            other => other.map_err(Failure::kubernetes("remove the finalizer"))?,
        };
        Ok(())
    }

    /// Writes the status, unless it says so already.
    pub(super) async fn report(&mut self, rest: &Rest) -> Result<(), Failure> {
        self.context.note_drifted(self.key, rest.state == State::Drifted);
        let before = self.view.status.clone().unwrap_or_default();
        let observed = observe(self, &super::intent::of(&self.view));
        // Where the Secret and the status name two endpoints, the status keeps its own until it is
        // settled which one counts.
        let stored = observed.held_secrets().find_map(|secret| secret.endpoint.clone());
        let settled = matches!(rest.state, State::Ready | State::Drifted) || observed.recorded.is_none();
        let id = if settled { stored.or(observed.recorded.clone()) } else { observed.recorded.clone() };
        let facts = Facts {
            endpoint: id.as_ref().and_then(|id| seen(self, id)),
            secret_name: super::intent::secret_name(&self.view),
            generation: self.view.metadata.generation,
            now: self.now(),
            observed: &observed,
        };
        let after = status(&before, rest, &facts);
        if after == before {
            return Ok(());
        }
        let turned = turned_bad(&before.conditions, &after.conditions).cloned();
        let body = json!({
            "metadata": { "uid": self.view.uid(), "resourceVersion": self.view.resource_version() },
            "status": merge_patch(&before, &after),
        });
        let patched =
            self.resources().patch_status(&self.key.name, &PatchParams::default(), &Patch::Merge(body)).await;
        self.replace_view(patched.map_err(Failure::kubernetes("write the status"))?);
        if let Some(condition) = turned {
            self.tell(EventType::Warning, &condition.reason, "Reconcile", condition.message).await;
        }
        Ok(())
    }

    fn replace_view(&mut self, mut resource: WebhookEndpoint) {
        resource.metadata.managed_fields = None;
        self.context.wrote(self.key, &resource);
        self.view = resource;
    }
}

/// The `Stalled` condition, if it is new or has a new reason: that is worth an event.
fn turned_bad<'a>(before: &[Condition], after: &'a [Condition]) -> Option<&'a Condition> {
    let now = find(after, Type::Stalled)?;
    let earlier = find(before, Type::Stalled).map(|condition| condition.reason.as_str());
    (earlier != Some(now.reason.as_str())).then_some(now)
}

/// The status as a merge patch: what is not there any more has to be named.
fn merge_patch(before: &WebhookEndpointStatus, after: &WebhookEndpointStatus) -> Value {
    let mut patch = serde_json::to_value(after).unwrap_or_default();
    let before = serde_json::to_value(before).unwrap_or_default();
    remove_missing(&before, &mut patch);
    patch
}

fn remove_missing(before: &Value, patch: &mut Value) {
    let (Value::Object(before), Value::Object(patch)) = (before, patch) else { return };
    for (field, earlier) in before {
        match patch.get_mut(field) {
            Some(later) => remove_missing(earlier, later),
            None => {
                patch.insert(field.clone(), Value::Null);
            }
        }
    }
}
