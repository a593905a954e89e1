//! Kubeconfig files with the certificates inside.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certificates::Identity;

/// A kubeconfig for one user of one server.
pub(crate) fn kubeconfig(server: &str, authority: &str, user: &str, identity: &Identity) -> String {
    let authority = STANDARD.encode(authority);
    let certificate = STANDARD.encode(&identity.certificate);
    let key = STANDARD.encode(&identity.key);
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: controlplane
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: controlplane
  context:
    cluster: controlplane
    user: {user}
current-context: controlplane
"
    )
}
