//! What `webhook-operator` says to a wrong command line, and to a place it can't work in.

use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::json;

fn operator(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_webhook-operator"));
    command.args(arguments).env_clear();
    command
}

/// A kubeconfig of a cluster that nobody serves.
fn kubeconfig(directory: &std::path::Path) -> std::path::PathBuf {
    let path = directory.join("kubeconfig");
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "test", "user": {"token": "token"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    });
    std::fs::write(&path, config.to_string()).expect("the kubeconfig is written");
    path
}

/// The one line that a failed command says.
fn sentence(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).expect("a text");
    assert!(!output.status.success(), "it succeeded, and said {said:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 1, "one sentence: {said}");
    lines[0].strip_prefix("webhook-operator: ").expect("it says who speaks").to_owned()
}

/// What a wrong command line is told in the first place, before the usage.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).expect("a text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(said.ends_with("try '--help'.\n"), "{said}");
    let (complaint, _) =
        said.strip_prefix("error: ").and_then(|said| said.split_once("\n\n")).expect("a complaint");
    complaint.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_wrong_command_line_is_told_what_is_wrong() {
    for (arguments, expected) in [
        (&["walk"][..], "unrecognized subcommand 'walk'"),
        (&["run", "--fast"], "unexpected argument '--fast' found"),
        (&["run", "now"], "unexpected argument 'now' found"),
        (
            &["run", "--health-address", "8080"],
            "invalid value '8080' for '--health-address <HEALTH_ADDRESS>': expected an IP address and a port, e.g. \
             0.0.0.0:8080 or [::]:8080",
        ),
        (
            &["run", "--create-settling-time", "1 minute"],
            "invalid value '1 minute' for '--create-settling-time <CREATE_SETTLING_TIME>': expected a duration, e.g. \
             60s or 1m30s",
        ),
        (
            &["run", "--create-settling-time=-5s"],
            "invalid value '-5s' for '--create-settling-time <CREATE_SETTLING_TIME>': expected a duration, e.g. 60s \
             or 1m30s",
        ),
        // Case 01: it ended in a panic.
        (
            &["run", "--create-settling-time", "9999999999999999h"],
            "invalid value '9999999999999999h' for '--create-settling-time <CREATE_SETTLING_TIME>': expected a \
             duration of at most 87600h, which is ten years",
        ),
        (
            &["run", "--log-filter", "webhook_operator=loud"],
            "invalid value 'webhook_operator=loud' for '--log-filter <LOG_FILTER>': expected levels, e.g. info or \
             warn,webhook_operator=debug",
        ),
        (
            &["run", "--log-format", "xml"],
            "invalid value 'xml' for '--log-format <LOG_FORMAT>' [possible values: text, json]",
        ),
        (
            &["run", "--allow-address", "example.com"],
            "invalid value 'example.com' for '--allow-address <CIDR>': expected an IP address or a range, e.g. \
             10.1.2.0/24",
        ),
        (
            &["run", "--concurrency", "0"],
            "invalid value '0' for '--concurrency <CONCURRENCY>': 0 is not in 1..=1000",
        ),
        (
            &["run", "--selector", "region in eu"],
            "invalid value 'region in eu' for '--selector <SELECTOR>': expected a label selector, e.g. region=eu, \
             !test or tier in (a, b)",
        ),
        (&["run", "--selector"], "a value is required for '--selector <SELECTOR>' but none was supplied"),
        (&["crds", "--all"], "unexpected argument '--all' found"),
    ] {
        let output = operator(arguments).output().expect("the operator runs");
        assert_eq!(complaint(&output), expected, "{arguments:?}");
    }
}

#[test]
fn without_a_command_it_lists_what_there_is() {
    let output = operator(&[]).output().expect("the operator runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    for part in ["Usage: webhook-operator <COMMAND>", "\n  run ", "\n  crds "] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_wrong_setting_in_the_environment_is_told_alike() {
    let output = operator(&["run"]).env("HEALTH_ADDRESS", "here").output().expect("the operator runs");
    let said = complaint(&output);
    assert!(
        said.starts_with("invalid value 'here' for '--health-address <HEALTH_ADDRESS>': expected"),
        "{said}"
    );
}

#[test]
fn help_and_version_are_answers() {
    for arguments in [&["--help"][..], &["help"], &["run", "--help"], &["--version"]] {
        let output = operator(arguments).output().expect("the operator runs");
        assert!(output.status.success(), "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn without_a_cluster_it_says_where_it_looked() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name| directory.path().join(name);
    std::fs::write(path("garbled"), "clusters: [").expect("a file");
    for (name, why) in
        [("missing", "failed to read kubeconfig from"), ("garbled", "failed to parse kubeconfig YAML")]
    {
        let output = operator(&["run"]).env("KUBECONFIG", path(name)).output().expect("the operator runs");
        let said = sentence(&output);
        assert!(said.starts_with(&format!("found no Kubernetes cluster to work with: {why}")), "{said}");
        assert!(
            said.ends_with(
                "; set KUBECONFIG to the path of a kubeconfig, or run in a Pod with a ServiceAccount"
            ),
            "{said}"
        );
    }
}

#[test]
fn a_taken_health_port_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let output = operator(&["run", "--health-address", &address, "--log-filter", "off"])
        .env("KUBECONFIG", kubeconfig(directory.path()))
        .output()
        .expect("the operator runs");
    let said = sentence(&output);
    assert!(
        said.starts_with(&format!("can't listen on {address} for health checks: "))
            && said.ends_with("choose another --health-address"),
        "{said}"
    );
}
