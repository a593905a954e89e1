//! Ctrl-C, and the other ways to ask a process to end.

use controlplane::Stop;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::{DemoError, io};

/// The wish to end, for those who wait and for those who look now and then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt {
    token: CancellationToken,
    stop: Stop,
}

impl Interrupt {
    /// Listens from now on: SIGINT, SIGTERM and SIGHUP no longer end this process by themselves.
    pub(crate) fn listen() -> Result<Self, DemoError> {
        let interrupt = Self::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut signals = signal(kind).map_err(io("listening to signals"))?;
            let Self { token, stop } = interrupt.clone();
            tokio::spawn(async move {
                signals.recv().await;
                stop.request();
                token.cancel();
            });
        }
        Ok(interrupt)
    }

    /// Waits for it.
    pub(crate) async fn wait(&self) {
        self.token.cancelled().await;
    }

    /// The same wish, for code that does not await.
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }
}
