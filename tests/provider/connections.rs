//! What the client makes of connections that fail, at each stage.

use std::net::SocketAddr;
use std::time::Duration;

use certificates::{Authority, Validity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use webhook_operator::provider::{
    AddressPolicy, Client, ClientConfig, ConfigError, Error, ErrorClass, Priority,
};

use crate::server::{ANY_TIME, CREATED, Server, config, new_endpoint};

/// How a connection goes once it is accepted.
#[derive(Clone, Copy, Debug)]
enum Course {
    /// Closed before anything is read.
    CloseAtOnce,
    /// Closed when the request has been read.
    CloseAfterRequest,
    /// Reset when the request has been read.
    ResetAfterRequest,
    /// The request is read and never answered.
    Silence,
    /// This is written, then the connection is closed.
    Write(&'static str),
    /// This is written, then nothing more.
    WriteAndHang(&'static str),
}

/// A server whose connections go as told.
async fn server(course: Course) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(go(stream, course));
        }
    });
    address
}

async fn go(mut stream: TcpStream, course: Course) {
    if matches!(course, Course::CloseAtOnce) {
        return;
    }
    let mut request = vec![0; 64 * 1024];
    let _ = stream.read(&mut request).await;
    match course {
        Course::CloseAtOnce | Course::CloseAfterRequest => {}
        Course::ResetAfterRequest => stream.set_zero_linger().unwrap(),
        Course::Silence => std::future::pending().await,
        Course::Write(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
        Course::WriteAndHang(answer) => {
            stream.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        }
    }
}

fn impatient(url: &str) -> Client {
    let config = ClientConfig { timeout: Duration::from_millis(300), ..config(url.parse().unwrap()) };
    Client::new(config).unwrap()
}

fn outcome(error: &Error) -> (ErrorClass, &'static str) {
    (error.class(), error.reason())
}

#[tokio::test]
async fn what_fails_after_the_request_was_sent_is_ambiguous() {
    for (course, reason) in [
        (Course::CloseAtOnce, "ConnectionLost"),
        (Course::CloseAfterRequest, "ConnectionLost"),
        (Course::ResetAfterRequest, "ConnectionLost"),
        (Course::Silence, "TimedOut"),
        (Course::Write("HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"data\""), "ConnectionLost"),
        (Course::WriteAndHang("HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"data\""), "TimedOut"),
        (Course::WriteAndHang("HTTP/1.1 201 Crea"), "TimedOut"),
        (Course::Write("SSH-2.0-OpenSSH_9.6\r\n"), "ConnectionLost"),
    ] {
        let client = impatient(&format!("http://{}", server(course).await));

        let error = client.create(&new_endpoint(), ANY_TIME).await.unwrap_err();
        assert_eq!(outcome(&error), (ErrorClass::Ambiguous, reason), "{course:?}: {error}");
        let error = client.list_page(None, Priority::Resync).await.unwrap_err();
        assert_eq!(outcome(&error), (ErrorClass::Retry, reason), "{course:?}: {error}");
    }
}

#[tokio::test]
async fn a_delete_that_succeeded_needs_no_body() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"data\"";
    let client = impatient(&format!("http://{}", server(Course::Write(answer)).await));

    client.delete(&"wh_1".into()).await.unwrap();
}

#[tokio::test]
async fn what_fails_before_the_request_is_sent_had_no_effect() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let no_tls = server(Course::Write("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let tls_that_hangs = server(Course::Silence).await;
    for (url, reason) in [
        (format!("http://{closed}"), "Unreachable"),
        ("http://no-such-host.invalid".to_owned(), "Unreachable"),
        (format!("https://{no_tls}"), "TlsFailed"),
        (format!("https://{tls_that_hangs}"), "Unreachable"),
    ] {
        let error = impatient(&url).create(&new_endpoint(), ANY_TIME).await.unwrap_err();
        assert_eq!(outcome(&error), (ErrorClass::Retry, reason), "{url}: {error}");
    }
}

/// A TLS server for `localhost` that answers every request with a created endpoint, and the
/// certificate of its authority.
async fn tls_server() -> (SocketAddr, String) {
    let authority = Authority::new("test").unwrap();
    let server = authority.server("test", &["localhost"], Validity::Valid).unwrap();
    let acceptor = TlsAcceptor::from(server.server_config().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = vec![0; 64 * 1024];
                let _ = stream.read(&mut request).await;
                let length = CREATED.len();
                let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {length}\r\n\r\n{CREATED}");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, authority.pem())
}

#[tokio::test]
async fn a_certificate_is_trusted_only_if_the_bundle_says_so() {
    let (address, certificate) = tls_server().await;
    let url = format!("https://localhost:{}", address.port());
    let config = ClientConfig { allow_http: false, ..config(url.parse().unwrap()) };

    let error = Client::new(config.clone()).unwrap().create(&new_endpoint(), ANY_TIME).await.unwrap_err();
    assert_eq!(outcome(&error), (ErrorClass::Retry, "TlsFailed"), "{error}");

    let trusting = ClientConfig { ca_bundle: Some(certificate.into_bytes()), ..config };
    Client::new(trusting.clone()).unwrap().create(&new_endpoint(), ANY_TIME).await.unwrap();

    // The certificate is for the name, not for the address.
    let api_url = format!("https://{address}").parse().unwrap();
    let error =
        Client::new(ClientConfig { api_url, ..trusting }).unwrap().create(&new_endpoint(), ANY_TIME).await;
    assert_eq!(error.unwrap_err().reason(), "TlsFailed");
}

fn public_only(url: &str, exceptions: &[&str]) -> Result<Client, ConfigError> {
    let exceptions = exceptions.iter().map(|net| net.parse().unwrap()).collect();
    let address_policy = AddressPolicy::PublicOnly { exceptions };
    Client::new(ClientConfig { address_policy, ..config(url.parse().unwrap()) })
}

#[tokio::test]
async fn an_address_that_is_not_public_is_refused_at_connect_unless_excepted() {
    let api = Server::working().await;
    let by_name = format!("http://localhost:{}/v1", api.address.port());
    let by_address = api.url().to_string();

    let refused =
        public_only(&by_name, &["10.0.0.0/8"]).unwrap().create(&new_endpoint(), ANY_TIME).await.unwrap_err();
    assert_eq!(outcome(&refused), (ErrorClass::Retry, "AddressRefused"), "{refused}");
    assert!(matches!(public_only(&by_address, &[]).err(), Some(ConfigError::AddressRefused { .. })));
    assert!(api.asked().is_empty());

    for url in [by_name, by_address] {
        public_only(&url, &["127.0.0.0/8"]).unwrap().create(&new_endpoint(), ANY_TIME).await.unwrap();
    }
    assert_eq!(api.asked().len(), 2);
}
