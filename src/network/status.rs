//! The status of a network: pure.

use jiff::Timestamp;

use crate::conditions::{Type, Wanted, merge};
use crate::planning::Reason;
use crate::resources::{EndpointCounts, WebhookNetworkStatus};

/// How a network stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It was listed.
    Ready {
        /// The API's id of it, when an endpoint named it.
        network_id: Option<String>,
        /// What the latest list showed.
        counts: EndpointCounts,
    },
    /// It was not listed yet.
    Reconciling,
    /// It can't be used, or was not reachable lately.
    Failed {
        /// For machines.
        reason: String,
        /// For people.
        message: String,
        /// Whether only a change by a person helps.
        stalled: bool,
    },
    /// It is being deleted, and endpoints still use it.
    InUse {
        /// How many.
        endpoints: usize,
    },
}

/// The status to be.
#[must_use]
pub fn report(
    before: &WebhookNetworkStatus,
    verdict: &Verdict,
    generation: Option<i64>,
    now: Timestamp,
) -> WebhookNetworkStatus {
    let mut network_id = before.network_id.clone();
    let mut endpoints = before.endpoints;
    let in_use;
    let wanted = match verdict {
        Verdict::Ready { network_id: seen, counts } => {
            network_id = seen.clone().or(network_id);
            endpoints = Some(*counts);
            let message = "credentials are accepted and the endpoints are listed";
            vec![Wanted {
                kind: Type::Ready,
                status: Some(true),
                reason: Reason::Available.as_str(),
                message,
            }]
        }
        Verdict::Reconciling => {
            let (reason, message) =
                (Reason::AwaitingList.as_str(), "waits for the first list of the endpoints");
            vec![
                Wanted { kind: Type::Ready, status: Some(false), reason, message },
                Wanted { kind: Type::Reconciling, status: Some(true), reason, message },
            ]
        }
        Verdict::Failed { reason, message, stalled } => {
            let second = if *stalled { Type::Stalled } else { Type::Reconciling };
            vec![
                Wanted { kind: Type::Ready, status: Some(false), reason, message },
                Wanted { kind: second, status: Some(true), reason, message },
            ]
        }
        Verdict::InUse { endpoints } => {
            in_use = format!(
                "{endpoints} WebhookEndpoints still use this network: delete them, and this goes on by itself"
            );
            vec![
                Wanted { kind: Type::Ready, status: Some(false), reason: "InUse", message: &in_use },
                Wanted { kind: Type::Reconciling, status: Some(true), reason: "InUse", message: &in_use },
            ]
        }
    };
    WebhookNetworkStatus {
        observed_generation: generation,
        conditions: merge(&before.conditions, &wanted, generation, now),
        network_id,
        endpoints,
    }
}
