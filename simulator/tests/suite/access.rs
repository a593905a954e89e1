//! Who may do what: tokens, scopes, networks, clocks, TLS.

use std::time::Duration;

use crate::support::{BOUND, Client, NETWORK, start, start_with, token};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::json;
use simulator::{
    Certificate, Config, NetworkConfig, NewEndpoint, Operation, Scopes, Simulator, TokenAuthentication,
    TokenEndpoint, TokenFormat,
};

async fn access_token(simulator: &Simulator) -> String {
    let answer = token(simulator, "client-1", "client-1-secret").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn client_credentials_give_a_token() {
    let simulator = start().await;
    let answer = token(&simulator, "client-1", "client-1-secret").await;
    let mut body = answer.json();
    let access_token = body["access_token"].take().as_str().unwrap().to_owned();
    let scope = "read:webhook-endpoints write:webhook-endpoints";
    let rest = json!({ "access_token": null, "token_type": "Bearer", "expires_in": 86400, "scope": scope });
    assert_eq!(body, rest);
    let client = Client::with_token(&simulator, &access_token);
    assert_eq!(client.list("").await.unwrap().status, StatusCode::OK);
    assert!(!format!("{:?}{:?}", simulator.ledger(), simulator.handle()).contains(&access_token));
}

#[tokio::test]
async fn wrong_token_requests_are_refused() {
    let simulator = start().await;
    let good = json!({
        "client_id": "client-1", "client_secret": "client-1-secret",
        "audience": "https://api.lynkwell.com", "grant_type": "client_credentials",
    });
    let table = [
        ("client_id", json!("client-2"), StatusCode::UNAUTHORIZED),
        ("client_secret", json!("wrong"), StatusCode::UNAUTHORIZED),
        ("client_secret", json!(null), StatusCode::UNAUTHORIZED),
        ("audience", json!("https://other.example"), StatusCode::FORBIDDEN),
        ("grant_type", json!("password"), StatusCode::FORBIDDEN),
    ];
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (field, value, status) in table {
        let mut body = good.clone();
        body[field] = value;
        let answer = http.post(simulator.token_url()).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{body}");
    }
    assert_eq!(simulator.ledger().effects(Operation::Token), 0);
}

#[tokio::test]
async fn a_token_is_asked_for_in_either_format_and_either_way_unless_one_is_wanted() {
    let simulator = start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let about = [("audience", "https://api.lynkwell.com"), ("grant_type", "client_credentials")];
    let secret = [("client_id", "client-1"), ("client_secret", "client-1-secret")];
    let mut seen = Vec::new();
    for (format, authentication) in [
        (None, None),
        (Some(TokenFormat::Form), Some(TokenAuthentication::Basic)),
        (Some(TokenFormat::Json), Some(TokenAuthentication::Body)),
    ] {
        simulator.set_token_endpoint(TokenEndpoint { format, authentication });
        for is_form in [true, false] {
            for is_basic in [true, false] {
                let mut fields = about.to_vec();
                let mut request = http.post(simulator.token_url());
                if is_basic {
                    request = request.basic_auth("client%2D1", Some("client-1-secret"));
                } else {
                    fields.extend(secret);
                }
                let request = if is_form {
                    let body =
                        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
                    request.header("content-type", "application/x-www-form-urlencoded").body(body)
                } else {
                    request.json(&fields.iter().copied().collect::<std::collections::BTreeMap<_, _>>())
                };
                seen.push(request.send().await.unwrap().status().as_u16());
            }
        }
    }
    assert_eq!(seen, [200, 200, 200, 200, 200, 401, 400, 400, 400, 400, 401, 200]);
}

#[tokio::test]
async fn tokens_expire_and_are_revoked() {
    let simulator = start().await;
    let client = Client::with_token(&simulator, access_token(&simulator).await);
    simulator.advance_clock(Duration::from_secs(86_390));
    assert_eq!(client.list("").await.unwrap().status, StatusCode::OK);
    simulator.advance_clock(Duration::from_secs(10));
    let expired = client.list("").await.unwrap();
    assert_eq!(expired.status, StatusCode::UNAUTHORIZED);
    assert_eq!(expired.headers["www-authenticate"], "Bearer");

    let client = Client::with_token(&simulator, access_token(&simulator).await);
    simulator.revoke_tokens(NETWORK);
    assert_eq!(client.list("").await.unwrap().status, StatusCode::UNAUTHORIZED);
    assert_eq!(Client::new(&simulator).list("").await.unwrap().status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn calls_without_a_token_are_refused() {
    let simulator = start().await;
    let client = Client::new(&simulator);
    let url = format!("{}/webhook-endpoints", client.base);
    assert_eq!(client.http.get(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let basic = client.http.get(&url).basic_auth("client-1", Some("client-1-secret"));
    assert_eq!(basic.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(simulator.ledger().entries()[0].network, None);
}

#[tokio::test]
async fn a_token_keeps_the_scope_it_was_issued_with() {
    let simulator = start().await;
    simulator.set_scopes(NETWORK, Scopes::None);
    let old = Client::with_token(&simulator, access_token(&simulator).await);
    assert_eq!(old.list("").await.unwrap().status, StatusCode::FORBIDDEN);

    simulator.set_scopes(NETWORK, Scopes::Read);
    assert_eq!(old.list("").await.unwrap().status, StatusCode::FORBIDDEN);
    let new = Client::with_token(&simulator, access_token(&simulator).await);
    assert_eq!(new.list("").await.unwrap().status, StatusCode::OK);
    assert_eq!(new.create("https://example.com/hook").await.unwrap().status, StatusCode::FORBIDDEN);
    assert!(simulator.endpoints(NETWORK).is_empty());
}

#[tokio::test]
async fn networks_do_not_see_each_other() {
    let other = NetworkConfig::new("n_other").bearer_token("other-token");
    let simulator = start_with(Config::default().network(other)).await;
    let id = simulator.insert(NETWORK, NewEndpoint::new("https://example.com/hook"));
    let stranger = Client::with_token(&simulator, "other-token");

    assert!(stranger.list("").await.unwrap().ids().is_empty());
    let by_cursor = stranger.list(&format!("?startingAfter={id}")).await.unwrap();
    assert_eq!(by_cursor.status, StatusCode::BAD_REQUEST);
    assert_eq!(stranger.get(id.as_str()).await.unwrap().status, StatusCode::NOT_FOUND);
    let patch = json!({ "status": "inactive" });
    assert_eq!(stranger.patch(id.as_str(), patch).await.unwrap().status, StatusCode::NOT_FOUND);
    assert_eq!(stranger.delete(id.as_str()).await.unwrap().status, StatusCode::NOT_FOUND);
    assert_eq!(simulator.endpoint(&id).unwrap().status, "active");

    let made = stranger.create("https://example.com/hook").await.unwrap();
    assert_eq!(made.json()["data"]["networkId"], "n_other");
    let ledger = simulator.ledger();
    assert_eq!(ledger.of_network(&"n_other".into()).entries().len(), 6);
    assert_eq!(ledger.created("https://example.com/hook"), [made.id()]);
}

#[tokio::test]
async fn the_apis_clock_may_be_wrong() {
    let skew = SignedDuration::from_hours(-3);
    let simulator = start_with(Config { clock_skew: skew, ..Config::default() }).await;
    let client = Client::new(&simulator);
    let hours_ahead = |text: &str| {
        let time = jiff::fmt::rfc2822::parse(text).unwrap().timestamp();
        let half_an_hour = SignedDuration::from_mins(30);
        (time.duration_since(Timestamp::now()) + half_an_hour).as_secs().div_euclid(3600)
    };
    let created = client.create("https://example.com/hook").await.unwrap();
    let date = created.headers["date"].to_str().unwrap();
    assert_eq!(hours_ahead(date), -3, "{date}");
    let created_at: Timestamp = created.json()["data"]["createdAt"].as_str().unwrap().parse().unwrap();
    assert!(created_at < Timestamp::now() - SignedDuration::from_hours(2));

    simulator.set_clock_skew(SignedDuration::from_hours(5));
    let refused = client.call(Method::GET, "/other", None).await.unwrap();
    assert_eq!(hours_ahead(refused.headers["date"].to_str().unwrap()), 5);
}

#[tokio::test]
async fn tls_is_by_an_authority_of_its_own() {
    let simulator = start_with(Config::default().tls()).await;
    let https = simulator.https().unwrap();
    let ca = reqwest::Certificate::from_pem(https.ca_pem.as_bytes()).unwrap();
    let trusting = || {
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        let http = http.tls_certs_only([ca.clone()]).build().unwrap();
        Client { http, base: https.base_url.clone(), token: crate::support::TOKEN.to_owned() }
    };
    assert_eq!(trusting().list("").await.unwrap().status, StatusCode::OK);
    let localhost = Client { base: https.base_url.replace("127.0.0.1", "localhost"), ..trusting() };
    assert_eq!(localhost.list("").await.unwrap().status, StatusCode::OK);

    for bad in [Certificate::Expired, Certificate::OtherHost, Certificate::OtherAuthority] {
        simulator.show_certificate(bad).unwrap();
        let error = trusting().list("").await.unwrap_err();
        assert!(error.is_connect(), "{bad:?}: {error:?}");
    }
    simulator.wait_until(BOUND, |view| view.failed_handshakes() == 3).await.unwrap();
    assert_eq!(simulator.ledger().count(Operation::List), 2);
    simulator.show_certificate(Certificate::Good).unwrap();
    assert_eq!(trusting().list("").await.unwrap().status, StatusCode::OK);
}
