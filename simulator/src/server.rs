//! Listeners: accepting, refusing, going away and coming back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::connection::{Connection, send_reset_on_close};
use crate::tls::Certificates;
use crate::world::Shared;

/// A listener of the API and what steers it.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    orders: mpsc::Sender<Order>,
}

/// What a listener can be told.
#[derive(Debug)]
enum Order {
    /// Close the port and every connection.
    Close(oneshot::Sender<io::Result<()>>),
    /// Open the port again.
    Open(oneshot::Sender<io::Result<()>>),
}

/// The simulator has stopped, so its listeners take no orders any more.
#[derive(Debug, thiserror::Error)]
#[error("the simulator has stopped; start another one")]
pub(crate) struct Stopped;

impl Listener {
    /// Listens at `address`, with TLS if there are certificates.
    pub(crate) async fn start(
        shared: Arc<Shared>,
        address: SocketAddr,
        certificates: Option<Arc<Certificates>>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let (orders, received) = mpsc::channel(1);
        let task = tokio::spawn(run(shared, address, socket, certificates, received));
        Ok((Self { address, orders }, task))
    }

    /// Closes the port and every connection: clients are refused by the machine itself.
    pub(crate) async fn close(&self) -> io::Result<()> {
        self.order(Order::Close).await
    }

    /// Opens the port again.
    pub(crate) async fn open(&self) -> io::Result<()> {
        self.order(Order::Open).await
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Order) -> io::Result<()> {
        let (done, result) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| io::Error::other(Stopped))?;
        result.await.map_err(|_| io::Error::other(Stopped))?
    }
}

async fn run(
    shared: Arc<Shared>,
    address: SocketAddr,
    socket: TcpListener,
    certificates: Option<Arc<Certificates>>,
    mut orders: mpsc::Receiver<Order>,
) {
    let mut open = Some((socket, shared.stop.child_token()));
    loop {
        let order = tokio::select! {
            () = shared.stop.cancelled() => return,
            order = orders.recv() => order,
            () = accept(&shared, open.as_ref(), certificates.as_ref()) => continue,
        };
        match order {
            None => return,
            Some(Order::Close(done)) => {
                if let Some((_, connections)) = open.take() {
                    connections.cancel();
                }
                let _ = done.send(Ok(()));
            }
            Some(Order::Open(done)) => {
                let result = match open {
                    Some(_) => Ok(()),
                    None => TcpListener::bind(address)
                        .await
                        .map(|socket| open = Some((socket, shared.stop.child_token()))),
                };
                let _ = done.send(result);
            }
        }
    }
}

/// Accepts one connection; waits for ever if the port is closed.
async fn accept(
    shared: &Arc<Shared>,
    open: Option<&(TcpListener, CancellationToken)>,
    certificates: Option<&Arc<Certificates>>,
) {
    let Some((socket, connections)) = open else { return std::future::pending().await };
    // A connection that broke before it was accepted is the client's matter.
    let Ok((stream, _)) = socket.accept().await else { return };
    let refused = shared.change(|world| {
        let refused = world.faults.refuses_connection();
        world.refused += u64::from(refused);
        refused
    });
    if refused {
        send_reset_on_close(&stream);
        return;
    }
    let connection = Connection::new(connections);
    tokio::spawn(serve(Arc::clone(shared), connection, stream, certificates.cloned()));
}

async fn serve(
    shared: Arc<Shared>,
    connection: Connection,
    stream: TcpStream,
    certificates: Option<Arc<Certificates>>,
) {
    // Drops of a body must leave as they come.
    let _ = stream.set_nodelay(true);
    let stream = connection.stream(stream);
    let served = async {
        match certificates {
            None => serve_http(&shared, &connection, stream).await,
            Some(certificates) => match certificates.acceptor().accept(stream).await {
                Ok(stream) => serve_http(&shared, &connection, stream).await,
                // The client did not trust the certificate, or spoke no TLS.
                Err(_) => shared.change(|world| world.failed_handshakes += 1),
            },
        }
    };
    tokio::select! {
        () = served => {}
        () = connection.ended() => {}
    }
}

/// HTTP/1 only: each call in flight has a connection of its own, which a fault can break alone.
async fn serve_http<S>(shared: &Arc<Shared>, connection: &Connection, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| api::serve(Arc::clone(shared), connection.clone(), request));
    let mut http = http1::Builder::new();
    // Answers tell the API's time, not this machine's.
    http.timer(TokioTimer::new()).auto_date_header(false);
    // Errors are broken connections, most of them broken on purpose.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}
