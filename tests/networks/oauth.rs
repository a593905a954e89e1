//! OAuth as others speak it: a server that nobody here wrote, and token endpoints that take one form only.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Operation, TokenAuthentication, TokenEndpoint, TokenFormat};
use testkit::{OidcServer, World};
use webhook_operator::provider::{
    AddressPolicy, Auth, Client, ClientAuthentication, ClientConfig, ClientCredentials, ErrorClass, Fence,
    Limits, Meter, RequestFormat,
};

fn client(credentials: ClientCredentials) -> Client {
    Client::new(ClientConfig {
        // Nothing is asked of it.
        api_url: "http://localhost:1".parse().expect("a URL"),
        auth: Auth::OAuth2ClientCredentials(credentials),
        timeout: Duration::from_secs(10),
        limits: Limits { requests_per_second: 10.0, burst: 10, in_flight: 1 },
        ca_bundle: None,
        allow_http: true,
        address_policy: AddressPolicy::Any,
        fence: Fence::default(),
        meter: Meter::default(),
    })
    .expect("a client")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_here_wrote_issues_tokens_and_says_why_not() {
    let server = tokio::task::spawn_blocking(OidcServer::start).await.expect("it starts");
    let token_url: url::Url = server.token_url().parse().expect("a URL");
    let (id, secret) = OidcServer::CLIENT;
    let credentials = |secret: &str| ClientCredentials::new(token_url.clone(), id.into(), secret.into());
    for client_authentication in [ClientAuthentication::Body, ClientAuthentication::Basic] {
        for scope in [None, Some("openid profile".to_owned())] {
            let good = ClientCredentials { client_authentication, scope, ..credentials(secret) };
            client(good).authenticate().await.expect("a token");
        }
        let bad = ClientCredentials { client_authentication, ..credentials("wrong") };
        let error = client(bad).authenticate().await.expect_err("no token");
        assert_eq!((error.class(), error.reason()), (ErrorClass::Unauthorized, "InvalidClient"));
        let told = error.to_string();
        assert!(told.contains("invalid_client") && told.contains("check clientId, clientSecret"), "{told}");
    }
    // It reads forms only.
    let json = ClientCredentials { request_format: RequestFormat::Json, ..credentials(secret) };
    let told = client(json).authenticate().await.expect_err("no token").to_string();
    assert!(told.contains("grant_type missing (invalid_request); check requestFormat"), "{told}");
}

/// What a network's credentials say of the request for a token.
fn oauth(settings: Value) -> Value {
    json!({ "auth": { "oauth2ClientCredentials": settings } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_asks_for_its_token_as_its_issuer_wants_it() {
    let world = World::without_network("oauth").await;
    for (name, format, authentication, settings) in [
        ("form-body", TokenFormat::Form, TokenAuthentication::Body, json!({})),
        (
            "form-basic",
            TokenFormat::Form,
            TokenAuthentication::Basic,
            json!({ "clientAuthentication": "Basic" }),
        ),
        ("json-body", TokenFormat::Json, TokenAuthentication::Body, json!({ "requestFormat": "JSON" })),
        (
            "json-basic",
            TokenFormat::Json,
            TokenAuthentication::Basic,
            json!({ "requestFormat": "JSON", "clientAuthentication": "Basic", "scope": "read:all write:all" }),
        ),
    ] {
        let endpoint = TokenEndpoint { format: Some(format), authentication: Some(authentication) };
        world.simulator.set_token_endpoint(endpoint);
        world.add_good_cluster_network(name, oauth(settings)).await;
        world.cluster_network(name, "Ready", "True", "Available").await;
    }
    assert_eq!(world.simulator.ledger().effects(Operation::Token), 4);

    // What is set wrongly is told by the issuer's own word, and put right by the network alone.
    let only_forms = TokenEndpoint { format: Some(TokenFormat::Form), authentication: None };
    world.simulator.set_token_endpoint(only_forms);
    world.add_good_cluster_network("wrong", oauth(json!({ "requestFormat": "JSON" }))).await;
    let told = world.cluster_network("wrong", "Ready", "False", "InvalidClient").await;
    assert!(told.contains("grant_type missing (invalid_request); check requestFormat"), "{told:?}");
    let form = json!({ "spec": oauth(json!({ "requestFormat": "Form" })) });
    world.patch_cluster_network("wrong", form).await;
    world.cluster_network("wrong", "Ready", "True", "Available").await;
}
