//! The API's JSON, from bytes to the types of this module.
//!
//! It is read without a tree of values in between: what costs memory is what is kept, whatever an API sends. Each
//! field is read by itself, so that an odd one spoils no other, nor an odd item its page.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::endpoint::{CreatedEndpoint, Endpoint, NewEndpoint, Page};
use super::error::{Failure, invalid};
use super::event_types::EventType;
use super::ids::EndpointId;
use super::json::{AtMost, data, optional, required};
use super::message;

/// How many items a page has when more may follow: what is asked for.
const FULL_PAGE: usize = 100;
/// The most items that a page may have. The API's maximum is 100, and one that does not know it may send more.
const MAX_ITEMS: usize = 1000;
/// The most events that an endpoint may subscribe to.
const MAX_EVENTS: usize = 100;
/// The longest id that is believed, in bytes.
const MAX_ID_BYTES: usize = 512;

type Events = AtMost<MAX_EVENTS, Vec<EventType>>;

/// An endpoint as the API may send it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    network_id: Option<&'a RawValue>,
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    enabled_events: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    secret: Option<&'a RawValue>,
}

impl Fields<'_> {
    fn id(&self) -> Result<EndpointId, Failure> {
        let id: EndpointId = required(self.id, "id")?;
        if !is_credible(&id) {
            return Err(invalid("the id is empty, too long or not printable"));
        }
        Ok(id)
    }

    fn endpoint(&self, id: EndpointId) -> Result<Endpoint, Failure> {
        Ok(Endpoint {
            id,
            network_id: optional(self.network_id),
            url: required(self.url, "url")?,
            enabled_events: required::<Events>(self.enabled_events, "enabledEvents")?.0.into(),
            status: required(self.status, "status")?,
            created_at: optional(self.created_at),
        })
    }
}

/// The answer to an update of `id`: what it shows, if it does. That it is no page for people says that it is the API
/// that accepted the update.
pub(super) fn patched(body: &[u8], id: &EndpointId) -> Result<Option<Endpoint>, Failure> {
    if message::is_html(body) {
        return Err(invalid("an HTML page"));
    }
    Ok(endpoint(body, id).ok())
}

/// The answer to a get of `id`.
pub(super) fn endpoint(body: &[u8], id: &EndpointId) -> Result<Endpoint, Failure> {
    let fields: Fields<'_> = data(body)?;
    if fields.id()? != *id {
        return Err(invalid("it is about another endpoint"));
    }
    fields.endpoint(id.clone())
}

/// A page as the API may send it: a network without endpoints is `null` to some.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListAnswer<'a> {
    #[serde(borrow)]
    items: Option<AtMost<MAX_ITEMS, Vec<&'a RawValue>>>,
    #[serde(borrow)]
    has_more: Option<&'a RawValue>,
}

/// One page of the list. Whether more follow after one that does not say so is asked for when it is full.
pub(super) fn page(body: &[u8]) -> Result<Page, Failure> {
    let ListAnswer { items, has_more } = data(body)?;
    if items.is_none() && has_more.is_none() {
        return Err(invalid("it has neither items nor hasMore"));
    }
    let items = items.map(|items| items.0).unwrap_or_default();
    let has_more = optional(has_more).unwrap_or(items.len() >= FULL_PAGE);
    let mut page = Page::default();
    let mut last = None;
    for item in items {
        let fields = serde_json::from_str::<Fields<'_>>(item.get()).ok();
        let Some((id, fields)) = fields.and_then(|fields| Some((fields.id().ok()?, fields))) else {
            page.nameless += 1;
            continue;
        };
        last = Some(id.clone());
        match fields.endpoint(id.clone()) {
            Ok(endpoint) => page.endpoints.push(endpoint),
            Err(_) => page.unreadable.push(id),
        }
    }
    if has_more {
        page.next = Some(last.ok_or_else(|| invalid("more follow after a page without an id"))?);
    }
    Ok(page)
}

/// The answer to a create of `requested`, of which the id and the secret count. The secret is never shown again,
/// so no oddity of another field may lose it.
pub(super) fn created(body: &[u8], requested: &NewEndpoint) -> Result<CreatedEndpoint, Failure> {
    let fields: Fields<'_> = data(body)?;
    let id = fields.id()?;
    let Some(secret) = optional::<String>(fields.secret).filter(|secret| !secret.is_empty()) else {
        return Err(Failure::CreatedWithoutSecret { id });
    };
    let events = optional::<Events>(fields.enabled_events).map(|events| events.0.into());
    let endpoint = Endpoint {
        id,
        network_id: optional(fields.network_id),
        url: optional(fields.url).unwrap_or_else(|| requested.url.clone()),
        enabled_events: events.unwrap_or_else(|| requested.enabled_events.clone()),
        status: optional(fields.status).unwrap_or_else(|| requested.status.clone()),
        created_at: optional(fields.created_at),
    };
    Ok(CreatedEndpoint { endpoint, secret: SecretString::from(secret) })
}

