//! The connection to the server.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::error::StartError;

/// Headers that concern one connection only (RFC 9110, 7.6.1), and the length and host that are set anew.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Takes the headers out that must not be forwarded.
pub(crate) fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

/// Where calls are forwarded to.
#[derive(Debug)]
pub(crate) struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    scheme: Scheme,
    authority: Authority,
}

impl Upstream {
    pub(crate) fn new(url: &Url, ca_pem: Option<&str>) -> Result<Self, StartError> {
        let bad_url = || StartError::Upstream { url: url.to_string() };
        let scheme = match url.scheme() {
            "http" => Scheme::HTTP,
            "https" if ca_pem.is_none() => return Err(StartError::NoUpstreamCa),
            "https" => Scheme::HTTPS,
            _ => return Err(bad_url()),
        };
        let authority = Authority::try_from(url.authority()).map_err(|_| bad_url())?;

        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem.unwrap_or_default().as_bytes()) {
            roots.add(certificate.map_err(|_| StartError::UpstreamCa)?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        // A kept connection that the server closes just now would look like a call without an answer.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, scheme, authority })
    }

    /// Sends a request whose URI has only a path and a query.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        let (mut head, body) = request.into_parts();
        strip(&mut head.headers);
        head.uri = self.uri(&head.uri);
        head.version = http::Version::HTTP_11;
        let mut response = self.client.request(Request::from_parts(head, body)).await?;
        strip(response.headers_mut());
        Ok(response)
    }

    fn uri(&self, uri: &Uri) -> Uri {
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        // All three parts are there, so the URI is whole; the original is only for the type's sake.
        Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
    }
}
