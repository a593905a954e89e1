//! The users do what the conditions say.

use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use simulator::EndpointId;
use testkit::condition;
use webhook_operator::resources::{RECONCILE_ANNOTATION, WebhookEndpoint};

use crate::fleet::{Fleet, Place};
use crate::owner::owner;

/// Longer than an endpoint that keeps being disabled is left alone.
const PATIENCE: Duration = Duration::from_hours(25);

impl Fleet {
    /// Reads what a resource says of itself and does what that asks for; tells whether it did anything.
    pub async fn follow_advice(&self, place: &mut Place) -> bool {
        let found = self.resources.get_opt(&place.name).await.expect("resources can be read");
        let Some(resource) = found.filter(|found| found.metadata.deletion_timestamp.is_none()) else {
            return false;
        };
        let ready = condition(&resource, "Ready").filter(|ready| ready.status == "False");
        let Some(reason) = ready.map(|ready| ready.reason.clone()) else { return false };
        let followed = match reason.as_str() {
            "Drifted" | "DeletedRemotely" => self.correct_drift(place).await,
            "SecretNotOurs" => self.make_room(place).await,
            "CreateUncertain" => self.delete_unused(&resource).await,
            _ => false,
        };
        if followed {
            place.journal.push(format!("       {} does what {reason} says", self.simulator.now()));
            self.ask_for_a_look(place).await;
        }
        followed
    }

    async fn correct_drift(&self, place: &mut Place) -> bool {
        let Some(manifest) = &mut place.manifest else { return false };
        manifest.drift = "Correct";
        self.apply(place).await
    }

    /// Another resource's Secret is left to it; one that nobody owns is deleted.
    async fn make_room(&self, place: &mut Place) -> bool {
        let Some(manifest) = &mut place.manifest else { return false };
        let found = self.secrets.get_metadata_opt(&manifest.secret).await.expect("Secrets can be read");
        let Some(secret) = found else { return true };
        if owner(&secret.metadata).is_none() {
            return self.delete_secret(&secret.name_any()).await;
        }
        manifest.secret.clone_from(&place.name);
        self.apply(place).await
    }

    /// Deletes those of the endpoints which the message names that nobody uses.
    async fn delete_unused(&self, resource: &WebhookEndpoint) -> bool {
        let message = testkit::message(resource, "Ready");
        let words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named = words.filter(|word| word.starts_with("wh_") || word.starts_with("we_"));
        let resources = self.resources.list(&ListParams::default()).await.expect("resources can be listed");
        let used = resources.items.iter().filter_map(|resource| resource.status.as_ref()?.endpoint.as_ref());
        let used = used.map(|endpoint| endpoint.id.as_str()).collect::<Vec<_>>();
        let mut deleted = false;
        for id in named.filter(|id| !used.contains(id)).map(EndpointId::from) {
            let keeps = self.strangers().contains(&id) || self.witness.seen().is_stored(&id);
            deleted |= !keeps && self.simulator.delete(&id);
        }
        deleted
    }

    /// Has the network listed afresh.
    async fn ask_for_a_look(&self, place: &Place) {
        let now = self.simulator.now().to_string();
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { RECONCILE_ANNOTATION: now } } }));
        // It may have gone.
        let _ = self.resources.patch_metadata(&place.name, &PatchParams::default(), &patch).await;
    }

    /// Nobody is paused any more, deletions included.
    pub async fn unpause(&self, place: &mut Place) {
        if let Some(manifest) = &mut place.manifest {
            manifest.paused = false;
        }
        if place.going {
            let patch = Patch::Merge(json!({ "spec": { "paused": false } }));
            // It may have gone.
            let _ = self.resources.patch(&place.name, &PatchParams::default(), &patch).await;
        }
        self.apply(place).await;
    }

    /// Lets the time pass for which an endpoint that keeps being disabled, or a Secret that keeps being deleted, is left
    /// alone.
    pub async fn let_patience_pass(&self, resources: &[WebhookEndpoint]) {
        let left_alone = |resource: &&WebhookEndpoint| {
            let patient = ["Deactivated", "SecretLost"];
            condition(*resource, "Synced").is_some_and(|synced| patient.contains(&synced.reason.as_str()))
        };
        if !resources.iter().any(|resource| left_alone(&resource)) {
            return;
        }
        self.simulator.advance_clock(PATIENCE);
        for number in 0..crate::fleet::SIZE {
            let place = self.place(number).await;
            self.ask_for_a_look(&place).await;
        }
    }
}
