//! Certificates of the simulator's own authority, good and bad.

use std::sync::{Mutex, PoisonError};

use certificates::{Authority, LOOPBACK, Validity};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

/// Whom the certificates are about.
const NAME: &str = "Simulator";

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
    Generate(#[from] certificates::Error),
    /// The TLS stack does not take the certificate.
    #[error("the TLS stack does not take the simulator's certificate: {0}")]
    Use(#[from] rustls::Error),
}

/// The authority and the certificate in use.
pub(crate) struct Certificates {
    authority: Authority,
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

fn authority() -> Result<Authority, TlsError> {
    Ok(Authority::new("Simulator authority")?)
}

fn acceptor(authority: &Authority, certificate: Certificate) -> Result<TlsAcceptor, TlsError> {
    let identity = match certificate {
        Certificate::Good => authority.server(NAME, &LOOPBACK, Validity::Valid),
        Certificate::Expired => authority.server(NAME, &LOOPBACK, Validity::Expired),
        Certificate::OtherHost => authority.server(NAME, &["elsewhere.invalid"], Validity::Valid),
        Certificate::OtherAuthority => self::authority()?.server(NAME, &LOOPBACK, Validity::Valid),
    };
    Ok(identity?.server_config()?.into())
}
