//! Steering from another process: `/_simulator/…`.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::handle::Handle;

/// Serves the admin interface at `address`; gives where it really listens.
pub(crate) async fn start(handle: Handle, address: SocketAddr) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let socket = TcpListener::bind(address).await?;
    let address = socket.local_addr()?;
    let stop = handle.shared.stop.clone();
    let router = Router::new();
    let task = tokio::spawn(async move {
        let served = axum::serve(socket, router);
        stop.run_until_cancelled(served.into_future()).await;
    });
    Ok((address, task))
}
