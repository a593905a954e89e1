//! The status of a resource, as Kubernetes spells what planning reports: pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{Type, Wanted, find, merge, whole_seconds};
use crate::planning::{Abnormal, Condition, NextNote, Report, RetiringNote, StoredNote};
use crate::provider::{Endpoint, EndpointUrl};
use crate::resources::{RemoteEndpoint, Replacement, RetiringEndpoint, StoredSecret, WebhookEndpointStatus};

/// The status to be.
pub(super) fn status(
    before: &WebhookEndpointStatus,
    report: &Report<'_>,
    generation: Option<i64>,
    now: Timestamp,
) -> WebhookEndpointStatus {
    let Report {
        ready,
        synced,
        abnormal,
        endpoint,
        requested_url,
        secret,
        next,
        retiring,
        handled_rotation,
        resolved_attempt,
        applied_generation,
    } = report;
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
        endpoint: endpoint
            .map(|endpoint| remote(before, endpoint, *requested_url))
            .or_else(|| before.endpoint.clone()),
        secret: secret.map(|note| stored(before, note, now)).or_else(|| before.secret.clone()),
        replacement: next.map(|next| replacement(before, &next)),
        retiring: retiring.iter().map(|old| self::retiring(before, old)).collect(),
        handled_rotation: handled_rotation.map(str::to_owned),
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

fn replacement(before: &WebhookEndpointStatus, next: &NextNote<'_>) -> Replacement {
    let earlier = before.replacement.as_ref().filter(|earlier| earlier.id == next.id.as_str());
    let url = next
        .endpoint
        .map_or_else(|| next.requested_url.map(ToString::to_string), |seen| Some(seen.url.to_string()));
    let url =
        earlier.map(|earlier| earlier.url.clone()).filter(|url| !url.is_empty()).or(url).unwrap_or_default();
    Replacement {
        id: next.id.to_string(),
        requested_url: next.requested_url.map(ToString::to_string).filter(|requested| *requested != url),
        url,
        since: earlier.and_then(|earlier| earlier.since.clone()).or(storable(next.since)),
        takes_over_at: match next.takes_over_at {
            Some(at) => storable(at),
            None => earlier.and_then(|earlier| earlier.takes_over_at.clone()),
        },
    }
}

fn retiring(before: &WebhookEndpointStatus, old: &RetiringNote<'_>) -> RetiringEndpoint {
    let earlier = before.retiring.iter().find(|earlier| earlier.id == old.id.as_str());
    RetiringEndpoint {
        id: old.id.to_string(),
        since: earlier.map_or_else(|| whole_seconds(old.since), |earlier| earlier.since.clone()),
        until: match old.until {
            Some(until) => storable(until),
            None => earlier.and_then(|earlier| earlier.until.clone()),
        },
    }
}

/// An endpoint as it was last seen. What one answer spells in another way than another, or leaves out, is no news.
fn remote(
    before: &WebhookEndpointStatus,
    endpoint: &Endpoint,
    requested_url: Option<&EndpointUrl>,
) -> RemoteEndpoint {
    let Endpoint { id, network_id, url, enabled_events, status, created_at } = endpoint;
    let earlier = before.endpoint.as_ref().filter(|earlier| earlier.id == id.as_str());
    let spelt = earlier.map(|earlier| EndpointUrl::from(earlier.url.as_str())).filter(|spelt| spelt == url);
    let url = spelt.unwrap_or_else(|| url.clone());
    RemoteEndpoint {
        id: id.to_string(),
        network_id: network_id.as_ref().map(ToString::to_string).or_else(|| earlier?.network_id.clone()),
        requested_url: requested_url
            .filter(|requested| !requested.is_same_url(&url))
            .map(ToString::to_string),
        url: url.into(),
        enabled_events: enabled_events.iter().map(ToString::to_string).collect(),
        status: status.to_string(),
        created_at: earlier.and_then(|earlier| earlier.created_at.clone()).or(created_at.and_then(storable)),
    }
}

/// A time as Kubernetes stores it: to the second, so that what the API shows more precisely is no news each time;
/// and as RFC 3339 spells it, which knows no years before the first.
fn storable(time: Timestamp) -> Option<Time> {
    const EARLIEST: Timestamp = Timestamp::constant(-62_135_596_800, 0);
    Some(whole_seconds(time)).filter(|_| time >= EARLIEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planning::Reason;

    fn endpoint(url: &str, created_at: Option<&str>, network_id: Option<&str>) -> Endpoint {
        Endpoint {
            id: "41723".into(),
            network_id: network_id.map(Into::into),
            url: url.into(),
            enabled_events: ["OCPP.message", "asset.connectivity"].map(|name| name.to_owned().into()).into(),
            status: "ACTIVE".to_owned().into(),
            created_at: created_at.map(|time| time.parse().unwrap()),
        }
    }

    /// What the status is to be after an endpoint was seen, and what Kubernetes gives back of it.
    fn written_and_read(before: &WebhookEndpointStatus, endpoint: &Endpoint) -> [WebhookEndpointStatus; 2] {
        let condition = Condition { holds: true, reason: Reason::Available, message: "as declared" };
        let report = Report {
            ready: condition,
            synced: condition,
            abnormal: None,
            endpoint: Some(endpoint),
            requested_url: Some(&"https://example.com/a".into()),
            secret: Some(StoredNote { name: "hook", endpoint: &endpoint.id }),
            next: None,
            retiring: Vec::new(),
            handled_rotation: None,
            resolved_attempt: 1,
            applied_generation: Some(1),
        };
        let now = "2026-05-01T10:00:00.987654321Z".parse().unwrap();
        let written = status(before, &report, Some(1), now);
        let read = serde_json::to_value(&written).and_then(serde_json::from_value).unwrap();
        [written, read]
    }

    #[test]
    fn a_status_says_the_same_when_it_is_read_again() {
        for (time, network_id) in [
            (None, None),
            (Some("2026-05-01T10:00:00.123456+00:00"), Some("7")),
            (Some("2026-05-01T03:00:00.999999999-07:00"), None),
            (Some("9999-12-30T22:00:00.5Z"), Some("n_1")),
            (Some("0001-01-01T00:00:00Z"), None),
            (Some("-000400-01-01T00:00:00Z"), None),
        ] {
            let shown = endpoint("https://example.com/a/", time, network_id);
            let [written, read] = written_and_read(&WebhookEndpointStatus::default(), &shown);
            assert_eq!(written, read, "{time:?}");
            let text = serde_json::to_string(&read).unwrap();
            assert!(!text.contains("-0004"), "Kubernetes takes no such time: {text}");
            for again in [&shown, &endpoint("https://example.com/a/", None, None)] {
                let [again, _] = written_and_read(&read, again);
                assert_eq!(again, read, "{time:?}: what an answer leaves out is no news");
            }
        }
    }

    #[test]
    fn another_spelling_or_precision_is_no_news() {
        let answer = |url, time| endpoint(url, Some(time), None);
        let first = answer("https://example.com/a", "2026-05-01T10:00:00.9Z");
        let [_, first] = written_and_read(&WebhookEndpointStatus::default(), &first);
        assert_eq!(first.endpoint.as_ref().unwrap().requested_url, None);
        let [_, again] = written_and_read(&first, &answer("https://example.com/a/", "2026-05-01T10:00:01Z"));
        assert_eq!(again, first);
        let [_, other] = written_and_read(&first, &answer("https://example.com/b", "2026-05-01T10:00:01Z"));
        assert_eq!(other.endpoint.unwrap().requested_url.as_deref(), Some("https://example.com/a"));
    }
}
