//! Where the binaries come from: the user's folder, the cache, a build, a download.

#![expect(clippy::unwrap_used, reason = "what fails in a test should panic")]

mod support;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use controlplane::Stop;
use controlplane::binaries::{Binaries, BinariesError, DownloadError, Sources, ensure, find};
use controlplane::version::{Binary, ETCD_VERSION, KUBERNETES_VERSION, Platform};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use support::{eventually, file_server, processes_with, script, write};
use tempfile::TempDir;

const KUBERNETES: [Binary; 3] = [Binary::KubeApiserver, Binary::KubeControllerManager, Binary::Kubectl];

/// A machine with neither Go nor a release server; each test adds what it is about.
fn bare(folder: &TempDir) -> Sources {
    Sources {
        assets: None,
        cache: folder.path().join("cache"),
        go_modules: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        go: OsString::from("/nowhere/go"),
        tether: None,
        kubernetes_releases: "http://127.0.0.1:1".to_owned(),
        etcd_releases: "http://127.0.0.1:1".to_owned(),
    }
}

/// The machine above with a release server on loopback, which holds good releases.
fn with_releases(folder: &TempDir) -> Sources {
    let releases = folder.path().join("releases");
    publish_kubernetes(&releases);
    publish_etcd(&releases);
    let url = file_server(&releases);
    Sources {
        kubernetes_releases: format!("{url}/kubernetes"),
        etcd_releases: format!("{url}/etcd"),
        ..bare(folder)
    }
}

fn kubernetes_file(releases: &Path, name: &str) -> PathBuf {
    let Platform { os, arch } = Platform::current();
    releases.join(format!("kubernetes/v{KUBERNETES_VERSION}/bin/{os}/{arch}/{name}"))
}

fn publish_kubernetes(releases: &Path) {
    for binary in KUBERNETES {
        let content = format!("the {binary} of the release");
        let path = kubernetes_file(releases, binary.name());
        write(path.with_added_extension("sha256"), sha256(content.as_bytes()));
        write(path, content);
    }
}

fn etcd_file(releases: &Path, name: &str) -> PathBuf {
    releases.join(format!("etcd/v{ETCD_VERSION}/{name}"))
}

fn publish_etcd(releases: &Path) {
    let stem = format!("etcd-v{ETCD_VERSION}-{}", Platform::current());
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for name in ["README.md", "etcd", "etcdctl"] {
        let content = format!("the {name} of the release");
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, format!("{stem}/{name}"), content.as_bytes()).unwrap();
    }
    let archive = archive.into_inner().unwrap().finish().unwrap();
    let sums = format!("{}  other.zip\n{}  {stem}.tar.gz\n", "0".repeat(64), sha256(&archive));
    write(etcd_file(releases, "SHA256SUMS"), sums);
    write(etcd_file(releases, &format!("{stem}.tar.gz")), archive);
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |sum, byte| format!("{sum}{byte:02x}"))
}

/// A `go` that counts its builds in `<folder>/builds`, and takes a moment for each.
fn fake_go(folder: &TempDir) -> OsString {
    let builds = folder.path().join("builds");
    let content = format!(
        r#"
        [ "$1" = build ] || exit 0
        echo build >> {}
        while [ "$1" != -o ]; do shift; done
        sleep 0.3
        case "$2" in
        */) for package in "$3" "$4" "$5"; do [ -z "$package" ] || echo built > "$2${{package##*/}}"; done ;;
        *) echo built > "$2" ;;
        esac
        "#,
        builds.display()
    );
    script(folder.path().join("bin/go"), &content).into()
}

fn builds(folder: &TempDir) -> usize {
    fs::read_to_string(folder.path().join("builds")).unwrap_or_default().lines().count()
}

fn content(binaries: &Binaries) -> Vec<String> {
    binaries.all().map(|(_, path)| fs::read_to_string(path).unwrap().trim().to_owned()).into()
}

#[test]
fn a_release_is_downloaded_and_cached() {
    let folder = tempfile::tempdir().unwrap();
    let sources = with_releases(&folder);
    let binaries = ensure(&sources, &Stop::new()).unwrap();
    assert_eq!(
        content(&binaries),
        [
            "the etcd of the release",
            "the kube-apiserver of the release",
            "the kube-controller-manager of the release",
            "the kubectl of the release"
        ]
    );
    for (_, path) in binaries.all() {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o755);
    }
    fs::remove_dir_all(folder.path().join("releases")).unwrap();
    assert_eq!(ensure(&sources, &Stop::new()).unwrap(), binaries, "the second time, the cache serves");
}

#[test]
fn a_binary_that_does_not_match_its_checksum_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sources = with_releases(&folder);
    write(kubernetes_file(&folder.path().join("releases"), "kubectl"), "something else");
    let error = ensure(&sources, &Stop::new()).unwrap_err();
    assert!(
        matches!(&error, BinariesError::Unavailable { download: DownloadError::Checksum { url, .. }, .. }
            if url.ends_with("/kubectl")),
        "{error}"
    );
    assert!(find(&sources).is_empty(), "nothing of a release that was refused is kept");
}

