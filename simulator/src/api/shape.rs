//! How the right answer looks: the one place where the API's habits change it.

use http::StatusCode;
use http::header::LOCATION;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Map, Value, json};
use url::Url;

use super::answer::Answer;
use super::call::Call;
use crate::clock::rfc3339;
use crate::habits::{
    CreateAnswer, CreateStatus, DeleteStatus, EmptyList, EventsForm, ExtraFields, FieldForm, Habits, IdShape,
    ListItems, PatchAnswer, StatusForm, TimeForm, UrlForm,
};
use crate::operation::{BASE_PATH, Operation};

/// Gives an answer the looks that the API's habits ask for.
pub(super) fn shape(mut answer: Answer, call: &Call, habits: &Habits) -> Answer {
    (answer.date_header, answer.body_form) = (habits.date_header, habits.body_form);
    if !answer.status.is_success() || call.operation == Operation::Token {
        return answer;
    }
    if let Some(data) = answer.body.as_mut().and_then(|body| body.get_mut("data")) {
        match data.get_mut("items").and_then(Value::as_array_mut) {
            None => endpoint(data, habits),
            Some(items) => {
                for item in items.iter_mut() {
                    endpoint(item, habits);
                }
                list(items, habits.list_items);
                if items.is_empty() {
                    empty_list(data, habits.empty_list);
                }
            }
        }
    }
    match call.operation {
        Operation::Create => created(answer, call, habits),
        Operation::Patch => patched(answer, habits.patch_answer),
        Operation::Delete => deleted(answer, habits.delete_status),
        _ => answer,
    }
}

fn created(mut answer: Answer, call: &Call, habits: &Habits) -> Answer {
    answer.status = match habits.create_status {
        CreateStatus::Ok => StatusCode::OK,
        CreateStatus::Created => StatusCode::CREATED,
        CreateStatus::Accepted => StatusCode::ACCEPTED,
    };
    match habits.create_answer {
        CreateAnswer::Stored => {}
        CreateAnswer::Echo => answer.alter_endpoints(&json!({ "url": call.url })),
        CreateAnswer::Location => {
            let id = answer.id.iter().map(|id| format!("{BASE_PATH}/webhook-endpoints/{id}"));
            answer.headers.extend(id.map(|location| (LOCATION, location)));
            answer.body = None;
        }
    }
    answer
}

fn patched(answer: Answer, habit: PatchAnswer) -> Answer {
    match habit {
        PatchAnswer::Endpoint => answer,
        PatchAnswer::NoContent => Answer { status: StatusCode::NO_CONTENT, body: None, ..answer },
        PatchAnswer::Empty => Answer { body: None, ..answer },
    }
}

fn deleted(answer: Answer, habit: DeleteStatus) -> Answer {
    let status = match habit {
        DeleteStatus::Ok => StatusCode::OK,
        DeleteStatus::NoContent => StatusCode::NO_CONTENT,
        DeleteStatus::Accepted => StatusCode::ACCEPTED,
    };
    Answer { status, ..answer }
}

fn list(items: &mut Vec<Value>, habit: ListItems) {
    match habit {
        ListItems::Once => {}
        ListItems::Twice => *items = items.drain(..).flat_map(|item| [item.clone(), item]).collect(),
        ListItems::Foreign => items.insert(0, json!({ "object": "webhook_endpoint_group", "id": "whg_1" })),
    }
}

fn empty_list(data: &mut Value, habit: EmptyList) {
    match habit {
        EmptyList::Empty => {}
        EmptyList::Null => data["items"] = Value::Null,
        EmptyList::Absent => drop(data.as_object_mut().and_then(|data| data.remove("items"))),
    }
}

