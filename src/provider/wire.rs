//! The API's JSON, from bytes to the types of this module.

use std::collections::BTreeSet;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::endpoint::{CreatedEndpoint, Endpoint, EndpointStatus, EventType, NewEndpoint, Page, tolerant};
use super::endpoint_url::EndpointUrl;
use super::error::{Detail, Failure};
use super::ids::{EndpointId, NetworkId};

/// How many items a page has when more may follow: what is asked for.
const FULL_PAGE: usize = 100;
/// The longest id that is believed, in bytes.
const MAX_ID_BYTES: usize = 512;

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

/// The answer to a get or an update of `id`.
pub(super) fn endpoint(body: &[u8], id: &EndpointId) -> Result<Endpoint, Failure> {
    let endpoint: Endpoint = data(body)?;
    if endpoint.id != *id {
        return Err(invalid("it is about another endpoint"));
    }
    Ok(endpoint)
}

/// A page as the API may send it: a network without endpoints is `null` to some.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListAnswer {
    items: Option<Vec<Endpoint>>,
    has_more: Option<bool>,
}

/// One page of the list. Whether more follow after one that does not say so is asked for when it is full.
pub(super) fn page(body: &[u8]) -> Result<Page, Failure> {
    let ListAnswer { items, has_more } = data(body)?;
    if items.is_none() && has_more.is_none() {
        return Err(invalid("it has neither items nor hasMore"));
    }
    let items = items.unwrap_or_default();
    let page = Page { has_more: has_more.unwrap_or(items.len() >= FULL_PAGE), items };
    if !page.items.iter().all(|endpoint| is_credible(&endpoint.id)) {
        return Err(invalid("an item's id is empty, too long or not printable"));
    }
    if page.has_more && page.items.is_empty() {
        return Err(invalid("an empty page says that more follow"));
    }
    Ok(page)
}

/// The answer to a create, of which the id and the secret count. The secret is never shown again, so
/// no oddity of another field may lose it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateAnswer {
    id: EndpointId,
    #[serde(default, deserialize_with = "tolerant")]
    secret: Option<String>,
    #[serde(default, deserialize_with = "tolerant")]
    network_id: Option<NetworkId>,
    #[serde(default, deserialize_with = "tolerant")]
    url: Option<EndpointUrl>,
    #[serde(default, deserialize_with = "tolerant")]
    enabled_events: Option<BTreeSet<EventType>>,
    #[serde(default, deserialize_with = "tolerant")]
    status: Option<EndpointStatus>,
    #[serde(default, deserialize_with = "tolerant")]
    created_at: Option<Timestamp>,
}

/// The answer to a create of `requested`.
pub(super) fn created(body: &[u8], requested: &NewEndpoint) -> Result<CreatedEndpoint, Failure> {
    let CreateAnswer { id, secret, network_id, url, enabled_events, status, created_at } = data(body)?;
    if !is_credible(&id) {
        return Err(invalid("the id is empty, too long or not printable"));
    }
    let Some(secret) = secret.filter(|secret| !secret.is_empty()) else {
        return Err(Failure::CreatedWithoutSecret { id });
    };
    let endpoint = Endpoint {
        id,
        network_id,
        url: url.unwrap_or_else(|| requested.url.clone()),
        enabled_events: enabled_events.unwrap_or_else(|| requested.enabled_events.clone()),
        status: status.unwrap_or_else(|| requested.status.clone()),
        created_at,
    };
    Ok(CreatedEndpoint { endpoint, secret: SecretString::from(secret) })
}

fn data<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let envelope: Envelope<T> = serde_json::from_slice(body).map_err(|error| invalid(&describe(&error)))?;
    Ok(envelope.data)
}

