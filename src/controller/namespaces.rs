//! The watch of namespaces: their labels decide which networks they may use.

use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt as _};

use super::streams::steady;
use crate::reconcile::{Context, Urgency};

/// Feeds the labels of namespaces, and wakes the resources in those whose labels change.
pub(super) async fn watch(client: Client, context: Arc<Context>) {
    if !context.settings.namespaces.is_empty() {
        // No network asks for labels then, and nobody may read them.
        return std::future::pending().await;
    }
    let api = Api::<PartialObjectMeta<Namespace>>::all(client);
    let mut events = std::pin::pin!(steady("namespaces", api, watcher::Config::default()));
    let mut listed = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(namespace) => {
                see(&context, &namespace);
                listed.insert(namespace.name_any());
            }
            Event::InitDone => context.index().forget_namespaces_but(&std::mem::take(&mut listed)),
            Event::Apply(namespace) => see(&context, &namespace),
            Event::Delete(namespace) => context.index().forget_namespace(&namespace.name_any()),
        }
    }
}

fn see(context: &Context, namespace: &PartialObjectMeta<Namespace>) {
    let name = namespace.name_any();
    let concerned = {
        let mut index = context.index();
        if !index.see_namespace(&name, namespace.labels().clone()) {
            return;
        }
        index.in_namespace(&name).cloned().collect::<Vec<_>>()
    };
    context.wake(concerned, Urgency::Resync);
}
