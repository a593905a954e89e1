//! A way to the API server that can be cut.

use std::net::SocketAddr;

use serde_json::Value;
use testkit::control_plane;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A way to the API server that can be cut. It ends when dropped.
pub struct Wire {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
}

impl Wire {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = control_plane().server().trim_start_matches("https://").to_owned();
        let (is_cut, cut) = watch::channel(false);
        let wire = async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let (server, mut cut) = (server.clone(), cut.clone());
                tokio::spawn(async move {
                    if *cut.borrow() {
                        return;
                    }
                    let mut to = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        };
        let mut ended = is_cut.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = wire => {}
                // The sender is dropped with the wire.
                () = async { while ended.changed().await.is_ok() {} } => {}
            }
        });
        Self { address, is_cut }
    }

    /// The kubeconfig that leads here instead.
    pub fn kubeconfig(&self, mut kubeconfig: Value) -> Value {
        kubeconfig["clusters"][0]["cluster"]["server"] = format!("https://{}", self.address).into();
        kubeconfig
    }

    /// Cuts it off, or lets it go on.
    pub fn cut(&self, cut: bool) {
        self.is_cut.send_replace(cut);
    }
}
