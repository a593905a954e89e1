//! The operator's own rights.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use controlplane::{ControlPlane, StartError};
use serde_json::{Value, json};

/// Who the API server takes the operator for.
pub const USER: &str = "system:serviceaccount:webhook-operator:webhook-operator";

/// The arguments by which kubectl asks for a token of the operator's `ServiceAccount`, as `deploy/` sets it
/// up. It lives for a week.
pub const TOKEN_REQUEST: [&str; 6] =
    ["-n", "webhook-operator", "create", "token", "webhook-operator", "--duration=168h"];

/// A kubeconfig by which the bearer of `token` reaches a control plane.
///
/// # Errors
///
/// When the control plane's certificate authority can't be read.
pub fn kubeconfig(plane: &ControlPlane, token: &str) -> Result<Value, StartError> {
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "controlplane", "cluster": {
            "server": plane.server(),
            "certificate-authority-data": STANDARD.encode(plane.ca_pem()?),
        }}],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "controlplane", "context": {"cluster": "controlplane", "user": "operator"}}],
        "current-context": "controlplane",
    }))
}

/// The token of such a kubeconfig.
#[must_use]
pub fn token(kubeconfig: &Value) -> &str {
    kubeconfig["users"][0]["user"]["token"].as_str().expect("a token")
}

/// How the API server's audit log names the token of such a kubeconfig.
pub(crate) fn credential_id(kubeconfig: &Value) -> String {
    let payload = token(kubeconfig).split('.').nth(1).expect("a JSON web token");
    let claims = URL_SAFE_NO_PAD.decode(payload).expect("a JSON web token");
    let claims = serde_json::from_slice::<Value>(&claims).expect("a JSON web token");
    format!("JTI={}", claims["jti"].as_str().expect("a token with an id"))
}
