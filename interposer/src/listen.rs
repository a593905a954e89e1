//! The listening side: accepts clients, refuses them, hangs up on them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::downstream::{Downstream, Link, Transport};
use crate::forward;
use crate::shared::Shared;

/// As large as the system allows; a client must not see a full backlog.
const BACKLOG: u32 = 1024;

/// What the listener is told to do; the sender within is told when it is done.
#[derive(Debug)]
pub(crate) enum Command {
    /// Close the port and all connections.
    Refuse(oneshot::Sender<io::Result<()>>),
    /// Open the port again.
    Accept(oneshot::Sender<io::Result<()>>),
}

/// The port, open or closed but ours.
enum Port {
    Open(TcpListener),
    /// Bound and not listening: connections are refused, and nobody else can take the port.
    Closed(TcpSocket),
    /// Neither could be had; the last command's error told so.
    Lost,
}

impl Port {
    fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    }

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::Open(listener) => listener.accept().await,
            Self::Closed(_) | Self::Lost => std::future::pending().await,
        }
    }

    fn refuse(&mut self, address: SocketAddr) -> io::Result<()> {
        if matches!(self, Self::Closed(_)) {
            return Ok(());
        }
        // The listener has to go first: a port that is listened on cannot be bound again.
        *self = Self::Lost;
        *self = Self::Closed(Self::reserve(address)?);
        Ok(())
    }

    fn open(&mut self, address: SocketAddr) -> io::Result<()> {
        let socket = match std::mem::replace(self, Self::Lost) {
            Self::Open(listener) => {
                *self = Self::Open(listener);
                return Ok(());
            }
            Self::Closed(socket) => socket,
            Self::Lost => Self::reserve(address)?,
        };
        *self = Self::Open(socket.listen(BACKLOG)?);
        Ok(())
    }
}

/// A port of the loopback interface that accepts clients.
pub(crate) fn bind() -> io::Result<TcpListener> {
    Port::reserve((Ipv4Addr::LOCALHOST, 0).into())?.listen(BACKLOG)
}

/// Accepts clients until the commands end.
pub(crate) async fn run(
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    mut commands: mpsc::Receiver<Command>,
) {
    let mut port = Port::Open(listener);
    let mut hang_up = CancellationToken::new();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Refuse(done)) => {
                    let result = port.refuse(address);
                    hang_up.cancel();
                    hang_up = CancellationToken::new();
                    // Nobody may be waiting any more.
                    let _ = done.send(result);
                }
                Some(Command::Accept(done)) => {
                    let _ = done.send(port.open(address));
                }
                None => break,
            },
            accepted = port.accept() => match accepted {
                Ok((stream, client)) => {
                    let life = shared.world.life();
                    let link = Arc::new(Link::new(address, client, life));
                    let serving = serve(stream, link, tls.clone(), Arc::clone(&shared));
                    let (shared, hang_up) = (Arc::clone(&shared), hang_up.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            () = serving => {}
                            () = shared.world.life_over(life) => {}
                            () = hang_up.cancelled() => {}
                        }
                    });
                }
                Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
            },
        }
    }
    hang_up.cancel();
}

async fn serve(stream: TcpStream, link: Arc<Link>, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small writes may be delayed");
    }
    let transport = match tls {
        None => Transport::Left(stream),
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Transport::Right(stream),
            Err(error) => {
                tracing::debug!(%error, "no TLS with this client");
                return;
            }
        },
    };
    let io = TokioIo::new(Downstream::new(transport, Arc::clone(&link)));
    let service = service_fn(move |request| forward::answer(Arc::clone(&shared), Arc::clone(&link), request));
    let connection = http1::Builder::new().header_read_timeout(None).serve_connection(io, service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}
