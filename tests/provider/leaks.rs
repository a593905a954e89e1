//! Secrets stay out of errors and logs, even when servers echo them and logs are at their most verbose.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::LevelFilter;
use webhook_operator::provider::{
    Auth, Client, ClientAuthentication, ClientConfig, ClientCredentials, Priority,
};

use crate::server::{ANY_TIME, Server, answer, config, new_endpoint, token};

const ID: &str = "canary-id";
const SECRET: &str = "canary-secret";
const TOKEN: &str = "canary-token";
const SIGNING: &str = "canary-signing";

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_in_an_error_or_in_a_log_at_trace_level() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let echo = format!(
        r#"{{"message": "{ID} and {SECRET}: Bearer {TOKEN}, not {TOKEN}", "error": "secret {SIGNING}", "secret": "{SIGNING}"}}"#
    );
    let echo = move |status| answer(status, echo.clone());
    let created = format!(r#"{{"data": {{"id": "wh_1", "secret": "{SIGNING}"}}}}"#);
    let api = Server::answering(move |asked| match asked.method.as_str() {
        "POST" => answer(201, created.clone()),
        "PATCH" => echo(422),
        "DELETE" => echo(500),
        _ => echo(200),
    })
    .await;
    let issuer = Server::answering(|_| token(TOKEN, 3600)).await;
    let refusing_issuer = Server::answering(move |_| {
        answer(401, format!(r#"{{"error_description": "{ID} is not {SECRET}"}}"#))
    })
    .await;
    let client_of = |issuer: &Server, client_authentication| {
        let auth = Auth::OAuth2ClientCredentials(ClientCredentials {
            client_authentication,
            ..ClientCredentials::new(issuer.url(), ID.into(), SECRET.into())
        });
        Client::new(ClientConfig { auth, ..config(api.url()) }).unwrap()
    };
    let client = client_of(&issuer, ClientAuthentication::Basic);
    client_of(&issuer, ClientAuthentication::Body).authenticate().await.unwrap();
    let id = "wh_1".into();

    let created = client.create(&new_endpoint(), ANY_TIME).await.unwrap();
    let patch = webhook_operator::provider::EndpointPatch::default();
    let errors = [
        client.get(&id, Priority::Change).await.unwrap_err(),
        client.patch(&id, &patch).await.unwrap_err(),
        client.delete(&id).await.unwrap_err(),
        client.list_page(None, Priority::Resync).await.unwrap_err(),
        client_of(&refusing_issuer, ClientAuthentication::Body).authenticate().await.unwrap_err(),
    ];

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("TRACE") && log.contains("hyper"), "the libraries' logs are recorded");
    let shown =
        format!("{errors:?} {created:?} {} {log}", errors.clone().map(|error| error.to_string()).join(" "));
    for canary in [ID, SECRET, TOKEN, SIGNING] {
        let line = shown.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} is shown");
    }
    assert!(errors[1].to_string().contains("[redacted]"), "{}", errors[1]);
}
