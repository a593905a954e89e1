//! The status of a network: pure.

use jiff::Timestamp;

use crate::conditions::{Type, Wanted, merge};
use crate::index::Census;
use crate::planning::Reason;
use crate::resources::{NetworkConfirmation, WebhookNetworkStatus};

/// How a network stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It was listed.
    Ready {
        /// The id by which it is known, if any.
        network_id: Option<String>,
        /// How it was when that was last certain.
        confirmation: Option<NetworkConfirmation>,
        /// What the latest list showed, once it is known which resources there are.
        census: Option<Census>,
        /// Whether it was listed once only: how the resources stand is still being found out.
        is_first: bool,
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
    // After a start there is nothing to tell that is not told already.
    if *verdict == Verdict::Reconciling && before.observed_generation == generation {
        return before.clone();
    }
    let mut network_id = before.network_id.clone();
    let mut confirmed = before.confirmation.clone();
    let mut census =
        before.endpoints.map(|counts| Census { counts, unmanaged: before.unmanaged_endpoints.clone() });
    let in_use;
    let wanted = match verdict {
        Verdict::Ready { network_id: seen, confirmation, census: latest, is_first } => {
            network_id = seen.clone().or(network_id);
            confirmed = confirmation.clone().or(confirmed);
            let latest = latest.clone();
            census = if *is_first { census.or(latest) } else { latest.or(census) };
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
                "{endpoints} WebhookEndpoints still use this network: they go on with it, and it takes no new ones; \
                 delete them, and it goes by itself; to keep it, have it go without them (kubectl patch --type=merge \
                 --patch '{{\"metadata\":{{\"finalizers\":null}}}}') and apply it again: they go on with what they have"
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
        confirmation: confirmed,
        endpoints: census.as_ref().map(|census| census.counts),
        unmanaged_endpoints: census.map(|census| census.unmanaged).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::EndpointCounts;

    fn counts(managed: i64) -> EndpointCounts {
        EndpointCounts { managed, ..EndpointCounts::default() }
    }

    fn ready(managed: Option<i64>, is_first: bool) -> Verdict {
        let census = managed.map(|managed| Census { counts: counts(managed), unmanaged: Vec::new() });
        Verdict::Ready { network_id: None, confirmation: None, census, is_first }
    }

    #[test]
    fn the_first_list_after_a_start_counts_only_what_was_never_counted() {
        let now = Timestamp::UNIX_EPOCH;
        let new = report(&WebhookNetworkStatus::default(), &ready(Some(1), true), Some(1), now);
        assert_eq!(new.endpoints, Some(counts(1)));
        for (verdict, expected) in
            [(ready(Some(0), true), 1), (ready(None, false), 1), (ready(Some(0), false), 0)]
        {
            assert_eq!(report(&new, &verdict, Some(1), now).endpoints, Some(counts(expected)), "{verdict:?}");
        }
    }

    #[test]
    fn waiting_for_the_first_list_is_told_of_a_new_declaration_only() {
        let now = Timestamp::UNIX_EPOCH;
        let before = report(&WebhookNetworkStatus::default(), &ready(None, true), Some(1), now);
        assert_eq!(report(&before, &Verdict::Reconciling, Some(1), now), before);
        let changed = report(&before, &Verdict::Reconciling, Some(2), now);
        assert_eq!(changed.conditions[0].reason, Reason::AwaitingList.as_str());
    }
}
