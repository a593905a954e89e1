//! Kubeconfigs that lead to an interposer.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// Credentials that pass through a proxy that ends TLS.
const PASSING: [&str; 5] = ["token", "tokenFile", "exec", "auth-provider", "username"];

/// Why a kubeconfig could not be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// A file could not be read or written.
    #[error("{} could not be read or written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not YAML.
    #[error("the kubeconfig is not YAML: {0}")]
    Yaml(#[from] serde_yaml::Error),
    /// Something that it should name is not there.
    #[error("the kubeconfig has no {missing}")]
    Incomplete {
        /// Such as `current-context`.
        missing: &'static str,
    },
    /// The user authenticates with a certificate only.
    #[error("a client certificate does not pass through an interposer: give a bearer token")]
    ClientCertificate,
}

pub(crate) fn read(path: &Path) -> Result<String, KubeconfigError> {
    std::fs::read_to_string(path).map_err(|source| KubeconfigError::File { path: path.into(), source })
}

/// Writes a file that only its owner can read: it holds a token.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), KubeconfigError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| KubeconfigError::File { path: path.into(), source })
}

/// The current context of `source`, with another server.
pub(crate) fn rewrite(
    source: &str,
    server: &str,
    ca_pem: Option<&str>,
    token: Option<&SecretString>,
) -> Result<String, KubeconfigError> {
    let source: Value = serde_yaml::from_str(source)?;
    let missing = |missing| KubeconfigError::Incomplete { missing };
    let current = source.get("current-context").and_then(Value::as_str).filter(|name| !name.is_empty());
    let current = current.ok_or(missing("current-context"))?;
    let context = named(&source, "contexts", current, "context").ok_or(missing("current context"))?;
    let name = |field: &str| context.get(field).and_then(Value::as_str);
    let cluster = name("cluster").ok_or(missing("cluster in its current context"))?;
    let user = name("user").unwrap_or("interposed");

    let mut new_cluster = json!({"server": server});
    if let Some(pem) = ca_pem {
        new_cluster["certificate-authority-data"] = STANDARD.encode(pem).into();
    }
    let credentials = match token {
        Some(token) => json!({"token": token.expose_secret()}),
        None => passing(named(&source, "users", user, "user").unwrap_or(&Value::Null))?,
    };
    let mut context = context.clone();
    context["user"] = user.into();
    let rewritten = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "contexts": [{"name": current, "context": context}],
        "clusters": [{"name": cluster, "cluster": new_cluster}],
        "users": [{"name": user, "user": credentials}],
    });
    Ok(serde_yaml::to_string(&rewritten)?)
}

fn named<'a>(config: &'a Value, list: &str, name: &str, field: &str) -> Option<&'a Value> {
    let entries = config.get(list)?.as_array()?;
    entries.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(name))?.get(field)
}

/// A user without its client certificate, which must not be all that it has.
fn passing(user: &Value) -> Result<Value, KubeconfigError> {
    let mut user = user.as_object().cloned().unwrap_or_else(Map::new);
    let before = user.len();
    user.retain(|field, _| !field.starts_with("client-"));
    let had_certificate = user.len() < before;
    if had_certificate && !PASSING.iter().any(|field| user.contains_key(*field)) {
        return Err(KubeconfigError::ClientCertificate);
    }
    Ok(user.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
apiVersion: v1
kind: Config
current-context: admin
contexts:
- {name: other, context: {cluster: elsewhere, user: nobody}}
- {name: admin, context: {cluster: test, user: admin, namespace: billing}}
clusters:
- {name: elsewhere, cluster: {server: 'https://10.0.0.1'}}
- name: test
  cluster:
    server: https://127.0.0.1:6443
    certificate-authority: /ca.crt
    tls-server-name: kubernetes
    proxy-url: http://127.0.0.1:1
users:
- {name: admin, user: {client-certificate: /a.crt, client-key: /a.key}}
";

    fn rewritten(source: &str, token: Option<&str>) -> Result<Value, KubeconfigError> {
        let token = token.map(SecretString::from);
        let text = rewrite(source, "https://127.0.0.1:1234", Some("PEM"), token.as_ref())?;
        Ok(serde_yaml::from_str(&text)?)
    }

    #[test]
    fn the_current_context_leads_to_the_interposer() {
        let config = rewritten(SOURCE, Some("s3cret")).unwrap();
        let expected = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "admin",
            "contexts": [{
                "name": "admin",
                "context": {"cluster": "test", "user": "admin", "namespace": "billing"},
            }],
            "clusters": [{
                "name": "test",
                "cluster": {"server": "https://127.0.0.1:1234", "certificate-authority-data": "UEVN"},
            }],
            "users": [{"name": "admin", "user": {"token": "s3cret"}}],
        });
        assert_eq!(config, expected);
    }

    #[test]
    fn a_token_of_its_own_is_kept() {
        let source = SOURCE.replace("client-key: /a.key", "token: own");
        let config = rewritten(&source, None).unwrap();
        assert_eq!(config["users"], json!([{"name": "admin", "user": {"token": "own"}}]));
    }

    #[test]
    fn a_client_certificate_alone_is_refused() {
        let error = rewritten(SOURCE, None).unwrap_err();
        assert!(matches!(error, KubeconfigError::ClientCertificate), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = rewritten("clusters: []", None).unwrap_err();
        assert_eq!(error.to_string(), "the kubeconfig has no current-context");
    }
}