#[test]
fn an_archive_that_does_not_match_its_checksum_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sources = with_releases(&folder);
    let archive = format!("etcd-v{ETCD_VERSION}-{}.tar.gz", Platform::current());
    write(etcd_file(&folder.path().join("releases"), &archive), "something else");
    let error = ensure(&sources, &Stop::new()).unwrap_err();
    assert!(
        matches!(&error, BinariesError::Unavailable { download: DownloadError::Checksum { .. }, .. }),
        "{error}"
    );
    assert!(!find(&sources).contains_key(&Binary::Etcd));
}

#[test]
fn without_go_and_without_the_release_one_sentence_says_both() {
    let folder = tempfile::tempdir().unwrap();
    let sources = with_releases(&folder);
    fs::remove_dir_all(folder.path().join("releases/kubernetes")).unwrap();
    let error = ensure(&sources, &Stop::new()).unwrap_err().to_string();
    let url = format!(
        "{}/v{KUBERNETES_VERSION}/bin/{}/kube-apiserver.sha256",
        sources.kubernetes_releases,
        Platform::current().to_string().replace('-', "/")
    );
    assert_eq!(
        error,
        format!(
            "kubernetes {KUBERNETES_VERSION} is needed and can't be had: there is no Go here to build it (No such \
             file or directory (os error 2)), and downloading {url} failed (http status: 404); install Go 1.26 or \
             newer, or set KUBEBUILDER_ASSETS to a folder with the binaries"
        )
    );
    assert!(find(&sources).is_empty());
}

#[test]
fn a_release_without_a_checksum_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sources = with_releases(&folder);
    write(kubernetes_file(&folder.path().join("releases"), "kubectl.sha256"), "<html>Please sign in</html>");
    let error = ensure(&sources, &Stop::new()).unwrap_err();
    assert!(
        matches!(&error, BinariesError::Unavailable { download: DownloadError::NoChecksum { .. }, .. }),
        "{error}"
    );
}

#[test]
fn a_broken_build_falls_back_to_the_download() {
    let folder = tempfile::tempdir().unwrap();
    let go = script(folder.path().join("bin/go"), "echo 'go: no route to the proxy' >&2; exit 1");
    let sources = Sources { go: go.into(), ..with_releases(&folder) };
    let binaries = ensure(&sources, &Stop::new()).unwrap();
    assert_eq!(fs::read_to_string(&binaries.kubectl).unwrap(), "the kubectl of the release");
}

#[test]
fn what_the_users_folder_lacks_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let assets = folder.path().join("assets");
    for name in ["etcd", "kube-apiserver", "kubectl"] {
        write(assets.join(name), "the user's");
    }
    let sources = Sources { assets: Some(assets), go: fake_go(&folder), ..bare(&folder) };
    let binaries = ensure(&sources, &Stop::new()).unwrap();
    assert_eq!(content(&binaries), ["the user's", "the user's", "built", "the user's"]);
    assert_eq!(builds(&folder), 1);
}

#[test]
fn two_at_once_build_once() {
    let folder = tempfile::tempdir().unwrap();
    let sources = Sources { go: fake_go(&folder), ..bare(&folder) };
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| ensure(&sources, &Stop::new()).unwrap());
        let other = scope.spawn(|| ensure(&sources, &Stop::new()).unwrap());
        (one.join().unwrap(), other.join().unwrap())
    });
    assert_eq!(one, other);
    assert_eq!(content(&one), ["built"; 4]);
    assert_eq!(builds(&folder), 2, "one of each product");
}

#[test]
fn a_killed_build_leaves_nothing_in_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let half = r#"[ "$1" = build ] || exit 0; while [ "$1" != -o ]; do shift; done; echo half > "$2/kubectl"; while :; do sleep 0.1; done"#;
    let go = script(folder.path().join("bin/go"), half);
    let mut process = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .arg("build")
        .env_remove("KUBEBUILDER_ASSETS")
        .env("XDG_CACHE_HOME", folder.path())
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().join("bin").display()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let cache = folder.path().join("webhook-operator/controlplane");
    eventually("half a build", || holds_file(&cache, "kubectl"));
    process.kill().unwrap();
    process.wait().unwrap();
    eventually("the end of its build", || processes_with(&go).is_empty());

    let sources = Sources { cache, go: fake_go(&folder), ..bare(&folder) };
    assert!(find(&sources).is_empty());
    let binaries = ensure(&sources, &Stop::new()).unwrap();
    assert_eq!(content(&binaries), ["built"; 4], "the next one builds it all");
}

#[test]
fn a_stopped_build_ends_its_processes() {
    let folder = tempfile::tempdir().unwrap();
    let started = folder.path().join("started");
    let child = script(folder.path().join("bin/compiler"), "sleep 600");
    let go = script(
        folder.path().join("bin/go"),
        &format!(
            "[ \"$1\" = build ] || exit 0; {child} & touch {started}; wait",
            child = child.display(),
            started = started.display()
        ),
    );
    let sources = Sources { go: go.into(), ..bare(&folder) };
    let stop = Stop::new();
    std::thread::scope(|scope| {
        let build = scope.spawn(|| ensure(&sources, &stop));
        eventually("the build", || started.exists() && !processes_with(&child).is_empty());
        stop.request();
        assert!(matches!(build.join().unwrap(), Err(BinariesError::Stopped)));
    });
    eventually("the end of its compiler", || processes_with(&child).is_empty());
    assert!(find(&sources).is_empty());
}

fn holds_file(folder: &Path, name: &str) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() { holds_file(&path, name) } else { path.ends_with(name) }
    })
}
