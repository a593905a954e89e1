//! Connections that can be reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// The connection that a call came by.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// Whether the connection ends with a reset instead of a proper close.
    reset: Arc<AtomicBool>,
    /// Ends the connection.
    end: CancellationToken,
    /// Whether a request has come by it.
    used: Arc<AtomicBool>,
}

impl Connection {
    /// A connection that ends with `parent`, if not before.
    pub(crate) fn new(parent: &CancellationToken) -> Self {
        Self { reset: Arc::default(), end: parent.child_token(), used: Arc::default() }
    }

    /// Wraps the connection's stream, so that it can be reset.
    pub(crate) fn stream(&self, inner: TcpStream) -> ResettableStream {
        ResettableStream { inner, reset: Arc::clone(&self.reset) }
    }

    /// Resets the connection; what serves it ends at this point.
    pub(crate) async fn reset<T>(&self) -> T {
        self.reset.store(true, Ordering::SeqCst);
        self.end.cancel();
        std::future::pending().await
    }

    /// Whether this is the first request of the connection; it is asked once for each.
    pub(crate) fn first_request(&self) -> bool {
        !self.used.swap(true, Ordering::SeqCst)
    }

    /// Ends when the connection is to end.
    pub(crate) async fn ended(&self) {
        self.end.cancelled().await;
    }
}

/// A TCP stream that sends RST when it is dropped after a reset was asked for.
#[derive(Debug)]
pub(crate) struct ResettableStream {
    inner: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for ResettableStream {
    fn drop(&mut self) {
        if self.reset.load(Ordering::SeqCst) {
            send_reset_on_close(&self.inner);
        }
    }
}

/// Makes the stream's close a reset.
pub(crate) fn send_reset_on_close(stream: &TcpStream) {
    // It fails only for a socket that is gone already.
    let _ = stream.set_zero_linger();
}

impl AsyncRead for ResettableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for ResettableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
