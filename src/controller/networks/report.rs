//! How a network stands, and the status that says so.

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Kind, Shared};
use crate::index::NetworkKey;
use crate::network::{Verdict, report};
use crate::provider::ErrorClass;

impl Shared {
    pub(super) fn verdict(&self, key: &NetworkKey) -> Verdict {
        let index = self.parts.context.index();
        match index.registered(key) {
            Some(Ok(_)) => {}
            Some(Err(unavailable)) => {
                return Verdict::Failed {
                    reason: unavailable.reason.as_str().to_owned(),
                    message: unavailable.message,
                    stalled: true,
                };
            }
            None => return Verdict::Reconciling,
        }
        match index.latest_list(key) {
            None => Verdict::Reconciling,
            Some(Ok(())) => Verdict::Ready {
                network_id: index.inventory(key).and_then(|seen| seen.network_id()).map(ToString::to_string),
                counts: index.counts(key),
                is_first: !index.was_listed_again(key),
            },
            Some(Err(error)) => Verdict::Failed {
                reason: error.reason().to_owned(),
                message: error.to_string(),
                stalled: matches!(
                    error.class(),
                    ErrorClass::Unauthorized | ErrorClass::Forbidden | ErrorClass::Permanent
                ),
            },
        }
    }

    pub(super) async fn report<K: Kind>(
        &self,
        network: &K,
        key: &NetworkKey,
        verdict: &Verdict,
    ) -> Result<(), kube::Error> {
        let api = K::api(self.parts.context.client.clone(), key);
        // The cache shows no status newer than this process's own last one.
        let uid = network.uid().unwrap_or_default();
        let before = self.parts.context.index().reported_network(key, &uid).cloned();
        let before = before.or_else(|| network.status().cloned()).unwrap_or_default();
        let after = report(&before, verdict, network.meta().generation, Timestamp::now());
        if after == before {
            return Ok(());
        }
        let body = json!({ "metadata": { "uid": network.uid() }, "status": after });
        api.patch_status(&network.name_any(), &PatchParams::default(), &Patch::Merge(body)).await?;
        self.parts.context.index().note_reported_network(key, &uid, after);
        Ok(())
    }
}
