//! A real control plane: it works, and it ends with its owner, whatever ends the owner.

#![expect(clippy::unwrap_used, reason = "what fails in a test should panic")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use controlplane::{ControlPlane, Info, Options, SHARED_VARIABLE, StartError, Stop};
use rustix::process::{Pid, Signal, kill_process};
use support::{eventually, processes_with, script};

/// Tells the process of [`owner`] what to do.
const OWNER: &str = "CONTROLPLANE_TEST_OWNER";

fn start() -> ControlPlane {
    let program = Some(PathBuf::from(env!("CARGO_BIN_EXE_controlplane")));
    ControlPlane::start(&Options { program, ..Options::default() }).unwrap()
}

fn kubectl(control_plane: &ControlPlane, arguments: &[&str]) -> String {
    let output = control_plane.kubectl_command().args(arguments).output().unwrap();
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn assert_all_gone(state_dir: &Path) {
    eventually("the end of every process", || processes_with(state_dir).is_empty());
}

#[test]
fn it_serves_records_and_cleans_up() {
    let control_plane = start();
    assert_eq!(kubectl(&control_plane, &["get", "--raw", "/readyz"]), "ok");

    kubectl(&control_plane, &["create", "namespace", "story"]);
    kubectl(&control_plane, &["-n", "story", "create", "configmap", "note", "--from-literal=a=b"]);
    let audit = std::fs::read_to_string(control_plane.audit_log()).unwrap();
    let created = audit
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .find(|event| event["verb"] == "create" && event["objectRef"]["name"] == "note")
        .expect("the audit log should hold the creation");
    assert_eq!(created["stage"], "ResponseComplete");
    assert_eq!(created["level"], "Metadata");
    assert_eq!(created["user"]["username"], "admin");
    assert_eq!(created["objectRef"]["namespace"], "story");
    assert_eq!(created["responseStatus"]["code"], 201);

    // Waits until the namespace controller has emptied and removed it.
    kubectl(&control_plane, &["delete", "namespace", "story", "--timeout=60s"]);

    let state_dir = control_plane.info().state_dir.clone();
    for name in ["admin.kubeconfig", "server.key", "service-account.key", "controller-manager.kubeconfig"] {
        let mode = std::fs::metadata(state_dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(control_plane);
    assert_eq!(processes_with(&state_dir), Vec::<String>::new());
    assert!(!state_dir.exists(), "a temporary folder is removed");
}

#[test]
fn service_accounts_have_the_rights_they_are_given_and_no_more() {
    let control_plane = start();
    let token = kubectl(&control_plane, &["create", "token", "default"]);
    let ask = |path: &str| {
        // A kubeconfig without the administrator's certificate, which would win over the token.
        let output = Command::new(control_plane.kubectl())
            .args(["--kubeconfig=/dev/null", "--server", control_plane.server(), "--token", token.trim()])
            .arg("--certificate-authority")
            .arg(&control_plane.info().ca_file)
            .args(["get", "--raw", path])
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (allowed, message) = ask("/api/v1/namespaces/default/configmaps");
    assert!(!allowed);
    assert!(message.contains("system:serviceaccount:default:default"), "{message}");
    kubectl(
        &control_plane,
        &["create", "rolebinding", "view", "--clusterrole=view", "--serviceaccount=default:default"],
    );
    eventually("the new right", || ask("/api/v1/namespaces/default/configmaps").0);
}

#[test]
fn kinds_that_were_applied_at_the_start_are_garbage_collected() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("widgets.yaml");
    std::fs::write(&manifest, include_str!("widgets.yaml")).unwrap();
    let control_plane = ControlPlane::start(&Options {
        program: Some(PathBuf::from(env!("CARGO_BIN_EXE_controlplane"))),
        state_dir: None,
        manifests: vec![manifest],
    })
    .unwrap();
    let widget = r#"{"apiVersion":"example.dev/v1","kind":"Widget","metadata":{"name":"owner"}}"#;
    apply(&control_plane, widget);
    let uid = kubectl(&control_plane, &["get", "widget", "owner", "-o", "jsonpath={.metadata.uid}"]);
    let secret = format!(
        r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"owned","ownerReferences":[{{"apiVersion":
        "example.dev/v1","kind":"Widget","name":"owner","uid":"{uid}"}}]}}}}"#
    );
    apply(&control_plane, &secret);
    kubectl(&control_plane, &["delete", "widget", "owner"]);
    kubectl(&control_plane, &["wait", "--for=delete", "secret/owned", "--timeout=20s"]);
}

fn apply(control_plane: &ControlPlane, manifest: &str) {
    let mut process = control_plane
        .kubectl_command()
        .args(["create", "--filename=-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
    assert!(process.wait().unwrap().success());
}

#[test]
fn an_owner_learns_why_it_did_not_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("diary"), "").unwrap();
    let error = ControlPlane::start(&Options {
        program: Some(PathBuf::from(env!("CARGO_BIN_EXE_controlplane"))),
        state_dir: Some(folder.path().to_owned()),
        ..Options::default()
    })
    .unwrap_err();
    let path = folder.path().canonicalize().unwrap();
    assert_eq!(
        error.to_string(),
        format!("the state directory {} is not empty; name a new or an empty one", path.display())
    );
}

