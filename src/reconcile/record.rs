//! Writes of the resource itself: the attempt, the finalizer, the status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tracing::debug;

use super::Activation;
use super::failure::Failure;
use super::remote::warn_of_loss;
use super::status::status;
use crate::conditions::{Type, find};
use crate::index::{Mark, Resource};
use crate::planning::{Attempt, Leftover, Outcome, Presence, Purpose, State, report};
use crate::provider::EndpointId;
use crate::resources::{ATTEMPT_ANNOTATION, FINALIZER, Lenient, WebhookEndpoint, WebhookEndpointStatus};

impl Activation<'_> {
    fn resources(&self) -> Api<Lenient<WebhookEndpoint>> {
        Api::namespaced(self.context.client.clone(), &self.key.namespace)
    }

    /// Reads the resource again, past the cache: it must be as planned with.
    pub(super) async fn refuse_outdated_view(&self) -> Result<(), Failure> {
        let live = self.resources().get_metadata(&self.key.name).await;
        let live = live.map_err(Failure::kubernetes("read the resource"))?;
        let same_version = live.resource_version() == self.resource.resource_version;
        if same_version && live.uid().as_ref() == Some(&self.resource.uid) {
            return Ok(());
        }
        Err(Failure::Outdated)
    }

    /// Reads the resource again, past the cache, and goes by that until the cache shows something newer.
    pub(super) async fn fetch(&mut self) {
        match self.resources().get(&self.key.name).await {
            Ok(live) => self.wrote(&live),
            Err(error) => debug!("can't read the resource: {error}"),
        }
    }

    /// Sets the finalizer and records the attempt, in one write that an outdated view loses.
    pub(super) async fn record_attempt(&mut self, attempt: &Attempt) -> Result<(), Failure> {
        if attempt.purpose == Purpose::SecretLost {
            self.refuse_unseen_secret().await?;
        }
        self.local(|local| local.memory.recording(attempt));
        self.change_metadata("record the create", self.with_marks(Some(attempt))).await?;
        self.tell_why(attempt);
        Ok(())
    }

    /// Says why an endpoint is created although there is or was one.
    fn tell_why(&self, attempt: &Attempt) {
        let recorded = self.resource.recorded();
        let Some(id) = recorded.current() else { return };
        let why = match attempt.purpose {
            Purpose::First => {
                if self.last_seen(id) == Some(Presence::Gone) {
                    let note = format!("endpoint {id} was deleted remotely, and not by this operator");
                    self.publish(EventType::Warning, "DeletedRemotely", "RecordAttempt", note);
                }
                return;
            }
            Purpose::Interval => "its secret has been used for spec.rotation.interval",
            Purpose::Requested => "the annotation webhookoperator.dev/rotate asks for it",
            Purpose::Url => "spec.url is another one now",
            Purpose::SecretLost => "its secret was deleted or altered in the cluster",
        };
        let lost = attempt.purpose == Purpose::SecretLost;
        let kind = if lost { EventType::Warning } else { EventType::Normal };
        let note = format!("endpoint {id} is replaced by another one: {why}");
        self.publish(kind, "Replacing", "RecordAttempt", note);
    }

    /// Gives the finalizer, and the record of an open attempt, back to a resource that has lost one of them.
    pub(super) async fn set_finalizer(&mut self, attempt: Option<&Attempt>) -> Result<(), Failure> {
        self.change_metadata("set the finalizer", self.with_marks(attempt)).await
    }

    fn with_marks(&self, attempt: Option<&Attempt>) -> Value {
        let mut metadata = json!({ "finalizers": self.with_finalizer() });
        if let Some(attempt) = attempt {
            let text = serde_json::to_string(attempt).unwrap_or_default();
            metadata["annotations"] = json!({ ATTEMPT_ANNOTATION: text });
        }
        metadata
    }

    fn with_finalizer(&self) -> Vec<String> {
        self.other_finalizers().chain([FINALIZER.to_owned()]).collect()
    }

    fn other_finalizers(&self) -> impl Iterator<Item = String> {
        self.resource.finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).cloned()
    }

    async fn change_metadata(&mut self, what: &'static str, metadata: Value) -> Result<(), Failure> {
        let body = self.guarded(json!({ "metadata": metadata }));
        let written =
            self.resources().patch(&self.key.name, &PatchParams::default(), &Patch::Merge(body)).await;
        self.wrote(&written.map_err(Failure::kubernetes(what))?);
        Ok(())
    }

    /// Has a change lose when the resource has changed since it was observed.
    fn guarded(&self, mut change: Value) -> Value {
        change["metadata"]["uid"] = self.resource.uid.as_str().into();
        change["metadata"]["resourceVersion"] = self.resource.resource_version.clone().into();
        change
    }

    async fn change_status(&mut self, change: Value) -> Result<(), Failure> {
        let body = Patch::Merge(self.guarded(json!({ "status": change })));
        let written = self.resources().patch_status(&self.key.name, &PatchParams::default(), &body).await;
        self.wrote(&written.map_err(Failure::kubernetes("write the status"))?);
        Ok(())
    }

    fn warn_of(&self, leftover: &Leftover) {
        let (reason, note) = match leftover {
            Leftover::Nothing => return,
            Leftover::WithoutSecret(id) => (
                "RetainedWithoutSecret",
                format!(
                    "endpoint {id} is kept, as deletionPolicy Retain asks, but the Secret with its signing secret is \
                     gone: restore it from a backup, or delete the endpoint from the network"
                ),
            ),
            Leftover::Beside(ids) => (
                "RetainedBeside",
                format!(
                    "endpoints {} are left beside the one that is kept, as deletionPolicy Retain asks: delete them from \
                     the network once they have nothing to deliver any more",
                    ids.iter().map(EndpointId::as_str).collect::<Vec<_>>().join(", ")
                ),
            ),
            Leftover::OfAttempt(attempt) => (
                "CreateUnresolved",
                format!(
                    "create attempt {} for {}, begun at {}, is unresolved, and what it made could not be found out or \
                     undone: an endpoint whose secret is stored nowhere may be left in the network, where it counts \
                     as unmanaged; delete it from there if nobody uses it",
                    attempt.number, attempt.url, attempt.started_at
                ),
            ),
        };
        self.publish(EventType::Warning, reason, "Release", note);
    }

    /// Puts on record that the recorded attempt was answered.
    pub(super) async fn record_answered(&mut self, number: u64) -> Result<(), Failure> {
        self.change_status(json!({ "resolvedAttempt": number })).await
    }

    /// Lets the resource go, and warns of what that leaves.
    pub(super) async fn remove_finalizer(&mut self, leftover: &Leftover) -> Result<(), Failure> {
        self.refuse_claimed_secret().await?;
        let finalizers = self.other_finalizers().collect::<Vec<_>>();
        let body = Patch::Merge(self.guarded(json!({ "metadata": { "finalizers": finalizers } })));
        match self.resources().patch(&self.key.name, &PatchParams::default(), &body).await {
            // With the last finalizer goes the resource.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => {
                other.map_err(Failure::kubernetes("remove the finalizer"))?;
            }
        }
        self.warn_of(leftover);
        let lost = self.context.index().let_go(&self.key, &self.resource.uid);
        if let (Some(id), false) = (lost, matches!(leftover, Leftover::OfAttempt(_))) {
            warn_of_loss(&id);
        }
        Ok(())
    }

    /// Writes the status, unless it says so already.
    pub(super) async fn report(&mut self, outcome: &Outcome) -> Result<(), Failure> {
        let drifted = if outcome.state == State::Drifted { Mark::Set } else { Mark::Clear };
        self.context.index().set_drifted(&self.key, &self.resource.uid, drifted);
        let Some((resource, mut observed, now)) = self.look() else { return Ok(()) };
        observed.previous = self.failed.take();
        // What somebody has changed since was not planned for, so nothing is said of it.
        if resource.resource_version != self.version {
            return Err(Failure::Outdated);
        }
        self.resource = resource;
        let Some(report) = report(&self.resource.intent, outcome, &observed, now) else { return Ok(()) };
        let before = &self.resource.status;
        let after = status(before, &report, self.resource.generation, self.context.cluster_time());
        if after == *before {
            return Ok(());
        }
        let turned = turned_bad(&before.conditions, &after.conditions).cloned();
        self.change_status(merge_patch(before, &after)).await?;
        if let Some(condition) = turned {
            self.publish(EventType::Warning, &condition.reason, "Reconcile", condition.message);
        }
        Ok(())
    }

    /// Takes in the resource as a call of ours returned it.
    fn wrote(&mut self, resource: &Lenient<WebhookEndpoint>) {
        self.version = resource.resource_version();
        // Something newer may be known, or it may be gone.
        let _ = self.context.index().wrote(Resource::shown(resource));
    }
}

/// The `Stalled` condition, if it is new or has a new reason: that is worth an event.
fn turned_bad<'a>(before: &[Condition], after: &'a [Condition]) -> Option<&'a Condition> {
    let now = find(after, Type::Stalled)?;
    let earlier = find(before, Type::Stalled).map(|condition| condition.reason.as_str());
    (earlier != Some(now.reason.as_str())).then_some(now)
}

/// The status as a merge patch: what is not there any more has to be named, and what is as it was stays away, which
/// may be more than this version can read.
fn merge_patch(before: &WebhookEndpointStatus, after: &WebhookEndpointStatus) -> Value {
    let mut patch = serde_json::to_value(after).unwrap_or_default();
    let before = serde_json::to_value(before).unwrap_or_default();
    keep_changes(&before, &mut patch);
    patch
}

fn keep_changes(before: &Value, patch: &mut Value) {
    let (Value::Object(before), Value::Object(patch)) = (before, patch) else { return };
    for (field, earlier) in before {
        match patch.get_mut(field) {
            Some(later) if later == earlier => {
                patch.remove(field);
            }
            Some(later) => keep_changes(earlier, later),
            None => {
                patch.insert(field.clone(), Value::Null);
            }
        }
    }
}
