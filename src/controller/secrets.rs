//! The watch of the Secrets that the operator wrote: their metadata, and only theirs.

use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher;
use tokio::sync::watch::Sender;

use super::streams::watched;
use crate::reconcile::{Context, Urgency};
use crate::resources::SECRET_TYPE;

/// Feeds the index, and wakes the owner of each Secret that changes; tells when all were seen once.
pub(super) async fn watch(client: Client, context: Arc<Context>, seen: Sender<bool>) {
    let config = watcher::Config::default().fields(&format!("type={SECRET_TYPE}"));
    let namespaces = &context.settings.namespaces;
    let mut events = watched::<PartialObjectMeta<Secret>>("Secrets", &client, namespaces, &config);
    while let Some(event) = events.next().await {
        let (concerned, complete) = {
            let mut index = context.index();
            (index.apply_secrets(&event), index.secrets_complete())
        };
        context.wake(concerned, Urgency::Change);
        if complete {
            seen.send_replace(true);
        }
    }
}
