//! The control plane of the run, and clients for it.

use std::path::PathBuf;
use std::sync::OnceLock;

use controlplane::binaries::{Sources, ensure_one};
use controlplane::version::Binary;
use controlplane::{ControlPlane, Stop};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

use crate::service_account;

/// The one control plane of the run, with what `deploy/` sets up: namespace, service account, rights.
pub fn control_plane() -> &'static ControlPlane {
    static READY: OnceLock<&'static ControlPlane> = OnceLock::new();
    READY.get_or_init(|| {
        let plane = ControlPlane::shared().unwrap_or_else(|error| panic!("{error}"));
        for folder in [
            concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/setup"),
            concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy"),
        ] {
            kubectl(plane, &["apply", "--server-side", "--force-conflicts", "-k", folder]);
        }
        plane
    })
}

/// A kubeconfig with exactly the rights of the operator's service account.
#[must_use]
pub fn service_account_kubeconfig() -> Value {
    let plane = control_plane();
    let token = kubectl(plane, &service_account::TOKEN_REQUEST);
    service_account::kubeconfig(plane, token.trim()).expect("the CA can be read")
}

/// A program that nobody here wrote, which is built on first use.
pub(crate) fn program(binary: Binary) -> PathBuf {
    let sources = Sources::from_env().expect("a place for the cache");
    ensure_one(&sources, binary, &Stop::new()).unwrap_or_else(|error| panic!("{error}"))
}

/// What kubectl prints, with all rights.
pub(crate) fn kubectl(plane: &ControlPlane, arguments: &[&str]) -> String {
    let output = plane.kubectl_command().args(arguments).output().expect("kubectl runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("kubectl prints text")
}

/// A client with all rights.
pub(crate) async fn administrator() -> Client {
    client(&administrators_config().await)
}

/// A client that the API server takes for somebody else.
pub async fn client_of_user(user: &str) -> Client {
    let mut config = administrators_config().await;
    config.auth_info.impersonate = Some(user.to_owned());
    client(&config)
}

/// The client that a kubeconfig describes.
pub async fn client_of(kubeconfig: &Value) -> Client {
    let kubeconfig = serde_json::from_value(kubeconfig.clone()).expect("a kubeconfig");
    client(&config_of(kubeconfig).await)
}

async fn administrators_config() -> Config {
    config_of(Kubeconfig::read_from(control_plane().kubeconfig()).expect("the kubeconfig can be read")).await
}

async fn config_of(kubeconfig: Kubeconfig) -> Config {
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    config.expect("the kubeconfig is complete")
}

fn client(config: &Config) -> Client {
    Client::try_from(config.clone()).expect("a client")
}
