//! `cargo xtask image`, as a person runs it: what it makes of the operator runs where there is nothing else.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![expect(clippy::unwrap_used, reason = "what fails in a test should panic")]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;

/// How long the operator may take until it calls the API server.
const LIMIT: Duration = Duration::from_mins(1);

/// Who answers questions for addresses, at the port of DNS.
const NAMESERVER: Ipv4Addr = Ipv4Addr::new(127, 53, 0, 1);

#[test]
fn an_image_of_the_operator_runs_where_there_is_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (said, archive) = image(&folder.path().join("first"));
    let (_, again) = image(&folder.path().join("second"));
    assert!(archive == again, "two builds differ");
    let image = Image::unpack(&archive, folder.path().join("root"));
    for told in [&*image.digest, "kind load image-archive ", "ctr ", "skopeo copy oci-archive:"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    no_path_of_this_machine(&fs::read(image.root.join("webhook-operator")).unwrap());
    names_what_is_linked(&fs::read(folder.path().join("first/webhook-operator-0.1.0.cdx.json")).unwrap());

    let Some(enclose) = Enclose::find() else {
        // Not `eprintln!`, of which nobody would see anything.
        let _ = writeln!(
            io::stderr(),
            "SKIPPED: the image was not run, as neither chroot nor unshare is permitted"
        );
        return;
    };
    let version = image.run(&enclose, &["--version"]);
    assert_eq!(text(&version.stdout), "webhook-operator 0.1.0\n", "{version:?}");
    let outcome = image.run(&enclose, &image.words("Cmd"));
    let complaint = text(&outcome.stderr);
    assert!(
        complaint.starts_with("webhook-operator: found no Kubernetes cluster to work with: "),
        "{complaint}"
    );
    assert_eq!(outcome.status.code(), Some(1));
    finds_the_api_server_by_name(&image, &enclose);
}

/// Makes an image in `out`; what is said, and the archive.
fn image(out: &Path) -> (String, Vec<u8>) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["image", "--profile", "dev", "--out"])
        .arg(out)
        .env_remove("SOURCE_DATE_EPOCH")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    (text(&output.stdout), fs::read(out.join("webhook-operator-0.1.0.tar")).unwrap())
}

fn no_path_of_this_machine(program: &[u8]) {
    let program = String::from_utf8_lossy(program);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_str().unwrap();
    let found = program.match_indices(repository).map(|(at, _)| &program[at..]);
    let found: Vec<_> = found.map(|rest| rest.split('\0').next()).collect();
    assert!(found.is_empty(), "{found:?}");
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map_or_else(|| std::env::home_dir().unwrap().join(".cargo"), PathBuf::from);
    for (at, _) in program.match_indices(&format!("{}/", cargo_home.display())) {
        let path = program[at..].split('\0').next().unwrap();
        // aws-lc hides the paths of its C sources in optimized builds, and not in this one.
        assert!(path.contains("/aws-lc-sys-"), "{path}");
    }
}

fn names_what_is_linked(sbom: &[u8]) {
    let sbom: Value = serde_json::from_slice(sbom).unwrap();
    let components = sbom["components"].as_array().unwrap();
    let word = |component: &Value, key: &str| component[key].as_str().unwrap().to_owned();
    let components: BTreeMap<String, String> =
        components.iter().map(|component| (word(component, "name"), word(component, "version"))).collect();
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock")).unwrap();
    for linked in ["tokio", "kube", "rustls", "aws-lc-sys"] {
        let version = &components[linked];
        assert!(
            lock.contains(&format!("name = \"{linked}\"\nversion = \"{version}\"\n")),
            "{linked} {version}"
        );
    }
    // Those that tests, macros, build scripts, and other programs use.
    for other in ["criterion", "simulator", "serde_derive", "syn", "cc", "oci-spec", "webhook-operator"] {
        assert_eq!(components.get(other), None, "{other}");
    }
}

/// An unpacked image.
struct Image {
    digest: String,
    /// How it says that it is run.
    config: Value,
    /// The folder with its files.
    root: PathBuf,
}

