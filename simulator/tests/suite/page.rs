//! The reference page, example by example and limit by limit.

use crate::support::{Client, NETWORK, start, start_with};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use simulator::{Config, DeletedCursor, Habits, ListOrder, NewEndpoint, Operation};

const PAGE: &str = include_str!("../fixtures/webhook-endpoints.txt");

/// The page's example bodies, in its order.
fn examples() -> Vec<Value> {
    let mut rest = PAGE;
    let mut examples = Vec::new();
    while let Some(start) = rest.find("\n{") {
        let mut values = serde_json::Deserializer::from_str(&rest[start..]).into_iter();
        examples.push(values.next().unwrap().unwrap());
        rest = &rest[start + values.byte_offset()..];
    }
    examples
}

/// Each leaf of a JSON value as its path and its type.
fn shape(value: &Value) -> Vec<(String, &'static str)> {
    fn walk(path: &str, value: &Value, leaves: &mut Vec<(String, &'static str)>) {
        let kind = match value {
            Value::Object(fields) => {
                return fields
                    .iter()
                    .for_each(|(name, value)| walk(&format!("{path}.{name}"), value, leaves));
            }
            Value::Array(items) => {
                return items.iter().for_each(|item| walk(&format!("{path}[]"), item, leaves));
            }
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
        };
        leaves.push((path.to_owned(), kind));
    }
    let mut leaves = Vec::new();
    walk("", value, &mut leaves);
    leaves.sort_unstable();
    leaves
}

/// An answer with the values that only the API can choose replaced by the example's.
fn with_chosen_values(answer: &Value, example: &Value) -> Value {
    fn chosen(answer: &Map<String, Value>, example: &Map<String, Value>) -> Value {
        let mut answer = answer.clone();
        for name in ["id", "secret", "createdAt"] {
            if let (Some(value), Some(example)) = (answer.get_mut(name), example.get(name)) {
                *value = example.clone();
            }
        }
        Value::Object(answer)
    }
    let (data, example) = (&answer["data"], &example["data"]);
    let Some(items) = data.get("items") else {
        return json!({ "data": chosen(data.as_object().unwrap(), example.as_object().unwrap()) });
    };
    let example = example["items"][0].as_object().unwrap();
    let items = items.as_array().unwrap().iter().map(|item| chosen(item.as_object().unwrap(), example));
    json!({ "data": { "items": items.collect::<Vec<_>>(), "hasMore": data["hasMore"] } })
}

#[tokio::test]
async fn every_example_of_the_page_comes_back_verbatim() {
    let examples = examples();
    let [list, create_request, create, get, patch_request, patch] = &examples[..] else {
        panic!("the page has six examples, not {}", examples.len());
    };
    let simulator = start().await;
    let client = Client::new(&simulator);
    let collection = "/webhook-endpoints";

    let created = client.call(Method::POST, collection, Some(create_request.clone())).await.unwrap();
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(&with_chosen_values(&created.json(), create), create);
    assert_eq!(shape(&created.json()), shape(create));

    let id = created.id();
    let got = client.get(id.as_str()).await.unwrap();
    assert_eq!(&with_chosen_values(&got.json(), get), get);

    let patched = client.patch(id.as_str(), patch_request.clone()).await.unwrap();
    assert_eq!(&with_chosen_values(&patched.json(), patch), patch);

    client.create("https://example.com/webhook").await.unwrap();
    let listed = client.list("?limit=1").await.unwrap();
    assert_eq!(&with_chosen_values(&listed.json(), list), list);

    let deleted = client.delete(id.as_str()).await.unwrap();
    assert_eq!((deleted.status, deleted.text.as_str()), (StatusCode::NO_CONTENT, ""));
}

#[tokio::test]
async fn values_have_the_forms_of_the_page() {
    let simulator = start().await;
    let created = Client::new(&simulator).create("https://example.com/webhook").await.unwrap();
    let data = &created.json()["data"];
    let text = |field: &str| data[field].as_str().unwrap().to_owned();

    assert!(text("id").starts_with("wh_") || text("id").starts_with("we_"));
    assert!(text("secret").starts_with("whsec_") && text("secret").len() >= 32);
    let created_at = text("createdAt");
    assert_eq!(created_at.len(), "2023-06-07T17:32:28Z".len(), "whole seconds, UTC: {created_at}");
    let age = simulator.now().as_second() - created_at.parse::<jiff::Timestamp>().unwrap().as_second();
    assert!((0..=20).contains(&age), "made {age} s ago");
}

#[tokio::test]
async fn the_secret_is_shown_once() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let created = client.create("https://example.com/webhook").await.unwrap();
    let secret = created.json()["data"]["secret"].as_str().unwrap().to_owned();
    let id = created.id();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&simulator.secret_of(&id).unwrap()), secret);

    let answers = [
        client.get(id.as_str()).await.unwrap().text,
        client.list("").await.unwrap().text,
        client.patch(id.as_str(), json!({ "status": "inactive" })).await.unwrap().text,
    ];
    let seen_inside = format!("{:?}{:?}", simulator.ledger(), simulator.handle());
    for text in answers.iter().chain([&seen_inside]) {
        assert!(!text.contains(&secret), "{text}");
    }
}

#[tokio::test]
async fn defaults_apply() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let body = json!({ "url": "https://example.com/webhook", "enabledEvents": ["asset.connectivity"] });
    let created = client.call(Method::POST, "/webhook-endpoints", Some(body)).await.unwrap();
    assert_eq!(created.json()["data"]["status"], "active");

    for _ in 0..20 {
        simulator.insert(NETWORK, NewEndpoint::new("https://example.com/webhook"));
    }
    let page = client.list("").await.unwrap();
    assert_eq!((page.ids().len(), &page.json()["data"]["hasMore"]), (20, &json!(true)));
}

