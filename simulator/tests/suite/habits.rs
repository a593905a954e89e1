//! Habits, one by one.

use crate::support::{Client, NETWORK, start};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulator::{CreateStatus, DeleteStatus, DuplicateUrls, Habits, UrlForm};

#[tokio::test]
async fn habits_switch_what_the_page_leaves_open() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let url = "https://EXAMPLE.com";
    simulator.set_habits(|habits| {
        habits.create_status = CreateStatus::Ok;
        habits.delete_status = DeleteStatus::Ok;
        habits.url_form = UrlForm::Normalised;
    });
    let first = client.create(url).await.unwrap();
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.json()["data"]["url"], "https://example.com/");
    assert_eq!(client.create(url).await.unwrap().status, StatusCode::OK);

    simulator.set_habits(|habits| habits.duplicate_urls = DuplicateUrls::Conflict);
    assert_eq!(client.create(url).await.unwrap().status, StatusCode::CONFLICT);
    for endpoint in simulator.endpoints(NETWORK) {
        let deleted = client.delete(endpoint.id.as_str()).await.unwrap();
        assert_eq!((deleted.status, deleted.text.as_str()), (StatusCode::OK, ""));
    }
    assert_eq!(client.create(url).await.unwrap().status, StatusCode::OK);
}

/// An endpoint as a list shows it while the API has a habit.
async fn shown(habit: Value) -> Value {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let habits: Habits = serde_json::from_value(habit).unwrap();
    simulator.set_habits(|current| *current = habits);
    let body = json!({ "url": "https://Example.com/a%2fb/?c", "enabledEvents": ["ocpp.message", "asset.connectivity"] });
    client.call(Method::POST, "/webhook-endpoints", Some(body)).await.unwrap();
    client.list("").await.unwrap().json()["data"]["items"][0].clone()
}

#[tokio::test]
async fn a_url_is_stored_in_many_forms() {
    for (form, expected) in [
        ("verbatim", "https://Example.com/a%2fb/?c"),
        ("normalised", "https://example.com/a%2fb/?c"),
        ("slash-dropped", "https://Example.com/a%2fb?c"),
        ("slash-added", "https://example.com/a%2fb/?c"),
        ("upper-escapes", "https://Example.com/a%2Fb/?c"),
        ("lower-escapes", "https://Example.com/a%2fb/?c"),
        ("upper-host", "https://EXAMPLE.COM/a%2fb/?c"),
        ("with-port", "https://example.com:443/a%2fb/?c"),
        ("tagged", "https://example.com/a%2fb/?c&by=api"),
    ] {
        assert_eq!(shown(json!({ "urlForm": form })).await["url"], expected, "{form}");
    }
}

#[tokio::test]
async fn fields_come_in_many_forms() {
    type Check = fn(&Value) -> bool;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks: [(Value, &str, Check); 12] = [
        (json!({ "idShape": "numbers" }), "id", Value::is_u64),
        (json!({ "createdAt": "microseconds" }), "createdAt", |time| {
            time.as_str().is_some_and(|time| time.len() == 32 && time.ends_with("+00:00"))
        }),
        (json!({ "createdAt": "zone" }), "createdAt", |time| {
            time.as_str().is_some_and(|time| time.ends_with("-07:00"))
        }),
        (json!({ "createdAt": "number" }), "createdAt", Value::is_i64),
        (json!({ "createdAt": "null" }), "createdAt", Value::is_null),
        (json!({ "eventsForm": "reversed" }), "enabledEvents", |events| {
            *events == json!(["asset.connectivity", "ocpp.message"])
        }),
        (json!({ "eventsForm": "upper-case" }), "enabledEvents", |events| {
            *events == json!(["OCPP.MESSAGE", "ASSET.CONNECTIVITY"])
        }),
        (json!({ "eventsForm": "doubled" }), "enabledEvents", |events| events.as_array().unwrap().len() == 4),
        (json!({ "eventsForm": "with-unknown" }), "enabledEvents", |events| {
            events.as_array().unwrap().contains(&"charger.boot".into())
        }),
        (json!({ "statusForm": "upper-case" }), "status", |status| status == "ACTIVE"),
        (json!({ "networkId": "null" }), "networkId", Value::is_null),
        (json!({ "extraFields": "some" }), "metadata", Value::is_object),
    ];
    for (habit, field, check) in checks {
        let endpoint = shown(habit.clone()).await;
        assert!(check(&endpoint[field]), "{habit}: {}", text(&endpoint[field]));
    }
    for (habit, field) in
        [(json!({ "createdAt": "absent" }), "createdAt"), (json!({ "networkId": "absent" }), "networkId")]
    {
        assert!(shown(habit).await.get(field).is_none(), "{field}");
    }
}

#[tokio::test]
async fn answers_come_in_many_forms() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let set = |habits: Value| {
        let habits: Habits = serde_json::from_value(habits).unwrap();
        simulator.set_habits(|current| *current = habits);
    };
    for (habit, data) in [
        (json!({ "emptyList": "null" }), json!({ "items": null, "hasMore": false })),
        (json!({ "emptyList": "absent" }), json!({ "hasMore": false })),
    ] {
        set(habit);
        assert_eq!(client.list("").await.unwrap().json()["data"], data);
    }
    set(json!({ "createStatus": "accepted", "createAnswer": "location" }));
    let created = client.create("https://example.com/a").await.unwrap();
    assert_eq!((created.status, created.text.as_str()), (StatusCode::ACCEPTED, ""));
    let id = simulator.endpoints(NETWORK)[0].id.clone();
    assert!(created.headers["location"].to_str().unwrap().ends_with(id.as_str()));
    set(json!({ "createAnswer": "echo", "urlForm": "normalised" }));
    let echo = client.create("https://EXAMPLE.com").await.unwrap();
    assert_eq!(echo.json()["data"]["url"], "https://EXAMPLE.com");
    assert_eq!(client.get(echo.id().as_str()).await.unwrap().json()["data"]["url"], "https://example.com/");

    for (habit, status) in [("no-content", StatusCode::NO_CONTENT), ("empty", StatusCode::OK)] {
        set(json!({ "patchAnswer": habit }));
        let patched = client.patch(id.as_str(), json!({ "status": "inactive" })).await.unwrap();
        assert_eq!((patched.status, patched.text.as_str()), (status, ""));
    }
    for (habit, count) in [("once", 2), ("twice", 4), ("foreign", 3)] {
        set(json!({ "listItems": habit }));
        let listed = client.list("").await.unwrap().json();
        assert_eq!(listed["data"]["items"].as_array().unwrap().len(), count, "{habit}");
    }
    set(json!({ "dateHeader": "absent", "bodyForm": "chunked" }));
    let listed = client.list("").await.unwrap();
    assert!(listed.headers.get("date").is_none() && listed.headers.get("content-length").is_none());
    assert!(listed.json()["data"]["items"].is_array());
    set(json!({ "bodyForm": "gzip" }));
    assert!(client.list("").await.unwrap().json()["data"]["items"].is_array(), "the client unpacks it");
    // One that does not.
    let plain = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let zipped = plain.get(format!("{}/webhook-endpoints", client.base)).bearer_auth(&client.token);
    let zipped = zipped.send().await.unwrap();
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    assert!(zipped.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
}
