//! The client's connection.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::delivery::Delivery;
use crate::peer;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The client gets no answer: its connection ends.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the call is dropped")]
pub(crate) struct Dropped;

/// What is known of a client's connection.
#[derive(Debug)]
pub(crate) struct Link {
    /// Our end.
    local: SocketAddr,
    /// The client's end.
    client: SocketAddr,
    /// The life of the operator in which it was accepted.
    pub(crate) life: u32,
    /// How far the answer under way is.
    pub(crate) delivery: Delivery,
    /// Whether it is to end with a TCP reset instead of a FIN.
    reset: AtomicBool,
}

impl Link {
    pub(crate) fn new(local: SocketAddr, client: SocketAddr, life: u32) -> Self {
        Self { local, client, life, delivery: Delivery::default(), reset: AtomicBool::new(false) }
    }

    /// Makes the connection's end a reset.
    pub(crate) fn end_with_reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    pub(crate) fn client_is_there(&self) -> bool {
        peer::is_there(self.local, self.client)
    }

    pub(crate) async fn client_has_read(&self) -> bool {
        peer::has_read(self.local, self.client).await
    }
}

/// Without or with TLS.
pub(crate) type Transport = Either<TcpStream, TlsStream<TcpStream>>;

/// The connection's bytes; reports when everything written has been flushed.
pub(crate) struct Downstream {
    transport: Transport,
    link: Arc<Link>,
}

impl Downstream {
    pub(crate) fn new(transport: Transport, link: Arc<Link>) -> Self {
        Self { transport, link }
    }
}

impl AsyncRead for Downstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Downstream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.transport).poll_flush(cx))?;
        self.link.delivery.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

impl Drop for Downstream {
    fn drop(&mut self) {
        if self.link.reset.load(Ordering::Acquire) {
            let stream = match &self.transport {
                Either::Left(stream) => stream,
                Either::Right(stream) => stream.get_ref().0,
            };
            if let Err(error) = stream.set_zero_linger() {
                tracing::debug!(%error, "the connection ends without a reset");
            }
        }
        self.link.delivery.lost();
    }
}
