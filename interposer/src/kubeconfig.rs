//! Kubeconfigs that lead to an interposer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Credentials that pass through a proxy that ends TLS.
const PASSING: [&str; 5] = ["token", "tokenFile", "exec", "auth-provider", "username"];

/// Why a kubeconfig could not be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
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

/// The current context of `source`, with another server.
pub(crate) fn rewrite(source: &str, server: &str, ca_pem: Option<&str>) -> Result<String, KubeconfigError> {
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
    let credentials = passing(named(&source, "users", user, "user").unwrap_or(&Value::Null))?;
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

    fn rewritten(source: &str) -> Result<Value, KubeconfigError> {
        Ok(serde_yaml::from_str(&rewrite(source, "https://127.0.0.1:1234", Some("PEM"))?)?)
    }

    #[test]
    fn the_current_context_leads_to_the_interposer() {
        let config = rewritten(&SOURCE.replace("client-key: /a.key", "token: s3cret")).unwrap();
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
    fn a_client_certificate_alone_is_refused() {
        let error = rewritten(SOURCE).unwrap_err();
        assert!(matches!(error, KubeconfigError::ClientCertificate), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = rewritten("clusters: []").unwrap_err();
        assert_eq!(error.to_string(), "the kubeconfig has no current-context");
    }
}
