//! Runs one control plane until somebody asks to stop.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use certificates::{Authority, Identity, Validity, signing_key};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::binaries::{self, Binaries, BinariesError, Sources};
use crate::components::{self, AUDIT_POLICY, Files};
use crate::files::write_private;
use crate::info::Info;
use crate::kubeconfig::kubeconfig;
use crate::readiness::Probe;
use crate::state_dir::{StateDir, StateDirError};
use crate::stop::Stop;
use crate::supervisor::{Supervisor, SupervisorError};
use crate::version::Binary;

/// How long the API server may take; slow machines with a cold disk need a minute.
const API_SERVER_LIMIT: Duration = Duration::from_mins(2);
/// How long the controllers may take after that.
const CONTROLLERS_LIMIT: Duration = Duration::from_mins(1);
/// How many ports are tried when another process takes the free one first.
const PORT_ATTEMPTS: usize = 5;

/// Why a control plane did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The executables are not there.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// There is no folder for it.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// A component failed.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// The credentials could not be made.
    #[error("making the control plane's certificates failed: {0}")]
    Credentials(#[from] certificates::Error),
    /// The certificates just made are not accepted.
    #[error("no TLS client can be made for the control plane: {0}")]
    Probe(#[from] ureq::Error),
    /// A file or signal operation failed.
    #[error("preparing the control plane failed at {what}: {source}")]
    Io {
        /// What was done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A manifest was refused.
    #[error("kubectl could not apply {path}: {message}")]
    Manifest {
        /// The file or folder.
        path: PathBuf,
        /// What kubectl said.
        message: String,
    },
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::Io { what, source }
}

/// Starts a control plane, prints its [`Info`] as a line of JSON, and runs it until stdin ends or the process
/// gets SIGTERM or SIGINT.
///
/// `manifests` are applied before the controllers start, so that these know the kinds from the beginning.
pub(crate) fn run(state_dir: Option<&Path>, manifests: &[PathBuf]) -> Result<(), RunError> {
    let stop = Stop::new();
    stop_on_signals(&stop)?;
    stop_on_end_of_input(&stop);
    match run_until(&stop, state_dir, manifests) {
        Err(RunError::Binaries(BinariesError::Stopped) | RunError::Supervisor(SupervisorError::Stopped)) => {
            Ok(())
        }
        ended => ended,
    }
}

/// Makes sure that the binaries are there, and says where.
pub(crate) fn build() -> Result<Binaries, RunError> {
    let stop = Stop::new();
    stop_on_signals(&stop)?;
    let shim = std::env::current_exe().map_err(failed("finding this program"))?;
    prepare(shim, &stop)
}

fn prepare(shim: PathBuf, stop: &Stop) -> Result<Binaries, RunError> {
    let sources = Sources { tether: Some(shim), ..Sources::from_env()? };
    Ok(binaries::ensure(&sources, stop)?)
}

fn stop_on_signals(stop: &Stop) -> Result<(), RunError> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed("listening to signals"))?;
    let stop = stop.clone();
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            stop.request();
        }
    });
    Ok(())
}

/// The owner holds the other end of stdin: it ends when the owner does, whatever ends the owner.
fn stop_on_end_of_input(stop: &Stop) {
    let stop = stop.clone();
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        while io::stdin().read(&mut ignored).is_ok_and(|count| count > 0) {}
        stop.request();
    });
}

fn run_until(stop: &Stop, state_dir: Option<&Path>, manifests: &[PathBuf]) -> Result<(), RunError> {
    let shim = std::env::current_exe().map_err(failed("finding this program"))?;
    let binaries = prepare(shim.clone(), stop)?;
    let state_dir = state_dir.map_or_else(StateDir::temporary, StateDir::named)?;
    let files = Files(state_dir.path());
    let keys = Keys::new()?;
    keys.write(&files).map_err(failed("writing the keys"))?;
    link(&binaries, &state_dir.path().join("bin")).map_err(failed("linking the binaries"))?;

    // Declared after the folder, so that the components are gone before it is.
    let mut supervisor =
        Supervisor::new(shim, state_dir.path(), stop.clone()).map_err(failed("making the log folder"))?;
    supervisor.start(Binary::Etcd, &binaries.etcd, &components::etcd(&files))?;
    let server = start_api_server(&mut supervisor, &binaries, &files, &keys)?;
    let info = Info {
        kubeconfig: state_dir.path().join("admin.kubeconfig"),
        audit_log: state_dir.path().join("audit.log"),
        server: server.clone(),
        ca_file: state_dir.path().join("ca.crt"),
        state_dir: state_dir.path().to_owned(),
        bin_dir: state_dir.path().join("bin"),
    };
    keys.write_kubeconfigs(&files, &server).map_err(failed("writing the kubeconfigs"))?;
    for path in manifests {
        apply(&binaries.kubectl, &info.kubeconfig, path)?;
    }
    start_controllers(&mut supervisor, &binaries, &files, &keys, &server)?;
    announce(&info).map_err(failed("writing to stdout"))?;
    Ok(supervisor.supervise()?)
}