#[tokio::test]
async fn bad_creates_are_refused_and_change_nothing() {
    let url = "https://example.com/webhook";
    let table = [
        (json!([]), "JSON object"),
        (json!({ "enabledEvents": ["ocpp.message"] }), "url is required"),
        (json!({ "url": 7, "enabledEvents": ["ocpp.message"] }), "url must be a URI"),
        (json!({ "url": "example.com/hook", "enabledEvents": ["ocpp.message"] }), "url must be a URI"),
        (json!({ "url": url }), "enabledEvents is required"),
        (json!({ "url": url, "enabledEvents": "ocpp.message" }), "must be an array"),
        (json!({ "url": url, "enabledEvents": [] }), "must not be empty"),
        (json!({ "url": url, "enabledEvents": ["ocpp.boot"] }), "must be one of ocpp.message"),
        (json!({ "url": url, "enabledEvents": [null] }), "must be one of ocpp.message"),
        (json!({ "url": url, "enabledEvents": ["ocpp.message"], "status": "paused" }), "active, inactive"),
    ];
    let simulator = start().await;
    let client = Client::new(&simulator);
    for (body, message) in &table {
        let answer = client.call(Method::POST, "/webhook-endpoints", Some(body.clone())).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.text.contains(message), "{body}: {}", answer.text);
    }
    let request = client.http.post(format!("{}/webhook-endpoints", client.base)).bearer_auth(&client.token);
    assert_eq!(request.body("{").send().await.unwrap().status(), StatusCode::BAD_REQUEST);

    assert!(simulator.endpoints(NETWORK).is_empty());
    let ledger = simulator.ledger();
    assert_eq!((ledger.count(Operation::Create), ledger.effects(Operation::Create)), (table.len() + 1, 0));
}

#[tokio::test]
async fn bad_patches_lists_and_paths_are_refused() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let id = simulator.insert(NETWORK, NewEndpoint::new("https://example.com/webhook"));
    let before = simulator.endpoint(&id).unwrap();

    for body in [json!({ "enabledEvents": [] }), json!({ "enabledEvents": ["x"] }), json!({ "status": null })]
    {
        assert_eq!(client.patch(id.as_str(), body).await.unwrap().status, StatusCode::BAD_REQUEST);
    }
    let url = json!({ "url": "https://example.com/other" });
    assert_eq!(client.patch(id.as_str(), url).await.unwrap().status, StatusCode::OK);
    assert_eq!(simulator.endpoint(&id).unwrap(), before);

    for query in ["?limit=0", "?limit=101", "?limit=ten", "?limit=", "?startingAfter=wh_unknown"] {
        assert_eq!(client.list(query).await.unwrap().status, StatusCode::BAD_REQUEST, "{query}");
    }
    for query in ["?limit=1", "?limit=100"] {
        assert_eq!(client.list(query).await.unwrap().status, StatusCode::OK, "{query}");
    }

    assert_eq!(client.get("wh_unknown").await.unwrap().status, StatusCode::NOT_FOUND);
    assert_eq!(client.patch("wh_unknown", json!({})).await.unwrap().status, StatusCode::NOT_FOUND);
    assert_eq!(client.delete("wh_unknown").await.unwrap().status, StatusCode::NOT_FOUND);
    let put = client.call(Method::PUT, "/webhook-endpoints", None).await.unwrap();
    assert_eq!(put.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(client.call(Method::GET, "/other", None).await.unwrap().status, StatusCode::NOT_FOUND);
    assert_eq!(simulator.ledger().count(Operation::Unknown), 2);
}

#[tokio::test]
async fn pages_join_to_the_whole_list() {
    for order in [ListOrder::OldestFirst, ListOrder::NewestFirst, ListOrder::Shuffled(7)] {
        for count in [0_usize, 1, 99, 100, 101, 250] {
            let habits = Habits { list_order: order, ..Habits::default() };
            let simulator = start_with(Config { habits, ..Config::default() }).await;
            let mut made: Vec<_> = (0..count)
                .map(|n| simulator.insert(NETWORK, NewEndpoint::new(format!("https://example.com/{n}"))))
                .map(|id| id.to_string())
                .collect();
            let (mut listed, pages) = Client::new(&simulator).list_all(100).await;
            assert_eq!(pages, 1.max(count.div_ceil(100)), "{order:?} of {count}");
            match order {
                ListOrder::OldestFirst => {}
                ListOrder::NewestFirst => made.reverse(),
                ListOrder::Shuffled(_) => {
                    assert!(count < 99 || listed != made, "nothing was shuffled");
                    listed.sort_unstable();
                    made.sort_unstable();
                }
            }
            assert_eq!(listed, made, "{order:?} of {count}");
        }
    }
}

#[tokio::test]
async fn a_list_goes_on_after_a_deleted_cursor_or_refuses_it() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let insert = |n| simulator.insert(NETWORK, NewEndpoint::new(format!("https://example.com/{n}")));
    let ids: Vec<_> = (0..3).map(insert).collect();
    simulator.delete(&ids[1]);

    let query = format!("?startingAfter={}", ids[1]);
    assert_eq!(client.list(&query).await.unwrap().ids(), [ids[2].as_str()]);
    simulator.set_habits(|habits| habits.deleted_cursor = DeletedCursor::Refuse);
    assert_eq!(client.list(&query).await.unwrap().status, StatusCode::BAD_REQUEST);
}
