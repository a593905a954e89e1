//! `cargo xtask demo`, as a person runs it: it tells the whole story, it can be interrupted at any moment, and
//! nothing of it is left afterwards.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what fails in a test should panic")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything may take; the machine may be busy, and may have to build the operator first.
const LIMIT: Duration = Duration::from_mins(10);

/// A running demo. Everything that it starts inherits a folder for temporary files that no other process has.
struct Demo {
    process: Running,
    lines: Receiver<String>,
    seen: Vec<String>,
    temporary: TempDir,
}

/// A process that ends with the test, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let temporary = tempfile::Builder::new().prefix("demo-test-").tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process: Running(process), lines, seen: Vec::new(), temporary }
    }

    /// Reads until a line that contains `text`.
    fn until(&mut self, text: &str) {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.seen.push(line);
                    if found {
                        return;
                    }
                }
                Err(error) => {
                    let mut said = String::new();
                    if self.process.0.try_wait().unwrap().is_some() {
                        self.process.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                    }
                    panic!("{text:?} was not shown ({error}), but:\n{}\n{said}", self.seen.join("\n"));
                }
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.0), signal).unwrap();
    }

    /// Waits for the end.
    fn end(mut self) -> Ended {
        let mut stderr = String::new();
        self.process.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.process.0.wait().unwrap();
        self.seen.extend(self.lines.iter());
        Ended { status, stderr, stdout: self.seen, temporary: self.temporary }
    }
}

struct Ended {
    status: ExitStatus,
    stderr: String,
    stdout: Vec<String>,
    temporary: TempDir,
}

impl Ended {
    fn assert_nothing_is_left(&self) {
        assert_eq!(left(self.temporary.path()), Left::default());
    }
}

/// What is left of a demo.
#[derive(Debug, Default, PartialEq)]
struct Left {
    files: Vec<PathBuf>,
    processes: Vec<String>,
}

fn left(temporary: &Path) -> Left {
    let variable = format!("TMPDIR={}", temporary.display());
    let has_it =
        |environment: Vec<u8>| environment.split(|byte| *byte == 0).any(|pair| pair == variable.as_bytes());
    let processes = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|process| fs::read(process.path().join("environ")).is_ok_and(has_it))
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect();
    Left { files: fs::read_dir(temporary).unwrap().map(|file| file.unwrap().path()).collect(), processes }
}

#[test]
fn two_at_once_tell_the_whole_story() {
    let demos = [Demo::start(&[]), Demo::start(&[])];
    for demo in demos {
        let ended = demo.end();
        let shown = ended.stdout.join("\n");
        assert!(ended.status.success(), "{shown}\n{}", ended.stderr);
        for line in [
            "10. Delete the endpoint",
            "it took 1 remote write, and in Kubernetes 3 writes and 1 Event (ledger and audit log)",
            "Done, in ",
            "5 verified, 1 forged one refused",
        ] {
            assert!(shown.contains(line), "{line:?} is missing in:\n{shown}");
        }
        assert_eq!(shown.matches("   ✓ ").count(), 17, "{shown}");
        assert!(!shown.contains('\u{1b}'), "there is no terminal, and yet:\n{shown}");
        let secret = shown.lines().find(|line| line.contains("whsec_")).unwrap();
        assert_eq!(secret.trim().trim_end_matches('•').len(), "whsec_abc".len(), "the secret is masked");
        ended.assert_nothing_is_left();
    }
}

#[test]
fn it_can_be_interrupted_at_any_moment() {
    for (moment, signal) in [
        ("Starting Kubernetes", Signal::INT),
        ("1. Install", Signal::TERM),
        ("$ KUBECONFIG=operator.kubeconfig", Signal::INT),
        ("kubectl apply -f endpoint.yaml", Signal::INT),
        ("5. Receive", Signal::HUP),
        ("8. Rotate", Signal::INT),
    ] {
        let mut demo = Demo::start(&[]);
        demo.until(moment);
        demo.signal(signal);
        let ended = demo.end();
        assert_eq!(ended.status.code(), Some(1), "at {moment:?}");
        let told = "xtask: interrupted; everything that the demo started is stopped and removed\n";
        assert!(ended.stderr.ends_with(told), "at {moment:?}: {}", ended.stderr);
        ended.assert_nothing_is_left();
    }
}

#[test]
fn nothing_outlives_a_killed_one() {
    let mut demo = Demo::start(&[]);
    demo.until("5. Receive");
    demo.signal(Signal::KILL);
    demo.process.0.wait().unwrap();
    let killed = Instant::now();
    while left(demo.temporary.path()) != Left::default() {
        assert!(killed.elapsed() < Duration::from_mins(1), "{:?}", left(demo.temporary.path()));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_is_kept_can_be_tried_as_it_says() {
    let mut demo = Demo::start(&["--keep"]);
    demo.until("It keeps running until Ctrl-C");
    demo.until("the operator's log");
    let advice = demo.seen.iter().skip_while(|line| !line.contains("It keeps running"));
    let commands: Vec<&str> = advice.filter_map(|line| line.trim().strip_prefix("$ ")).collect();
    let kubectl = demo.seen.iter().find_map(|line| line.trim().strip_prefix("kubectl, if you have none"));
    let bin = Path::new(kubectl.unwrap().trim()).parent().unwrap();
    let [export, apply, get, describe, post] = commands.as_slice() else { panic!("{commands:?}") };

    // A person would look again until it is ready.
    let wait = "kubectl -n billing wait --for=condition=Ready whe/charge-events";
    let cache = tempfile::tempdir().unwrap();
    let shown = Command::new("sh")
        .args(["-e", "-c", &[*export, apply, wait, get, describe].join("\n")])
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("KUBECACHEDIR", cache.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    assert!(text.contains("secret/charge-events"), "{text}");
    assert!(text.contains("is as declared and its secret is stored"), "{text}");

    let words: Vec<&str> = post.split_whitespace().collect();
    let [.., "-d", event, url] = words.as_slice() else { panic!("{post}") };
    assert_eq!(post_json(url, event.trim_matches('\'')), 202, "{post}");
    demo.until("» a delivery");
    demo.until("✓ the signature verifies");

    demo.signal(Signal::INT);
    let ended = demo.end();
    assert!(ended.status.success(), "Ctrl-C is how it ends: {}", ended.stderr);
    ended.assert_nothing_is_left();
}

fn post_json(url: &str, body: &str) -> u16 {
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(request.body(body.to_owned()).send()).unwrap().status().as_u16()
}

#[test]
fn a_wrong_command_line_is_told_what_is_wrong() {
    for (arguments, sentence) in [
        (&["--fast"][..], "unexpected argument '--fast' found"),
        (&["now"], "unexpected argument 'now' found"),
        (&["--keep=yes"], "unexpected value 'yes' for '--keep' found; no more were expected"),
    ] {
        let ended = Demo::start(arguments).end();
        assert_eq!(ended.status.code(), Some(2));
        assert!(ended.stderr.starts_with(&format!("error: {sentence}\n")), "{}", ended.stderr);
        assert!(ended.stdout.is_empty());
    }
}
