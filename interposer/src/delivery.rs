//! Tells when a whole answer has left for the client.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

/// How far the tracked answer of a connection is. HTTP/1.1 answers one request at a time.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Untracked,
    /// The body is not yet, or not wholly, with the HTTP machinery.
    Answering(oneshot::Sender<()>),
    /// The whole body is encoded; what is missing is that it be flushed.
    HandedOver(oneshot::Sender<()>),
}

/// Shared by a connection's transport and the answer under way on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delivery(Arc<Mutex<Stage>>);

impl Delivery {
    /// Tracks the answer that is about to be given. The receiver gets an error if the connection ends
    /// first.
    pub(crate) fn track(&self) -> oneshot::Receiver<()> {
        let (delivered, receiver) = oneshot::channel();
        *self.stage() = Stage::Answering(delivered);
        receiver
    }

    fn handed_over(&self) {
        let mut stage = self.stage();
        *stage = match std::mem::take(&mut *stage) {
            Stage::Answering(delivered) => Stage::HandedOver(delivered),
            other => other,
        };
    }

    /// Everything that was written is with the kernel.
    pub(crate) fn flushed(&self) {
        let mut stage = self.stage();
        *stage = match std::mem::take(&mut *stage) {
            Stage::HandedOver(delivered) => {
                // Nobody listens any more when the life is over.
                let _ = delivered.send(());
                Stage::Untracked
            }
            other => other,
        };
    }

    /// The connection ended.
    pub(crate) fn lost(&self) {
        *self.stage() = Stage::Untracked;
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A complete body that says when it has been handed over.
pub(crate) struct TrackedBody {
    bytes: Option<Bytes>,
    delivery: Delivery,
}

impl TrackedBody {
    pub(crate) fn new(bytes: Bytes, delivery: Delivery) -> Self {
        Self { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), delivery }
    }
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = self.bytes.take().map(|bytes| Ok(Frame::data(bytes)));
        self.delivery.handed_over();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

impl Drop for TrackedBody {
    /// An empty body is never asked for a frame: it is dropped when the head is encoded.
    fn drop(&mut self) {
        self.delivery.handed_over();
    }
}