impl Image {
    fn unpack(archive: &[u8], root: PathBuf) -> Self {
        let blobs = files_of(archive);
        let json = |path: &str| serde_json::from_slice::<Value>(&blobs[path]).unwrap();
        let blob = |descriptor: &Value| {
            format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"))
        };
        let described = json("index.json")["manifests"][0].take();
        let manifest = json(&blob(&described));
        let config = json(&blob(&manifest["config"]))["config"].take();
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        let mut layer = tar::Archive::new(GzDecoder::new(&*blobs[&blob(&manifest["layers"][0])]));
        layer.set_preserve_permissions(true);
        layer.unpack(&root).unwrap();
        Self { digest: described["digest"].as_str().unwrap().to_owned(), config, root }
    }

    fn words(&self, key: &str) -> Vec<&str> {
        self.config[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
    }

    /// Its entry point with these arguments, with its files and its environment only.
    fn command(&self, enclose: &Enclose, arguments: &[&str]) -> Command {
        let mut command = enclose.command(&self.root, self.config["User"].as_str().unwrap());
        let environment = self.words("Env").into_iter().map(|variable| variable.split_once('=').unwrap());
        command.args(self.words("Entrypoint")).args(arguments).envs(environment).stdin(Stdio::null());
        command
    }

    fn run(&self, enclose: &Enclose, arguments: &[&str]) -> Output {
        self.command(enclose, arguments).output().unwrap()
    }
}

fn files_of(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let files = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    });
    files.collect()
}

/// How a program is run for which a folder is all there is.
enum Enclose {
    /// By root.
    Chroot,
    /// By somebody who may be root in a namespace of his own.
    Unshare,
}

impl Enclose {
    /// What this process may do.
    fn find() -> Option<Self> {
        [Self::Chroot, Self::Unshare].into_iter().find(|enclose| {
            let output = enclose.command(Path::new("/"), "65532:65532").arg("/bin/true").output();
            output.is_ok_and(|output| output.status.success())
        })
    }

    fn command(&self, root: &Path, user: &str) -> Command {
        let mut command = match self {
            Self::Chroot => Command::new("chroot"),
            Self::Unshare => Command::new("unshare"),
        };
        match self {
            Self::Chroot => command.arg(format!("--userspec={user}")),
            // There is no other user in such a namespace.
            Self::Unshare => command.args(["--map-root-user", "chroot"]),
        };
        command.arg(root).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }
}

/// glibc is said to need libraries of its own for this at run time.
fn finds_the_api_server_by_name(image: &Image, enclose: &Enclose) {
    fs::write(image.root.join("etc/hosts"), "127.0.0.1 in-file.test\n").unwrap();
    assert!(calls(image, enclose, "in-file.test"), "no call of in-file.test");
    match UdpSocket::bind((NAMESERVER, 53)) {
        Ok(socket) => {
            std::thread::spawn(move || answer_questions(&socket));
            fs::write(image.root.join("etc/resolv.conf"), format!("nameserver {NAMESERVER}\n")).unwrap();
            assert!(calls(image, enclose, "in-dns.test"), "no call of in-dns.test");
        }
        Err(error) => {
            let _ = writeln!(
                io::stderr(),
                "SKIPPED: no name was looked up in DNS, as port 53 can't be had: {error}"
            );
        }
    }
}

/// Whether the operator calls an API server of this name.
fn calls(image: &Image, enclose: &Enclose, name: &str) -> bool {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let kubeconfig = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
        "clusters": [{ "name": "c", "cluster": { "server": format!("http://{name}:{port}") } }],
        "users": [{ "name": "u", "user": {} }],
    });
    fs::write(image.root.join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let (sender, accepted) = mpsc::channel();
    std::thread::spawn(move || sender.send(listener.accept().is_ok()));
    let mut command = image.command(enclose, &["run", "--health-address", "127.0.0.1:0"]);
    let child = command.env("KUBECONFIG", "/kubeconfig").stderr(Stdio::null()).spawn().unwrap();
    let _running = Running(child);
    accepted.recv_timeout(LIMIT).unwrap_or_default()
}

/// Says that each name has the address 127.0.0.1, and no other.
fn answer_questions(socket: &UdpSocket) {
    let mut buffer = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        // The header takes 12 bytes; then a name that a 0 ends, its type and its class (RFC 1035, section 4.1).
        let Some(end) = buffer[12..length].iter().position(|byte| *byte == 0).map(|at| 12 + at + 5) else {
            continue;
        };
        let is_v4 = buffer[end - 4..end] == [0, 1, 0, 1];
        let mut answer = buffer[..2].to_vec();
        answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
        answer.extend(&buffer[12..end]);
        if is_v4 {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
        }
        let _ = socket.send_to(&answer, from);
    }
}

/// A process that ends with the test, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