fn endpoint(endpoint: &mut Value, habits: &Habits) {
    let Some(fields) = endpoint.as_object_mut() else { return };
    if habits.id_shape == IdShape::Numbers
        && let Some(number) = fields.get("id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok())
    {
        fields.insert("id".to_owned(), number.into());
    }
    if let Some(events) = fields.get_mut("enabledEvents").and_then(Value::as_array_mut) {
        self::events(events, habits.events_form);
    }
    if habits.status_form == StatusForm::UpperCase
        && let Some(status) = fields.get_mut("status")
    {
        *status = upper_case(status);
    }
    created_at(fields, habits.created_at);
    match habits.network_id {
        FieldForm::Shown => {}
        FieldForm::Null => drop(fields.insert("networkId".to_owned(), Value::Null)),
        FieldForm::Absent => drop(fields.remove("networkId")),
    }
    if habits.extra_fields == ExtraFields::Some {
        fields.insert("description".to_owned(), "added later".into());
        fields.insert("metadata".to_owned(), json!({ "version": 2, "id": null }));
    }
}

fn events(events: &mut Vec<Value>, habit: EventsForm) {
    match habit {
        EventsForm::Verbatim => {}
        EventsForm::Reversed => events.reverse(),
        EventsForm::UpperCase => events.iter_mut().for_each(|event| *event = upper_case(event)),
        EventsForm::Doubled => events.extend_from_within(..),
        EventsForm::WithUnknown => events.push("charger.boot".into()),
    }
}

fn upper_case(text: &Value) -> Value {
    text.as_str().map_or(Value::Null, |text| text.to_uppercase().into())
}

/// A time that is none, because somebody edited it so, comes as it is.
fn created_at(fields: &mut Map<String, Value>, habit: TimeForm) {
    let Some(time) = fields.get("createdAt").and_then(Value::as_str).and_then(|time| time.parse().ok())
    else {
        return;
    };
    let time: Timestamp = time;
    let zone = |hours| TimeZone::fixed(Offset::constant(hours));
    let shown = match habit {
        TimeForm::Seconds => rfc3339(time).into(),
        TimeForm::Microseconds => time.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string().into(),
        TimeForm::Zone => time.to_zoned(zone(-7)).strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string().into(),
        TimeForm::Number => time.as_second().into(),
        TimeForm::Zero => "0001-01-01T00:00:00Z".into(),
        TimeForm::Null => Value::Null,
        TimeForm::Absent => return drop(fields.remove("createdAt")),
    };
    fields.insert("createdAt".to_owned(), shown);
}

impl UrlForm {
    /// A URL as the API stores it.
    pub(super) fn stored(self, given: String) -> String {
        let Ok(mut url) = Url::parse(&given) else { return given };
        let path = url.path().trim_end_matches('/').to_owned();
        match self {
            Self::Verbatim => given,
            Self::Normalised => url.into(),
            Self::SlashDropped => match given.split_once('?') {
                None => given.trim_end_matches('/').to_owned(),
                Some((before, query)) => format!("{}?{query}", before.trim_end_matches('/')),
            },
            Self::SlashAdded => {
                url.set_path(&format!("{path}/"));
                url.into()
            }
            Self::UpperEscapes => escapes(&given, str::to_ascii_uppercase),
            Self::LowerEscapes => escapes(&given, str::to_ascii_lowercase),
            Self::UpperHost => {
                let host = url.host_str().unwrap_or_default().to_owned();
                String::from(url).replacen(&host, &host.to_uppercase(), 1)
            }
            Self::WithPort => {
                let port = url.port_or_known_default().unwrap_or_default();
                let host = url.host_str().unwrap_or_default().to_owned();
                let _ = url.set_port(None);
                String::from(url).replacen(&host, &format!("{host}:{port}"), 1)
            }
            Self::Tagged => {
                url.query_pairs_mut().append_pair("by", "api");
                url.into()
            }
        }
    }
}

/// Each `%xx` written in another way.
fn escapes(url: &str, write: impl Fn(&str) -> String) -> String {
    let mut parts = url.split('%');
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at(part.len().min(2));
        written.extend(["%", &write(digits), rest]);
    }
    written
}
