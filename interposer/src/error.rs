//! Why an interposer does not start.

/// Why an interposer did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The URL cannot be forwarded to.
    #[error("{url} is no http or https server: give a URL such as https://127.0.0.1:6443")]
    Upstream {
        /// The URL.
        url: String,
    },
    /// An https server cannot be verified.
    #[error("an https server needs `upstream_ca`")]
    NoUpstreamCa,
    /// The authorities do not parse.
    #[error("`upstream_ca` is not a list of PEM certificates")]
    UpstreamCa,
    /// No TLS.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// No certificate.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] certificates::Error),
    /// No port.
    #[error("no port of the loopback interface could be listened on: {0}")]
    Listen(#[source] std::io::Error),
}
