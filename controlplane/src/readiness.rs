//! Asks the API server whether it is ready.

use std::sync::Arc;
use std::time::Duration;

use certificates::Identity;
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// An administrator's client of one API server.
pub(crate) struct Probe {
    agent: Agent,
    server: String,
}

impl Probe {
    pub(crate) fn new(server: &str, authority: &str, admin: &Identity) -> Result<Self, ureq::Error> {
        let roots = Certificate::from_pem(authority.as_bytes())?;
        let certificate = Certificate::from_pem(admin.certificate.as_bytes())?;
        let key = PrivateKey::from_pem(admin.key.as_bytes())?;
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(RootCerts::new_with_certs(&[roots]))
            .client_cert(Some(ClientCert::new_with_certs(&[certificate], key)))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            // It is on loopback, whatever the environment says about proxies.
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(5)))
            .build();
        Ok(Self { agent: config.into(), server: server.to_owned() })
    }

    /// Whether a GET of `path` is answered with 200.
    pub(crate) fn is_ok(&self, path: &str) -> bool {
        self.agent.get(format!("{}{path}", self.server)).call().is_ok()
    }
}