#[test]
fn a_start_that_is_given_up_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let started = folder.path().join("started");
    let content = format!("touch {}; while read line; do :; done", started.display());
    let program = script(folder.path().join("controlplane"), &content);
    let stop = Stop::new();
    let asked = stop.clone();
    let person = std::thread::spawn(move || {
        eventually("the start", || started.exists());
        asked.request();
    });
    let options = Options { program: Some(program), ..Options::default() };
    let error = ControlPlane::start_unless(&stop, &options).unwrap_err();
    assert!(matches!(error, StartError::Stopped), "{error}");
    person.join().unwrap();
    assert_eq!(processes_with(folder.path()), Vec::<String>::new());
}

#[test]
fn a_refused_manifest_is_an_error_that_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("nonsense.yaml");
    std::fs::write(&manifest, "apiVersion: example.dev/v1\nkind: Nonsense\nmetadata: {name: it}\n").unwrap();
    let state_dir = folder.path().join("state");
    let error = ControlPlane::start(&Options {
        program: Some(PathBuf::from(env!("CARGO_BIN_EXE_controlplane"))),
        state_dir: Some(state_dir.clone()),
        manifests: vec![manifest.clone()],
    })
    .unwrap_err()
    .to_string();
    assert!(error.starts_with(&format!("kubectl could not apply {}: ", manifest.display())), "{error}");
    assert!(error.contains(r#"no matches for kind "Nonsense""#), "{error}");
    assert_eq!(processes_with(&state_dir), Vec::<String>::new());
}

#[test]
fn it_ends_with_a_killed_owner() {
    let (mut owner, info) = start_owner("wait");
    assert!(processes_with(&info.state_dir).len() >= 3);
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_all_gone(&info.state_dir);
    eventually("the removal of its folder", || !info.state_dir.exists());
}

#[test]
fn it_ends_with_a_panicking_owner() {
    let (mut owner, info) = start_owner("panic");
    assert!(!owner.wait().unwrap().success());
    assert_all_gone(&info.state_dir);
    eventually("the removal of its folder", || !info.state_dir.exists());
}

#[test]
fn a_killed_control_plane_leaves_no_process() {
    let (mut process, info) = run();
    process.kill().unwrap();
    process.wait().unwrap();
    assert_all_gone(&info.state_dir);
    std::fs::remove_dir_all(&info.state_dir).unwrap();
}

#[test]
fn a_terminated_control_plane_cleans_up() {
    let (mut process, info) = run();
    let pid = Pid::from_child(&process);
    kill_process(pid, Signal::TERM).unwrap();
    assert!(process.wait().unwrap().success());
    assert_eq!(processes_with(&info.state_dir), Vec::<String>::new());
    assert!(!info.state_dir.exists());
}

#[test]
fn a_dead_component_ends_it_with_the_end_of_its_log() {
    let (mut process, info) = run();
    let data = info.state_dir.join("etcd");
    let etcd = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .find(|entry| {
            std::fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(data.to_str().unwrap()))
        })
        .and_then(|entry| entry.file_name().to_str()?.parse().ok())
        .and_then(Pid::from_raw)
        .unwrap();
    kill_process(etcd, Signal::KILL).unwrap();
    let mut stderr = String::new();
    std::io::Read::read_to_string(&mut process.stderr.take().unwrap(), &mut stderr).unwrap();
    assert!(!process.wait().unwrap().success());
    assert!(
        stderr.contains("etcd ended unexpectedly (signal: 9 (SIGKILL)); its log ended with:\n{"),
        "{stderr}"
    );
    assert_all_gone(&info.state_dir);
}

/// `controlplane run` as a shell would start it, ready.
fn run() -> (Child, Info) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .arg("run")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (process, serde_json::from_str(&line).unwrap())
}

/// A test process that owns a control plane.
fn start_owner(what: &str) -> (Child, Info) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "owner", "--ignored", "--nocapture"])
        .env(OWNER, what)
        .env_remove(SHARED_VARIABLE)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let info = BufReader::new(process.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find_map(|line| serde_json::from_str(&line).ok())
        .unwrap();
    (process, info)
}

#[test]
#[ignore = "a process that the tests above start and end"]
fn owner() {
    let control_plane = ControlPlane::shared().unwrap();
    let info = serde_json::to_string(control_plane.info()).unwrap();
    writeln!(std::io::stdout(), "\n{info}").unwrap();
    match std::env::var(OWNER).as_deref() {
        Ok("panic") => panic!("as a failing test does"),
        Ok("wait") => loop {
            std::thread::park();
        },
        other => panic!("{OWNER} should say what to do, not {other:?}"),
    }
}