fn is_credible(id: &EndpointId) -> bool {
    let id = id.as_str();
    !id.is_empty() && id.len() <= MAX_ID_BYTES && !id.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::provider::EndpointStatus;
    use crate::provider::json::{MAX_DEPTH, MAX_FIELD_BYTES};

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
        let listed = Page { endpoints: vec![example()], next: Some(example().id), ..Page::default() };
        assert_eq!(page(LIST.as_bytes()).unwrap(), listed);
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
            ("<html>", "an HTML page"),
            ("<!", "not JSON"),
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
            r#"{"data": {"items": [null], "hasMore": true}}"#,
            r#"{"data": {"items": {}, "hasMore": false}}"#,
        ] {
            assert!(page(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn an_item_that_cannot_be_read_spoils_no_other() {
        let good = r#"{"id": "wh_1", "url": "u", "status": "active", "enabledEvents": []}"#;
        let events = vec!["\"e\""; MAX_EVENTS + 1].join(",");
        for (item, known) in [
            ("null".to_owned(), false),
            ("7".to_owned(), false),
            ("[]".to_owned(), false),
            ("{}".to_owned(), false),
            (r#"{"id": null, "url": "u", "status": "active", "enabledEvents": []}"#.to_owned(), false),
            (r#"{"id": "", "url": "u", "status": "active", "enabledEvents": []}"#.to_owned(), false),
            (r#"{"id": "wh_2", "id": "wh_3"}"#.to_owned(), false),
            (r#"{"id": "wh_2"}"#.to_owned(), true),
            (r#"{"id": "wh_2", "url": null, "status": "active", "enabledEvents": []}"#.to_owned(), true),
            (r#"{"id": "wh_2", "url": "u", "status": "active", "enabledEvents": [[]]}"#.to_owned(), true),
            (r#"{"id": "wh_2", "url": "\ud800", "status": "active", "enabledEvents": []}"#.to_owned(), true),
            (
                format!(r#"{{"id": "wh_2", "url": "u", "status": "active", "enabledEvents": [{events}]}}"#),
                true,
            ),
            (
                format!(
                    r#"{{"id": "wh_2", "url": "{}", "status": "active", "enabledEvents": []}}"#,
                    "x".repeat(MAX_FIELD_BYTES)
                ),
                true,
            ),
        ] {
            for (items, next) in [(format!("{item}, {good}"), "wh_1"), (format!("{good}, {item}"), "wh_2")] {
                let body = format!(r#"{{"data": {{"items": [{items}], "hasMore": true}}}}"#);
                let page = page(body.as_bytes()).unwrap();
                assert_eq!(page.endpoints.len(), 1, "{item}");
                let unreadable = if known { vec![EndpointId::from("wh_2")] } else { Vec::new() };
                assert_eq!((page.unreadable, page.nameless), (unreadable, usize::from(!known)), "{item}");
                assert_eq!(page.next, Some(if known { next } else { "wh_1" }.into()), "{item}");
            }
        }
    }

    #[test]
    fn a_page_that_is_far_too_large_or_too_deep_is_refused() {
        for (count, is_read) in [(MAX_ITEMS, true), (MAX_ITEMS + 1, false)] {
            let items = vec!["0"; count].join(",");
            let body = format!(r#"{{"data": {{"items": [{items}], "hasMore": false}}}}"#);
            assert_eq!(page(body.as_bytes()).is_ok(), is_read, "{count}");
        }
        for (depth, is_read) in [(MAX_DEPTH - 3, true), (MAX_DEPTH - 2, false), (1_000_000, false)] {
            let item = format!("{}\"[[\"{}", "[".repeat(depth), "]".repeat(depth));
            let body = format!(r#"{{"data": {{"items": [{item}]}}}}"#);
            assert_eq!(page(body.as_bytes()).is_ok(), is_read, "{depth}");
        }
    }

    #[test]
    fn case_10_a_list_of_null_is_an_empty_list() {
        for data in [r#"{"items": null, "hasMore": false}"#, r#"{"hasMore": false}"#, r#"{"items": []}"#] {
            let body = format!(r#"{{"data": {data}}}"#);
            assert_eq!(page(body.as_bytes()).unwrap(), Page::default(), "{body}");
        }
    }

    #[test]
    fn a_page_that_does_not_say_whether_more_follow_is_the_last_unless_it_is_full() {
        for (items, has_more) in [(1, false), (99, false), (100, true)] {
            let item = r#"{"id": "wh_1", "url": "u", "status": "active", "enabledEvents": []}"#;
            let body = format!(r#"{{"data": {{"items": [{}]}}}}"#, vec![item; items].join(","));
            assert_eq!(page(body.as_bytes()).unwrap().next.is_some(), has_more, "{items} items");
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
