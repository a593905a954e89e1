//! The status of a resource, as Kubernetes spells what planning reports: pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{Type, Wanted, find, merge};
use crate::planning::{Abnormal, Condition, Report, StoredNote};
use crate::provider::Endpoint;
use crate::resources::{RemoteEndpoint, StoredSecret, WebhookEndpointStatus};

/// The status to be.
pub(super) fn status(
    before: &WebhookEndpointStatus,
    report: &Report<'_>,
    generation: Option<i64>,
    now: Timestamp,
) -> WebhookEndpointStatus {
    let Report { ready, synced, abnormal, endpoint, secret, resolved_attempt, applied_generation } = report;
    let stalled = *abnormal == Some(Abnormal::Stalled);
    let abnormal = abnormal.map(|abnormal| match abnormal {
        Abnormal::Reconciling => Type::Reconciling,
        Abnormal::Stalled => Type::Stalled,
    });
    let third = Condition { holds: true, ..*synced };
    let mut wanted = vec![wanted(Type::Ready, ready), wanted(Type::Synced, synced)];
    wanted.extend(abnormal.map(|kind| self::wanted(kind, &third)));
    if !stalled && synced.reason.varies() {
        for wanted in &mut wanted {
            let said = find(&before.conditions, wanted.kind).filter(|said| wanted.agrees(said, generation));
            wanted.message = said.map_or(wanted.message, |said| &said.message);
        }
    }
    WebhookEndpointStatus {
        observed_generation: generation,
        conditions: merge(&before.conditions, &wanted, generation, now),
        endpoint: endpoint.map(remote).or_else(|| before.endpoint.clone()),
        secret: secret.map(|note| stored(before, note, now)).or_else(|| before.secret.clone()),
        replacement: before.replacement.clone(),
        retiring: before.retiring.clone(),
        resolved_attempt: i64::try_from(*resolved_attempt).ok().filter(|number| *number > 0),
        applied_generation: *applied_generation,
    }
}

fn wanted<'a>(kind: Type, condition: &Condition<'a>) -> Wanted<'a> {
    Wanted {
        kind,
        status: Some(condition.holds),
        reason: condition.reason.as_str(),
        message: condition.message,
    }
}

fn stored(before: &WebhookEndpointStatus, note: StoredNote<'_>, now: Timestamp) -> StoredSecret {
    let same =
        |earlier: &&StoredSecret| earlier.name == note.name && earlier.endpoint_id == note.endpoint.as_str();
    before.secret.as_ref().filter(same).cloned().unwrap_or_else(|| StoredSecret {
        name: note.name.to_owned(),
        endpoint_id: note.endpoint.to_string(),
        stored_at: Some(whole_seconds(now)),
    })
}

fn remote(endpoint: &Endpoint) -> RemoteEndpoint {
    RemoteEndpoint {
        id: endpoint.id.to_string(),
        network_id: endpoint.network_id.as_ref().map(ToString::to_string),
        url: endpoint.url.to_string(),
        enabled_events: endpoint.enabled_events.iter().map(ToString::to_string).collect(),
        status: endpoint.status.to_string(),
        // Kubernetes stores times to the second: what the API shows more precisely is no news each time.
        created_at: endpoint.created_at.map(whole_seconds),
    }
}

fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}
