//! The program: its arguments, its readiness line, its end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::Client;

/// A program that is killed when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulator"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn secret_file(content: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

fn refused(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    text
}

#[test]
fn a_wrong_command_line_is_told_what_is_wrong() {
    let table: [(&[&str], &str); 8] = [
        (&[], "--network <NAME:CLIENT_ID>"),
        (&["--network", "n_1"], "write NAME:CLIENT_ID"),
        (&["--network", ":client"], "write NAME:CLIENT_ID"),
        (&["--network", "n_1:c", "--client-secret-file", "n_1"], "write NAME=PATH"),
        (&["--network", "n_1:c", "--listen", "here"], "invalid socket address"),
        (&["--network", "n_1:c", "--habits", "{\"listOrder\": \"none\"}"], "unknown variant"),
        (&["--network", "n_1:c", "--retry-divisor", "0"], "0 is not in 1.."),
        (&["--port", "80"], "unexpected argument '--port'"),
    ];
    for (arguments, complaint) in table {
        let text = refused(&command(arguments).output().unwrap(), 2);
        assert!(text.starts_with("error: ") && text.contains(complaint), "{arguments:?}: {text}");
    }
}

/// The one sentence that ends a program which could not start.
fn sentence(output: &Output) -> String {
    let text = refused(output, 1);
    assert_eq!(text.lines().count(), 1, "one sentence, not: {text}");
    text
}

#[test]
fn bad_input_gives_one_sentence() {
    let empty = secret_file("\n");
    let empty = format!("n_1={}", empty.path().display());
    let table: [(&[&str], &str); 4] = [
        (&["--network", "n-1:client"], "set SIMULATOR_CLIENT_SECRET_N_1"),
        (&["--network", "n_1:c", "--client-secret-file", "n_2=/x"], "no --network n_2:CLIENT_ID"),
        (&["--network", "n_1:c", "--client-secret-file", "n_1=/does/not/exist"], "/does/not/exist cannot"),
        (&["--network", "n_1:c", "--client-secret-file", &empty], "is empty"),
    ];
    for (arguments, complaint) in table {
        let text = sentence(&command(arguments).output().unwrap());
        assert!(text.contains(complaint), "{arguments:?}: {text}");
    }
    let mut twice = command(&["--network", "n_1:a", "--network", "n_1:b"]);
    let text = sentence(&twice.env("SIMULATOR_CLIENT_SECRET_N_1", "s").output().unwrap());
    assert!(text.contains("named twice"), "{text}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut busy = command(&["--network", "n_1:a", "--listen", &address]);
    let text = sentence(&busy.env("SIMULATOR_CLIENT_SECRET_N_1", "s").output().unwrap());
    assert!(text.contains(&format!("cannot listen at {address}")), "{text}");
}

#[tokio::test]
async fn it_tells_where_it_listens_and_stops_when_told() {
    let token = secret_file("file-token\n");
    let token = format!("n_1={}", token.path().display());
    let mut program = command(&[
        "--network",
        "n_1:client-1",
        "--bearer-token-file",
        &token,
        "--listen-tls",
        "127.0.0.1:0",
        "--habits",
        "{\"createStatus\": \"ok\"}",
        "--clock-skew",
        "-60",
    ]);
    program.env("SIMULATOR_CLIENT_SECRET_N_1", "secret-from-environment").stdout(Stdio::piped());
    let mut running = Running(program.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.contains("file-token") && !line.contains("secret-from"), "{line}");
    let ready: Value = serde_json::from_str(&line).unwrap();
    let url = |value: &Value| value.as_str().unwrap().to_owned();
    assert!(url(&ready["https"]["caPem"]).starts_with("-----BEGIN CERTIFICATE-----"));

    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let client = Client { http, base: url(&ready["baseUrl"]), token: "file-token".to_owned() };
    assert_eq!(client.create("https://example.com/hook").await.unwrap().status, StatusCode::OK);
    let body = serde_json::json!({
        "client_id": "client-1", "client_secret": "secret-from-environment",
        "audience": "https://api.lynkwell.com", "grant_type": "client_credentials",
    });
    let token = client.http.post(url(&ready["tokenUrl"])).json(&body).send().await.unwrap();
    assert_eq!(token.status(), StatusCode::OK);
    let ledger = client.http.get(format!("{}/ledger", url(&ready["adminUrl"]))).send().await.unwrap();
    assert_eq!(ledger.json::<Value>().await.unwrap().as_array().unwrap().len(), 2);

    let id = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(running.0.wait().unwrap().success());
    assert!(client.list("").await.unwrap_err().is_connect());
}
