//! The service that receives deliveries: `examples/receiver`, with the sample's Secret mounted.

use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use controlplane::{ControlPlane, bound_command};
use k8s_openapi::api::core::v1::Secret;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use testkit::Mount;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::error::{DemoError, io};
use super::samples::{NAME, NAMESPACE};

/// How long it takes until a changed Secret is in the folder. A kubelet takes up to a minute or so.
const LOOK: Duration = Duration::from_millis(100);

/// A running receiver; it stops when dropped.
pub(crate) struct Receiver {
    /// Without a path.
    pub(crate) url: String,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
    _mount: Mount,
}

impl Receiver {
    /// Starts the receiver, with a folder of its own in `folder`. The Secret need not be there yet.
    pub(crate) async fn start(
        program: &Path,
        control_plane: &ControlPlane,
        folder: &Path,
    ) -> Result<Self, DemoError> {
        const STARTING: &str = "starting the receiver";
        let mounted = folder.join("mount");
        std::fs::create_dir(&mounted).map_err(io("making the receiver's folder"))?;
        let client = client(control_plane).await.map_err(DemoError::Client)?;
        let mount = Mount::new(&mounted, Api::<Secret>::namespaced(client, NAMESPACE), NAME, || LOOK);
        let mut process = Command::from(bound_command(program)?)
            .args(["--listen", "127.0.0.1:0", "--secret-dir"])
            .arg(&mounted)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // Ctrl-C in a terminal reaches this process, which then ends it in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(io(STARTING))?;
        let none = || io(STARTING)(std::io::ErrorKind::UnexpectedEof.into());
        let mut lines = BufReader::new(process.stdout.take().ok_or_else(none)?).lines();
        let first = lines.next_line().await.map_err(io(STARTING))?.ok_or_else(none)?;
        let url = first.strip_prefix("listening on ").ok_or_else(none)?.to_owned();
        Ok(Self { url, lines, _process: process, _mount: mount })
    }

    /// What it says next.
    pub(crate) async fn next(&mut self) -> Option<String> {
        // It says text.
        self.lines.next_line().await.ok().flatten()
    }
}

async fn client(control_plane: &ControlPlane) -> Result<Client, Box<dyn Error + Send + Sync>> {
    let kubeconfig = Kubeconfig::read_from(control_plane.kubeconfig())?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
