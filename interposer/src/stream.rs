//! The body of one watch, as the client gets it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::downstream::{BoxError, Link};
use crate::shared::Shared;
use crate::target::ResourceRef;
use crate::watch::error_event;

/// Where the events come from.
pub(crate) enum Source {
    /// The server's answer.
    Server(Incoming),
    /// An answer that is asked for once the collection is served as it is.
    OnceReleased(Box<Request<Full<Bytes>>>),
    /// Nowhere: what is queued is all there is.
    Ended,
}

/// One open watch.
pub(crate) struct WatchStream {
    events: Events,
    /// Its number in the register of watches.
    number: u64,
    /// Fires when the watch is cut.
    cut: oneshot::Receiver<()>,
}

/// What is delivered unless the watch is cut.
struct Events {
    shared: Arc<Shared>,
    link: Arc<Link>,
    resource: ResourceRef,
    source: Source,
    lines: Lines,
    /// Delivered even while an old view is served: they are the old view.
    initial: VecDeque<Bytes>,
    /// Delivered while the collection is served as it is.
    queued: VecDeque<Bytes>,
}

impl WatchStream {
    pub(crate) fn new(
        shared: Arc<Shared>,
        link: Arc<Link>,
        resource: ResourceRef,
        initial: Vec<Bytes>,
        source: Source,
    ) -> Self {
        let (number, cut) = shared.watches.open(resource.clone());
        let (lines, initial, queued) = (Lines::default(), initial.into(), VecDeque::new());
        Self { events: Events { shared, link, resource, source, lines, initial, queued }, number, cut }
    }

    pub(crate) fn into_frames(self) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
        futures::stream::unfold(Some(self), |stream| async move {
            let mut stream = stream?;
            match stream.next().await? {
                Ok(line) => Some((Ok(Frame::data(line)), Some(stream))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// The next event to deliver, or the end.
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        tokio::select! {
            Ok(()) = &mut self.cut => None,
            line = self.events.next() => line.transpose(),
        }
    }
}

impl Drop for WatchStream {
    fn drop(&mut self) {
        self.events.shared.watches.close(self.number);
    }
}

impl Events {
    async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        loop {
            while let Some(line) = self.next_in_turn().await? {
                if !self.shared.watches.loses(&self.resource, &line) {
                    return Ok(Some(line));
                }
            }
            if matches!(self.source, Source::Ended) {
                return Ok(None);
            }
            self.fetch().await?;
        }
    }

    /// The next event that is here already, once it may be delivered.
    async fn next_in_turn(&mut self) -> Result<Option<Bytes>, BoxError> {
        if self.initial.is_empty() {
            if self.queued.is_empty() {
                return Ok(None);
            }
            self.shared.views.released(&self.resource).await;
        }
        self.shared.world.pass(self.link.life).await?;
        Ok(self.initial.pop_front().or_else(|| self.queued.pop_front()))
    }

    /// Gets more from the source.
    async fn fetch(&mut self) -> Result<(), BoxError> {
        match &mut self.source {
            Source::Server(body) => {
                let Some(frame) = body.frame().await else {
                    self.source = Source::Ended;
                    self.queued.extend(self.lines.rest());
                    return Ok(());
                };
                if let Ok(bytes) = frame?.into_data() {
                    self.queued.extend(self.lines.push(&bytes));
                }
            }
            Source::OnceReleased(request) => {
                self.shared.views.released(&self.resource).await;
                let response = self.shared.upstream.send((**request).clone()).await?;
                if response.status().is_success() {
                    self.source = Source::Server(response.into_body());
                    return Ok(());
                }
                // The client has its status 200 already: the refusal comes as an event.
                let body = response.into_body().collect().await?.to_bytes();
                let status = serde_json::from_slice::<Value>(&body).unwrap_or_default();
                self.source = Source::Ended;
                self.queued.push_back(error_event(&status));
            }
            Source::Ended => {}
        }
        Ok(())
    }
}

/// Cuts a stream into lines. Each keeps its line feed.
#[derive(Debug, Default)]
struct Lines(BytesMut);

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<Bytes> {
        let searched = self.0.len();
        self.0.extend_from_slice(bytes);
        let mut lines = Vec::new();
        let mut from = searched;
        while let Some(at) = self.0[from..].iter().position(|byte| *byte == b'\n') {
            lines.push(self.0.split_to(from + at + 1).freeze());
            from = 0;
        }
        lines
    }

    /// What came after the last line feed.
    fn rest(&mut self) -> Option<Bytes> {
        (!self.0.is_empty()).then(|| self.0.split().freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_from_any_pieces() {
        let mut lines = Lines::default();
        assert!(lines.push(b"{\"a\":").is_empty());
        assert_eq!(lines.push(b"1}\n{\"b\":2}\n{"), ["{\"a\":1}\n", "{\"b\":2}\n"]);
        assert_eq!(lines.push(b"}\n"), ["{}\n"]);
        assert_eq!(lines.rest(), None);
        assert!(lines.push(b"tail").is_empty());
        assert_eq!(lines.rest(), Some(Bytes::from_static(b"tail")));
    }
}
