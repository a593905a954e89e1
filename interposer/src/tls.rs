//! A certificate authority for one interposer, and the server that it vouches for.

use certificates::{Authority, LOOPBACK, Validity};
use tokio_rustls::TlsAcceptor;

use crate::error::StartError;

/// TLS for the client's side.
pub(crate) struct Identity {
    pub(crate) ca_pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

impl Identity {
    /// For 127.0.0.1 and localhost. Only HTTP/1.1 is offered: an answer's delivery can be told apart
    /// from another's only when a connection carries one at a time.
    pub(crate) fn generate() -> Result<Self, StartError> {
        let authority = Authority::new("interposer CA")?;
        let server = authority.server("interposer", &LOOPBACK, Validity::Valid)?;
        Ok(Self { ca_pem: authority.pem(), acceptor: server.server_config()?.into() })
    }
}