/// Says what is wrong without quoting a value: serde's own message may hold one.
pub(super) fn describe(error: &serde_json::Error) -> String {
    let message = error.to_string();
    if message.starts_with("missing field") {
        return message;
    }
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "a field has an unexpected type",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is not JSON",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

fn is_credible(id: &EndpointId) -> bool {
    let id = id.as_str();
    !id.is_empty() && id.len() <= MAX_ID_BYTES && !id.chars().any(char::is_control)
}

fn invalid(detail: &str) -> Failure {
    Failure::InvalidResponse { detail: Detail::new(detail) }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    /// The example bodies of the API's page, verbatim.
    const LIST: &str = include_str!("../../tests/fixtures/api/list.json");
    const CREATE_REQUEST: &str = include_str!("../../tests/fixtures/api/create-request.json");
    const CREATED: &str = include_str!("../../tests/fixtures/api/created.json");
    const ENDPOINT: &str = include_str!("../../tests/fixtures/api/endpoint.json");
    const PATCHED: &str = include_str!("../../tests/fixtures/api/patched.json");
    const PATCH_REQUEST: &str = include_str!("../../tests/fixtures/api/patch-request.json");

    fn example() -> Endpoint {
        Endpoint {
            id: "wh_abc123".into(),
            network_id: Some("n_abc123".into()),
            url: "https://example.com/webhook".into(),
            enabled_events: [EventType::OcppMessage].into(),
            status: EndpointStatus::Active,
            created_at: Some("2023-06-07T17:32:28Z".parse().unwrap()),
        }
    }

    fn new_example() -> NewEndpoint {
        let Endpoint { url, enabled_events, status, .. } = example();
        NewEndpoint { url, enabled_events, status }
    }

    fn json(text: &str) -> serde_json::Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn reads_the_page_s_examples() {
        assert_eq!(page(LIST.as_bytes()).unwrap(), Page { items: vec![example()], has_more: true });
        for body in [ENDPOINT, PATCHED] {
            assert_eq!(endpoint(body.as_bytes(), &"wh_abc123".into()).unwrap(), example());
        }

        let created = created(CREATED.as_bytes(), &new_example()).unwrap();
        assert_eq!(created.endpoint, example());
        assert_eq!(created.secret.expose_secret(), "whsec_abc123def456...");
    }

    #[test]
    fn writes_the_page_s_examples() {
        assert_eq!(serde_json::to_value(new_example()).unwrap(), json(CREATE_REQUEST));

        let patch = super::super::EndpointPatch {
            enabled_events: Some([EventType::OcppMessage].into()),
            status: Some(EndpointStatus::Active),
        };
        assert_eq!(serde_json::to_value(patch).unwrap(), json(PATCH_REQUEST));
    }

    #[test]
    fn a_patch_holds_only_what_changes() {
        let patch =
            super::super::EndpointPatch { status: Some(EndpointStatus::Inactive), enabled_events: None };
        assert_eq!(serde_json::to_string(&patch).unwrap(), r#"{"status":"inactive"}"#);
    }

    #[test]
    fn survives_extra_fields_unknown_values_and_missing_or_odd_optional_ones() {
        let body = r#"{"meta": 1, "data": {"id": "wh_1", "networkId": 7, "url": "u", "extra": {"a": []},
            "enabledEvents": ["charger.moved", "ocpp.message", "ocpp.message"], "status": "suspended",
            "createdAt": "last week"}}"#;

        let read = endpoint(body.as_bytes(), &"wh_1".into()).unwrap();

        assert_eq!(read.network_id, Some("7".into()));
        assert_eq!(read.created_at, None);
        assert_eq!(read.status, EndpointStatus::Other("suspended".into()));
        assert_eq!(
            read.enabled_events,
            [EventType::OcppMessage, EventType::Other("charger.moved".into())].into()
        );
    }

    #[test]
    fn what_does_not_say_what_matters_is_no_answer() {
        for (body, expected) in [
            ("", "ends too early"),
            ("<html>", "not JSON"),
            (r#"{"data": {"id": "wh_1""#, "ends too early"),
            (r#"{"id": "wh_1"}"#, "missing field `data`"),
            (r#"{"data": {"id": "wh_1", "status": "active", "enabledEvents": []}}"#, "missing field `url`"),
            (r#"{"data": {"id": "wh_1", "url": {"secret": "s3"}}}"#, "unexpected type"),
            (
                r#"{"data": {"id": "wh_2", "url": "u", "status": "active", "enabledEvents": []}}"#,
                "about another endpoint",
            ),
        ] {
            let failure = endpoint(body.as_bytes(), &"wh_1".into()).unwrap_err().to_string();
            assert!(failure.contains(expected), "{body}: {failure}");
        }
        for body in [
            r#"{"data": {"items": [], "hasMore": true}}"#,
            r#"{"data": null}"#,
            r#"{"data": {}}"#,
            r#"{"data": {"items": null, "hasMore": null}}"#,
            r#"{"data": {"items": [{"id": "wh_1"}], "hasMore": false}}"#,
            r#"{"data": {"items": [{"id": "", "url": "u", "status": "active", "enabledEvents": []}], "hasMore": false}}"#,
        ] {
            assert!(page(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn case_10_a_list_of_null_is_an_empty_list() {
        for data in [r#"{"items": null, "hasMore": false}"#, r#"{"hasMore": false}"#, r#"{"items": []}"#] {
            let body = format!(r#"{{"data": {data}}}"#);
            assert_eq!(page(body.as_bytes()).unwrap(), Page { items: Vec::new(), has_more: false }, "{body}");
        }
    }

    #[test]
    fn a_page_that_does_not_say_whether_more_follow_is_the_last_unless_it_is_full() {
        for (items, has_more) in [(1, false), (99, false), (100, true)] {
            let item = r#"{"id": "wh_1", "url": "u", "status": "active", "enabledEvents": []}"#;
            let body = format!(r#"{{"data": {{"items": [{}]}}}}"#, vec![item; items].join(","));
            assert_eq!(page(body.as_bytes()).unwrap().has_more, has_more, "{items} items");
        }
    }

    #[test]
    fn no_oddity_of_another_field_loses_the_secret() {
        for body in [
            r#"{"data": {"id": "wh_1", "secret": "whsec_1"}}"#,
            r#"{"data": {"id": "wh_1", "secret": "whsec_1", "url": null, "enabledEvents": "all", "status": 1,
                "createdAt": 0, "networkId": []}}"#,
        ] {
            let created = created(body.as_bytes(), &new_example()).unwrap();

            assert_eq!(created.secret.expose_secret(), "whsec_1");
            assert_eq!(
                created.endpoint,
                Endpoint { id: "wh_1".into(), network_id: None, created_at: None, ..example() }
            );
        }
    }

    #[test]
    fn a_create_without_a_secret_still_tells_the_id() {
        for secret in ["", r#", "secret": null"#, r#", "secret": """#, r#", "secret": 7"#] {
            let body = format!(r#"{{"data": {{"id": "wh_1"{secret}}}}}"#);
            let failure = created(body.as_bytes(), &new_example()).unwrap_err();
            assert!(
                matches!(failure, Failure::CreatedWithoutSecret { id } if id.as_str() == "wh_1"),
                "{body}"
            );
        }
        for id in [r#""""#, "1.5", r#""a\nb""#] {
            let body = format!(r#"{{"data": {{"id": {id}, "secret": "whsec_1"}}}}"#);
            let failure = created(body.as_bytes(), &new_example()).unwrap_err();
            assert!(matches!(failure, Failure::InvalidResponse { .. }), "{body}");
        }
    }
}
