//! Bad networks.

use serde_json::{Value, json};
use testkit::{World, merge};
use webhook_operator::resources::WebhookNetwork;

use super::{ABSURD, apply, check_refused};

const API_URL: &str =
    "apiUrl must be an absolute http or https URL, e.g. https://api.lynkwell.com/webhooks/v1";
const BASE_URL: &str = "apiUrl must not contain a user, a query or a fragment: give the base URL only";
const ONE_AUTH: &str = "auth needs exactly one of oauth2ClientCredentials and bearerToken";
const HTTPS: &str = "apiUrl and tokenUrl must be https, so that credentials and secrets are encrypted on their way; for \
                     a test server, set allowHttp: true";
const HOST: &str = "an allowed host is written in lower case and without scheme, port and path, e.g. hooks.example.com \
                    or *.example.com";
const SCOPE: &str = "scope must be printable ASCII words without quotes and backslashes";
const DURATION: &str = "a duration is written in h, m, s and ms, largest first, e.g. 2160h, 1h30m or 90s, and is at \
                        most 87600h, which is ten years";

/// A good `WebhookNetwork` with what is given instead of its fields.
fn network(world: &World, fields: &Value) -> Value {
    let mut manifest = json!({
        "apiVersion": "webhookoperator.dev/v1alpha1",
        "kind": "WebhookNetwork",
        "metadata": { "name": "network", "namespace": world.namespace },
        "spec": {
            "apiUrl": "https://api.example.com/webhooks/v1",
            "auth": { "bearerToken": { "secretKeyRef": { "name": "credentials", "key": "token" } } },
        },
    });
    for (field, value) in fields.as_object().expect("fields") {
        manifest["spec"][field] = value.clone();
    }
    manifest
}

fn oauth2(token_url: &str) -> Value {
    let from = |key| json!({ "secretKeyRef": { "name": "credentials", "key": key } });
    json!({ "tokenUrl": token_url, "clientId": from("clientId"), "clientSecret": from("clientSecret") })
}

