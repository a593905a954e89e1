//! What a resource may ask of its network, and whether there is one.

use std::sync::Arc;
use std::time::Instant;

use super::deadline::RetainDeadline;
use super::{Activation, Context};
use crate::network::{Access, Network, Openness, Refusal, Unavailable};
use crate::planning::{Action, Intent, Reason, Removal, Rest};
use crate::resources::WebhookEndpoint;
use crate::state::NetworkKey;

/// The network that a resource is to be reconciled with.
pub(super) fn look_up(
    context: &Context,
    view: &WebhookEndpoint,
    network: &NetworkKey,
) -> Result<(Arc<Network>, Access), Unavailable> {
    match view.metadata.deletion_timestamp {
        Some(_) => context.networks.get_for_removal(network),
        None => context.networks.get(network),
    }
}

impl Activation<'_> {
    /// Takes in whether the network can be asked. Only a resource that is to be retained goes on without it.
    pub(super) fn note_availability(&mut self, intent: &Intent) {
        let now = Instant::now();
        match (&self.network, intent) {
            (_, Intent::Keep(_) | Intent::Remove(Removal::Delete)) => {
                self.mind.retain_deadline = RetainDeadline::default();
            }
            // The watch has not shown it yet.
            (Err(unavailable), _) if unavailable.reason != Reason::AwaitingList => {
                self.mind.retain_deadline.unavailable(now);
            }
            _ => self.mind.retain_deadline.available(now),
        }
    }

    /// Why nothing may be asked of the network, if so.
    pub(super) fn gate(&self, intent: &Intent) -> Option<Rest> {
        let access = match &self.network {
            Ok((_, access)) => access,
            Err(unavailable) => {
                let (reason, mut message) = (unavailable.reason, unavailable.message.clone());
                message += match intent {
                    Intent::Keep(_) => "",
                    Intent::Remove(Removal::Delete) => {
                        "; to let go of the resource and leave its endpoint, set spec.deletionPolicy to Retain"
                    }
                    Intent::Remove(Removal::Retain) => {
                        "; a create that was not answered can't be looked into, so the resource is let go soon \
                         all the same"
                    }
                };
                return Some(match reason {
                    Reason::NetworkNotFound => Rest::stalled(reason, message),
                    _ => Rest::reconciling(reason, message, None),
                });
            }
        };
        // A resource that is being deleted may take its endpoint along, whoever is allowed by now.
        let Intent::Keep(desired) = intent else { return None };
        let labels = self.context.namespace_labels(&self.key.namespace);
        let allowed = access.check_namespace(&self.key.namespace, labels.as_ref());
        let refusal = allowed.and_then(|()| access.check_url(desired.endpoint.url.as_str())).err()?;
        let message = refusal.to_string();
        Some(match refusal {
            Refusal::UnknownNamespace { .. } => Rest::reconciling(Reason::AwaitingList, message, None),
            Refusal::Namespace { .. } => Rest::stalled(Reason::NamespaceNotAllowed, message),
            Refusal::Unreadable { .. } | Refusal::Http | Refusal::Host { .. } => {
                Rest::stalled(Reason::UrlNotAllowed, message)
            }
        })
    }

    /// Why a network that is being deleted makes nothing new, if so.
    pub(super) fn closed_to(&self, action: &Action) -> Option<Rest> {
        let (_, access) = self.network.as_ref().ok()?;
        let makes_new = matches!(action, Action::RecordAttempt(_) | Action::Create);
        (makes_new && access.openness == Openness::Closing).then(|| {
            let message = format!("{} is being deleted: it takes no new endpoints", self.network_key);
            Rest::reconciling(Reason::NetworkNotReady, message, None)
        })
    }
}

/// Whether an action needs the network, or begins what will.
pub(super) fn concerns_network(action: &Action) -> bool {
    match action {
        Action::ProveSecretWritable
        | Action::RecordAttempt(_)
        | Action::Create
        | Action::Patch { .. }
        | Action::Confirm { .. }
        | Action::Delete { .. }
        | Action::List => true,
        Action::StoreSecret
        | Action::CopySecret { .. }
        | Action::DressSecret
        | Action::DeleteSecret { .. }
        | Action::RecordAnswered(_)
        | Action::ReleaseSecret { .. }
        | Action::SetFinalizer
        | Action::RemoveFinalizer(_) => false,
    }
}
