//! Certificates of the simulator's own authority, good and bad.

use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

/// The certificate that the TLS listener shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certificate {
    /// Good for `127.0.0.1` and `localhost`.
    #[default]
    Good,
    /// By the right authority, but it ended long ago.
    Expired,
    /// By the right authority, but for another host.
    OtherHost,
    /// By an authority that nobody knows.
    OtherAuthority,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate could not be made.
    #[error("the simulator's certificate could not be made: {0}")]
    Generate(#[from] rcgen::Error),
    /// The TLS stack does not take the certificate.
    #[error("the TLS stack does not take the simulator's certificate: {0}")]
    Use(#[from] rustls::Error),
}

/// The authority and the certificate in use.
pub(crate) struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    acceptor: Mutex<TlsAcceptor>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    pub(crate) fn new() -> Result<Self, TlsError> {
        let authority = authority()?;
        let acceptor = Mutex::new(acceptor(&authority, Certificate::Good)?);
        Ok(Self { authority, acceptor })
    }

    /// The authority's certificate, as PEM.
    pub(crate) fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// Shows another certificate from the next connection on.
    pub(crate) fn show(&self, certificate: Certificate) -> Result<(), TlsError> {
        let acceptor = acceptor(&self.authority, certificate)?;
        *self.acceptor.lock().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, TlsError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Simulator authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn acceptor(
    authority: &CertifiedIssuer<'static, KeyPair>,
    certificate: Certificate,
) -> Result<TlsAcceptor, TlsError> {
    let hosts = match certificate {
        Certificate::OtherHost => vec!["elsewhere.invalid".to_owned()],
        _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
    };
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, "Simulator");
    if certificate == Certificate::Expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate()?;
    let leaf = match certificate {
        Certificate::OtherAuthority => params.signed_by(&key, &*self::authority()?)?,
        _ => params.signed_by(&key, authority)?,
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