/// OAuth credentials with these settings of the request for a token.
fn asking(settings: Value) -> Value {
    let mut client = oauth2("https://auth.example.com");
    merge(&mut client, settings);
    json!({ "auth": { "oauth2ClientCredentials": client } })
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_networks_are_refused() {
    let world = World::without_network("bad-networks").await;
    let bad = |fields: Value| network(&world, &fields);
    let token = |reference: Value| json!({ "auth": { "bearerToken": { "secretKeyRef": reference } } });
    check_refused(
        &world,
        [
            (bad(json!({ "apiUrl": "api.example.com" })), API_URL),
            (bad(json!({ "apiUrl": "ftp://api.example.com" })), API_URL),
            (bad(json!({ "apiUrl": "https://user@api.example.com/v1" })), BASE_URL),
            (bad(json!({ "apiUrl": "https://api.example.com/v1?limit=1" })), BASE_URL),
            (bad(json!({ "apiUrl": "https://api.example.com/v1#top" })), BASE_URL),
            (bad(json!({ "apiUrl": "http://api.example.com/v1" })), "must be https"),
            (
                bad(json!({ "auth": { "oauth2ClientCredentials": oauth2("http://auth.example.com") } })),
                "must be https",
            ),
            (
                bad(json!({ "auth": { "oauth2ClientCredentials": oauth2("auth.example.com") } })),
                "tokenUrl must be an absolute http or https URL, e.g. https://lynkwell-prod.us.auth0.com/oauth/token",
            ),
            (
                bad(json!({ "auth": { "oauth2ClientCredentials": oauth2("https://me@auth.example.com") } })),
                "tokenUrl must not contain a user or a fragment: remove it",
            ),
            (bad(asking(json!({ "scope": "read  write" }))), SCOPE),
            (bad(asking(json!({ "scope": "read \"write\"" }))), SCOPE),
            (bad(asking(json!({ "scope": "" }))), "should be at least 1 chars long"),
            (bad(asking(json!({ "requestFormat": "XML" }))), "supported values: \"Form\", \"JSON\""),
            (bad(asking(json!({ "clientAuthentication": "None" }))), "supported values: \"Body\", \"Basic\""),
            (bad(json!({ "auth": {} })), ONE_AUTH),
            (bad(json!({ "auth": null })), ONE_AUTH),
            (
                bad(json!({ "auth": {
                    "oauth2ClientCredentials": oauth2("https://auth.example.com"),
                    "bearerToken": { "secretKeyRef": { "name": "credentials", "key": "token" } },
                }})),
                ONE_AUTH,
            ),
            (bad(json!({ "auth": { "bearerToken": "secret" } })), "got"),
            (
                bad(token(json!({ "name": "credentials", "key": "token", "namespace": "other" }))),
                ".spec.auth.bearerToken.secretKeyRef.namespace: field not declared in schema",
            ),
            (
                bad(token(json!({ "name": "credentials" }))),
                "spec.auth.bearerToken.secretKeyRef.key: Required value",
            ),
            (bad(json!({ "resyncInterval": "0s" })), "resyncInterval must be at least 1s, e.g. 5m"),
            (bad(json!({ "timeout": "0s" })), "timeout must be between 100ms and 60s, e.g. 10s"),
            (bad(json!({ "resyncInterval": "500ms" })), "resyncInterval must be at least 1s, e.g. 5m"),
            (bad(json!({ "resyncInterval": "5 minutes" })), DURATION),
            (bad(json!({ "timeout": "50ms" })), "timeout must be between 100ms and 60s, e.g. 10s"),
            (bad(json!({ "timeout": "2m" })), "timeout must be between 100ms and 60s, e.g. 10s"),
            (
                bad(json!({ "limits": { "requestsPerSecond": 0 } })),
                "spec.limits.requestsPerSecond in body should be greater than or equal to 1",
            ),
            (
                bad(json!({ "limits": { "burst": 1001 } })),
                "spec.limits.burst in body should be less than or equal to 1000",
            ),
            (
                bad(json!({ "limits": { "inFlight": 101 } })),
                "spec.limits.inFlight in body should be less than or equal to 100",
            ),
            (bad(json!({ "allowedUrlHosts": ["https://hooks.example.com"] })), HOST),
            (bad(json!({ "allowedUrlHosts": ["hooks.*.com"] })), HOST),
            (bad(json!({ "allowedUrlHosts": ["Hooks.example.com"] })), HOST),
            (bad(json!({ "allowedUrlHosts": ["hooks.example.com:8443"] })), HOST),
            (
                bad(json!({ "caBundle": "MIIB" })),
                "caBundle must hold at least one PEM block: -----BEGIN CERTIFICATE-----",
            ),
            (
                bad(json!({ "allowedNamespaces": { "names": ["billing"] } })),
                ".spec.allowedNamespaces: field not declared in schema",
            ),
        ],
    );
    assert_eq!(world.all::<WebhookNetwork>().await.len(), 0, "nothing of it was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_01_an_absurd_duration_of_a_network_is_refused() {
    let world = World::without_network("absurd-networks").await;
    let rows = ["resyncInterval", "timeout"]
        .iter()
        .flat_map(|field| ABSURD.map(|text| (network(&world, &json!({ *field: text })), DURATION)));
    check_refused(&world, rows);
    assert_eq!(world.all::<WebhookNetwork>().await.len(), 0, "nothing of it was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_cluster_networks_are_refused() {
    let world = World::without_network("bad-clusters").await;
    let bad = |fields: Value| {
        let mut manifest = network(&world, &fields);
        manifest["kind"] = json!("ClusterWebhookNetwork");
        manifest["metadata"] = json!({ "name": world.namespace });
        manifest
    };
    let token = |reference: Value| json!({ "bearerToken": { "secretKeyRef": reference } });
    let complete = token(json!({ "namespace": "webhook-operator", "name": "credentials", "key": "token" }));
    check_refused(
        &world,
        [
            (
                bad(json!({ "auth": token(json!({ "name": "credentials", "key": "token" })) })),
                "spec.auth.bearerToken.secretKeyRef.namespace: Required value",
            ),
            (bad(json!({ "auth": complete, "apiUrl": "http://api.example.com" })), HTTPS),
            (bad(json!({ "auth": {} })), ONE_AUTH),
        ],
    );
    assert_eq!(apply(&world, &bad(json!({ "auth": complete }))), Ok(()));
    let http = bad(json!({ "auth": complete, "apiUrl": "http://127.0.0.1:1/v1", "allowHttp": true }));
    assert_eq!(apply(&world, &http), Ok(()));
    world.kubectl_says(&["delete", "clusterwebhooknetwork", &world.namespace]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unusual_networks_are_accepted() {
    let world = World::without_network("good-networks").await;
    for fields in [
        json!({ "resyncInterval": "1s", "timeout": "100ms" }),
        json!({ "resyncInterval": "24h", "timeout": "1m" }),
        json!({ "resyncInterval": "87600h", "timeout": "60000ms" }),
        json!({ "allowedUrlHosts": ["localhost", "*.example.com", "10.0.0.1"] }),
        json!({ "auth": { "oauth2ClientCredentials": oauth2("https://auth.example.com/token?tenant=a") } }),
    ] {
        let manifest = network(&world, &fields);
        assert_eq!(apply(&world, &manifest), Ok(()), "{fields}");
        assert_eq!(world.all::<WebhookNetwork>().await.len(), 1, "it can be read: {fields}");
    }
}
