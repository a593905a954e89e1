//! The status of a resource, as Kubernetes spells what planning reports: pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{Type, Wanted, find, merge};
use crate::planning::{Abnormal, Condition, Report, StoredNote};
use crate::provider::{Endpoint, EndpointUrl};
use crate::resources::{RemoteEndpoint, StoredSecret, WebhookEndpointStatus};

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
        // Kubernetes stores times to the second: what the API shows more precisely is no news each time.
        created_at: earlier.and_then(|earlier| earlier.created_at.clone()).or(created_at.map(whole_seconds)),
    }
}

fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planning::Reason;
    use crate::provider::read_endpoint;

    /// What the status is to be after an endpoint was seen, and what Kubernetes gives back of it.
    fn written_and_read(before: &WebhookEndpointStatus, answer: &str) -> [WebhookEndpointStatus; 2] {
        let endpoint = read_endpoint(answer);
        let condition = Condition { holds: true, reason: Reason::Available, message: "as declared" };
        let report = Report {
            ready: condition,
            synced: condition,
            abnormal: None,
            endpoint: Some(&endpoint),
            requested_url: Some(&"https://example.com/a".into()),
            secret: Some(StoredNote { name: "hook", endpoint: &endpoint.id }),
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
        let with = |more: &str| {
            format!(
                r#"{{ "id": 41723, "url": "https://example.com/a/", "enabledEvents": ["OCPP.message", "asset.connectivity",
                "ocpp.message"], "status": "ACTIVE" {more} }}"#
            )
        };
        for more in [
            "",
            r#", "createdAt": "2026-05-01T10:00:00.123456+00:00", "networkId": 7"#,
            r#", "createdAt": "2026-05-01T03:00:00.999999999-07:00", "networkId": null"#,
            r#", "createdAt": "9999-12-30T22:00:00.5Z", "networkId": "n_1""#,
            r#", "createdAt": "0001-01-01T00:00:00Z""#,
            r#", "createdAt": "-000400-01-01T00:00:00Z""#,
            r#", "createdAt": 1777629600"#,
        ] {
            let [written, read] = written_and_read(&WebhookEndpointStatus::default(), &with(more));
            assert_eq!(written, read, "{more}");
            for again in [with(more), with("")] {
                let [again, _] = written_and_read(&read, &again);
                assert_eq!(again, read, "{more}: what an answer leaves out is no news");
            }
        }
    }

    #[test]
    fn another_spelling_or_precision_is_no_news() {
        let answer = |url: &str, created: &str| {
            format!(
                r#"{{ "id": "wh_1", "url": "{url}", "enabledEvents": [], "status": "active", "createdAt": "{created}" }}"#
            )
        };
        let first = answer("https://example.com/a", "2026-05-01T10:00:00.9Z");
        let [_, first] = written_and_read(&WebhookEndpointStatus::default(), &first);
        assert_eq!(first.endpoint.as_ref().unwrap().requested_url, None);
        let [_, again] = written_and_read(&first, &answer("https://example.com/a/", "2026-05-01T10:00:01Z"));
        assert_eq!(again, first);
        let [_, other] = written_and_read(&first, &answer("https://example.com/b", "2026-05-01T10:00:01Z"));
        assert_eq!(other.endpoint.unwrap().requested_url.as_deref(), Some("https://example.com/a"));
    }
}
