//! Counts the bytes between the operator and a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Takes connections in place of a server, passes on what comes, and counts it.
#[derive(Clone)]
pub struct Meter {
    address: SocketAddr,
    bytes: Arc<[AtomicU64; 2]>,
}

impl Meter {
    /// In place of the server of this URL.
    pub async fn before(url: &str) -> Self {
        let url = url::Url::parse(url).expect("a URL");
        let server = (url.host_str().expect("a host").to_owned(), url.port().expect("a port"));
        let listener = TcpListener::bind(simulator::loopback()).await.expect("a port");
        let address = listener.local_addr().expect("it has an address");
        let bytes = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let counted = Arc::clone(&bytes);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, counted) = (server.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    let Ok(upstream) = TcpStream::connect(server).await else { return };
                    for stream in [&client, &upstream] {
                        let _ = stream.set_nodelay(true);
                    }
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = upstream.into_split();
                    tokio::join!(
                        pass(from_client, to_server, &counted[0]),
                        pass(from_server, to_client, &counted[1])
                    );
                });
            }
        });
        Self { address, bytes }
    }

    /// The same URL, by way of this.
    pub fn instead(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).expect("a URL");
        url.set_port(Some(self.address.port())).expect("a URL with a host");
        url.to_string().trim_end_matches('/').to_owned()
    }

    /// The bytes that the operator sent, and those that it received.
    pub fn bytes(&self) -> [u64; 2] {
        [0, 1].map(|way| self.bytes[way].load(Ordering::Relaxed))
    }
}

/// Passes on what comes until an end closes; how it ends is for the two ends to say.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, bytes: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        bytes.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
