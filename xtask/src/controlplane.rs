//! `cargo xtask controlplane`: a control plane to try things on.

use std::io::{self, Write};
use std::path::PathBuf;

use controlplane::{ControlPlane, Options, StartError, note};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Why there is no control plane to try things on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlPlaneError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("signals can't be listened to: {0}")]
    Signals(io::Error),
}

/// Starts a control plane, tells how to reach it, and stops it at Ctrl-C.
pub(crate) fn run(state_dir: Option<PathBuf>) -> Result<(), ControlPlaneError> {
    let control_plane = ControlPlane::start(&Options { state_dir, ..Options::with_crds() })?;
    // Only now: until then, Ctrl-C just ends this process, and the control plane with it.
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(ControlPlaneError::Signals)?;
    let told = format!(
        "export KUBECONFIG={}\nalias kubectl={}\n",
        control_plane.kubeconfig().display(),
        control_plane.kubectl().display()
    );
    // A reader that went away is not an error.
    let _ = io::stdout().write_all(told.as_bytes());
    note(&format!("Kubernetes serves at {} until Ctrl-C", control_plane.server()));
    signals.forever().next();
    drop(control_plane);
    note("stopped");
    Ok(())
}
