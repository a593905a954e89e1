//! The watch of namespaces: their labels decide which networks they may use.

use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};

use super::streams::steady;
use crate::reconcile::Context;

/// Feeds the labels of namespaces, and wakes the resources in those whose labels change.
pub(super) async fn watch(client: Client, context: Arc<Context>) {
    let events = watcher(Api::<PartialObjectMeta<Namespace>>::all(client), watcher::Config::default());
    let mut events = std::pin::pin!(steady("namespaces", events));
    while let Some(event) = events.next().await {
        match event {
            Event::InitApply(namespace) | Event::Apply(namespace) => {
                let name = namespace.name_any();
                if context.see_namespace(&name, namespace.labels().clone()) {
                    context.wake_namespace(&name);
                }
            }
            Event::Delete(namespace) => context.forget_namespace(&namespace.name_any()),
            Event::Init | Event::InitDone => {}
        }
    }
}
