//! A client of an interposer, with connections of its own.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Error};
use hyper_util::rt::TokioExecutor;
use interposer::Interposer;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::soon;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    inner: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
}

impl Client {
    pub(crate) fn of(interposer: &Interposer) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        if let Some(pem) = interposer.ca_pem() {
            roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let inner = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Self { inner, base: interposer.url() }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Error> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", "Bearer s3cret")
            .body(Full::new(body.into()))
            .unwrap();
        let (head, body) = self.inner.request(request).await?.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Error> {
        soon(self.call(Method::GET, path, "")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &'static str) -> Result<Answer, Error> {
        soon(self.call(Method::POST, path, body)).await
    }

    /// A call that goes on in the background.
    pub(crate) fn start(
        &self,
        method: Method,
        path: &str,
        body: &'static str,
    ) -> JoinHandle<Result<Answer, Error>> {
        let (client, path) = (self.clone(), path.to_owned());
        tokio::spawn(async move { client.call(method, &path, body).await })
    }

    pub(crate) async fn watch(&self, path: &str) -> Stream {
        let uri = format!("{}{path}", self.base);
        let request = Request::builder()
            .uri(uri)
            .header("accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
            .body(Full::default())
            .unwrap();
        let response = soon(self.inner.request(request)).await.expect("a watch");
        Stream { status: response.status(), body: response.into_body() }
    }
}

/// The body of a watch.
pub(crate) struct Stream {
    pub(crate) status: StatusCode,
    body: Incoming,
}

impl Stream {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        Some(soon(self.body.frame()).await?.map(|frame| frame.into_data().expect("data")))
    }

    /// The next piece as JSON.
    pub(crate) async fn event(&mut self) -> Value {
        let bytes = self.next().await.expect("an event").expect("no error");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// Whether there is nothing to read, now.
    pub(crate) fn is_silent(&mut self) -> bool {
        futures::FutureExt::now_or_never(self.body.frame()).is_none()
    }
}
