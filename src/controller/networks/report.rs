//! How a network stands, and the status that says so.

use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Kind, Shared};
use crate::index::{Index, NetworkKey};
use crate::network::{Verdict, report};
use crate::planning::{Identity, Reason};
use crate::provider::{ErrorClass, NetworkId};

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
            Some(Ok(())) => listed(&index, key),
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
        let after = report(&before, verdict, network.meta().generation, self.parts.context.cluster_time());
        if after == before {
            return Ok(());
        }
        let body = json!({ "metadata": { "uid": network.uid() }, "status": after });
        api.patch_status(&network.name_any(), &PatchParams::default(), &Patch::Merge(body)).await?;
        self.parts.context.index().note_reported_network(key, &uid, after);
        Ok(())
    }
}

/// How a network stands that was listed.
fn listed<N>(index: &Index<N>, key: &NetworkKey) -> Verdict {
    let (known, other) = index.network_ids(key);
    match index.identity(key) {
        Identity::Confirmed => Verdict::Ready {
            network_id: known.map(ToString::to_string),
            confirmation: index.confirmation(key).cloned(),
            census: index.census(key),
            is_first: !index.was_listed_again(key),
        },
        Identity::Changed => Verdict::Failed {
            reason: Reason::NetworkChanged.as_str().to_owned(),
            message: changed(known, other),
            stalled: true,
        },
        // Who holds what may not be known yet.
        Identity::Unconfirmed | Identity::Untold if !index.all_seen() => Verdict::Reconciling,
        Identity::Unconfirmed | Identity::Untold => Verdict::Failed {
            reason: Reason::NetworkUnconfirmed.as_str().to_owned(),
            message: unconfirmed(known, other, index.claim(key).declared.as_ref()),
            stalled: false,
        },
    }
}

fn changed(known: Option<&NetworkId>, other: Option<&NetworkId>) -> String {
    format!(
        "this was network {}, and the credentials and apiUrl lead to network {} now, so nothing is created, changed or \
         deleted there: put them back, or set spec.networkId to {} if that network is meant, and all endpoints are to \
         be created in it",
        quoted(known),
        quoted(other),
        quoted(other),
    )
}

fn unconfirmed(known: Option<&NetworkId>, other: Option<&NetworkId>, declared: Option<&NetworkId>) -> String {
    let known_as = known.map_or_else(String::new, |known| format!(" network {known},"));
    let seen = match other {
        Some(other) => format!("it shows network {other}, and none of the endpoints that are held"),
        None => "it shows none of the endpoints that are held".to_owned(),
    };
    let id = other.or(known);
    let again = if id.is_some() && id == declared { "remove spec.networkId, and then " } else { "" };
    let id = id.map_or_else(|| "its id, or any name".to_owned(), |id| quoted(Some(id)));
    format!(
        "the credentials or apiUrl changed, and nothing shows that this is still{known_as} the network that was known: \
         {seen}, so none of them is taken for deleted. Put the credentials and apiUrl back, or, if this network is \
         meant and all that it does not show is to be created in it, {again}set spec.networkId to {id}"
    )
}

fn quoted(id: Option<&NetworkId>) -> String {
    format!("{:?}", id.map_or("", NetworkId::as_str))
}