/// How clients call the API server, inside a cluster and on this machine.
const SERVER_NAMES: [&str; 6] = [
    "localhost",
    "127.0.0.1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// Everything secret about one control plane.
struct Keys {
    authority: String,
    server: Identity,
    admin: Identity,
    controller_manager: Identity,
    /// The private and the public key that sign and verify tokens of service accounts.
    tokens: (String, String),
}

impl Keys {
    fn new() -> Result<Self, certificates::Error> {
        let authority = Authority::new("controlplane")?;
        Ok(Self {
            authority: authority.pem(),
            server: authority.server("kube-apiserver", &SERVER_NAMES, Validity::Valid)?,
            admin: authority.client("admin", Some("system:masters"))?,
            controller_manager: authority.client("system:kube-controller-manager", None)?,
            tokens: signing_key()?,
        })
    }

    fn write(&self, files: &Files<'_>) -> io::Result<()> {
        for (name, content) in [
            ("ca.crt", self.authority.as_str()),
            ("server.crt", &self.server.certificate),
            ("server.key", &self.server.key),
            ("service-account.key", &self.tokens.0),
            ("service-account.pub", &self.tokens.1),
            ("audit-policy.yaml", AUDIT_POLICY),
        ] {
            write_private(&files.0.join(name), content)?;
        }
        Ok(())
    }

    fn write_kubeconfigs(&self, files: &Files<'_>, server: &str) -> io::Result<()> {
        for (name, user, identity) in [
            ("admin.kubeconfig", "admin", &self.admin),
            ("controller-manager.kubeconfig", "system:kube-controller-manager", &self.controller_manager),
        ] {
            write_private(&files.0.join(name), &kubeconfig(server, &self.authority, user, identity))?;
        }
        Ok(())
    }
}

/// Gathers the binaries, which may come from several folders, in one.
fn link(binaries: &Binaries, folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    for (binary, path) in binaries.all() {
        symlink(path, folder.join(binary.name()))?;
    }
    Ok(())
}

/// Starts the API server on a free port, and returns its URL once it is ready.
fn start_api_server(
    supervisor: &mut Supervisor,
    binaries: &Binaries,
    files: &Files<'_>,
    keys: &Keys,
) -> Result<String, RunError> {
    let mut attempt = 1;
    loop {
        let port = free_port().map_err(failed("finding a free port"))?;
        let server = format!("https://127.0.0.1:{port}");
        let probe = Probe::new(&server, &keys.authority, &keys.admin)?;
        let arguments = components::kube_apiserver(files, port);
        supervisor.start(Binary::KubeApiserver, &binaries.kube_apiserver, &arguments)?;
        let ready = || probe.is_ok("/readyz");
        match supervisor.wait_until("starting kube-apiserver", API_SERVER_LIMIT, ready) {
            Err(SupervisorError::Ended { binary: Binary::KubeApiserver, tail, .. })
                if tail.contains("address already in use") && attempt < PORT_ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(server),
        }
    }
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Starts the controllers, and waits until one of them has done something.
fn start_controllers(
    supervisor: &mut Supervisor,
    binaries: &Binaries,
    files: &Files<'_>,
    keys: &Keys,
    server: &str,
) -> Result<(), RunError> {
    supervisor.start(
        Binary::KubeControllerManager,
        &binaries.kube_controller_manager,
        &components::kube_controller_manager(files),
    )?;
    let probe = Probe::new(server, &keys.authority, &keys.admin)?;
    Ok(supervisor.wait_until("starting kube-controller-manager", CONTROLLERS_LIMIT, || {
        probe.is_ok("/api/v1/namespaces/default/serviceaccounts/default")
            && probe.is_ok("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
    })?)
}

/// Applies a manifest, a folder of them, or a folder with a kustomization.
fn apply(kubectl: &Path, kubeconfig: &Path, path: &Path) -> Result<(), RunError> {
    let flag = if path.join("kustomization.yaml").is_file() { "--kustomize" } else { "--filename" };
    let output = Command::new(kubectl)
        .env("KUBECONFIG", kubeconfig)
        .args(["apply", "--server-side", flag])
        .arg(path)
        .output()
        .map_err(failed("running kubectl"))?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(RunError::Manifest { path: path.to_owned(), message })
}

fn announce(info: &Info) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, info)?;
    writeln!(stdout)?;
    stdout.flush()
}
