//! What a running control plane tells whoever wants to use it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where a running control plane is, and how to get in: one line of JSON on stdout once it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// A kubeconfig of a member of `system:masters`, with the certificates inside.
    pub kubeconfig: PathBuf,
    /// The audit log: one JSON object a line, in the order in which responses were completed.
    pub audit_log: PathBuf,
    /// The API server's URL.
    pub server: String,
    /// The certificate authority that signed the API server's certificate, in PEM.
    pub ca_file: PathBuf,
    /// The folder of everything that belongs to this control plane.
    pub state_dir: PathBuf,
    /// The folder with `kubectl` and the components.
    pub bin_dir: PathBuf,
}

/// Why a control plane did not start: one line of JSON on stdout in the place of [`Info`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) error: String,
}
