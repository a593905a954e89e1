//! A real Kubernetes control plane for tests and the demo.
//!
//! etcd, `kube-apiserver` and `kube-controller-manager` with TLS, RBAC, an audit log and real credentials,
//! on free loopback ports. [`ControlPlane`] starts one as a process of its own, which ends when its owner
//! does, however the owner ends.

pub mod binaries;
mod cli;
mod components;
mod files;
mod info;
mod kubeconfig;
mod owner;
mod progress;
mod readiness;
mod run;
mod state_dir;
mod stop;
mod supervisor;
pub mod version;

pub use cli::main;
pub use info::Info;
pub use owner::{ControlPlane, Options, SHARED_VARIABLE, StartError, bound_command};
pub use progress::{Progress, note};
pub use run::RunError;
pub use stop::Stop;
