//! The interposer: its configuration, its start, and what can be asked of it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use url::Url;

use crate::call::Call;
use crate::error::StartError;
use crate::fault::{Fault, FaultHandle, Faults, Times};
use crate::kubeconfig::{self, KubeconfigError};
use crate::listen::{self, Command};
use crate::shared::Shared;
use crate::target::Side;
use crate::tls::Identity;
use crate::upstream::Upstream;
use crate::view::{Collection, Views};
use crate::watch::{DroppedEvents, Expiry, WatchEvent, Watches};
use crate::world::World;

/// What clients speak to an interposer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serve {
    /// TLS, with a certificate of the interposer's own authority.
    Https,
    /// Plain text.
    Http,
}

/// How to start an interposer.
#[derive(Debug, Clone)]
pub struct Config {
    /// How calls are read.
    pub side: Side,
    /// Scheme, host and port of the server; a path is not used.
    pub upstream: Url,
    /// The authorities (PEM) that vouch for an https server.
    pub upstream_ca: Option<String>,
    /// What clients speak.
    pub serve: Serve,
    /// What this interposer stops with.
    pub world: World,
}

/// A proxy on a port of the loopback interface. It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Interposer {
    shared: Arc<Shared>,
    address: SocketAddr,
    ca_pem: Option<String>,
    commands: mpsc::Sender<Command>,
}

impl Interposer {
    /// Starts one; it is listening when this returns. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the configuration does not fit, or no port can be had.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let Config { side, upstream, upstream_ca, serve, world } = config;
        let upstream = Upstream::new(&upstream, upstream_ca.as_deref())?;
        let (ca_pem, tls) = match serve {
            Serve::Http => (None, None),
            Serve::Https => {
                let identity = Identity::generate()?;
                (Some(identity.ca_pem), Some(identity.acceptor))
            }
        };
        let listener = listen::bind().map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let shared = Arc::new(Shared {
            side,
            world,
            upstream,
            faults: Faults::default(),
            views: Views::default(),
            watches: Watches::default(),
        });
        let (commands, orders) = mpsc::channel(1);
        tokio::spawn(listen::run(listener, address, tls, Arc::clone(&shared), orders));
        Ok(Self { shared, address, ca_pem, commands })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients use in the server's place: scheme, host and port, no final slash.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The authority (PEM) that clients must trust; none without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// A kubeconfig whose current context leads here: `source` (YAML) with the interposer's URL and
    /// authority. Its user must have a token or a program, for a client certificate does not pass through.
    ///
    /// # Errors
    /// When `source` has no current context, or only a client certificate.
    pub fn kubeconfig(&self, source: &str) -> Result<String, KubeconfigError> {
        kubeconfig::rewrite(source, &self.url(), self.ca_pem())
    }

    /// From now on lists of `collection` show what was there at `resource_version`, and no watch of it
    /// delivers anything, those that are open included. Until [`release_view`](Self::release_view); the
    /// events are delivered then. GETs of single objects are not affected, as they are not in a cluster.
    ///
    /// The version is one of the API server's (all collections share them) and must not be compacted.
    pub fn serve_old_view(&self, collection: Collection, resource_version: impl Into<String>) {
        self.shared.views.hold(collection, resource_version.into());
    }

    /// Ends what [`serve_old_view`](Self::serve_old_view) began, for an equal `collection`.
    pub fn release_view(&self, collection: &Collection) {
        self.shared.views.release(collection);
    }

    /// Loses the watch events for which `drops`, until the handle is told to stop.
    pub fn drop_watch_events(
        &self,
        drops: impl Fn(&WatchEvent<'_>) -> bool + Send + Sync + 'static,
    ) -> DroppedEvents {
        self.shared.watches.drop_events(Box::new(drops))
    }

    /// Ends the open watches of a collection, and tells the next watch of each that its version is too
    /// old, so that the client must list anew. If none is open, the next watch that matches is told so.
    /// Only a watch that goes on from a version can be too late. Gives how many were open.
    #[expect(clippy::must_use_candidate, reason = "called for what it does, not for how many it did it to")]
    pub fn expire_watches(&self, collection: Collection, expiry: Expiry) -> usize {
        self.shared.watches.expire(collection, expiry)
    }

    /// Injects a fault into calls for which `on`. Faults are tried in the order in which they were
    /// injected, one to a call.
    pub fn inject(
        &self,
        fault: Fault,
        times: Times,
        on: impl Fn(&Call) -> bool + Send + Sync + 'static,
    ) -> FaultHandle {
        self.shared.faults.order(fault, times, Box::new(on))
    }

    /// Hangs up on all clients and refuses new connections, until [`accept`](Self::accept).
    ///
    /// # Errors
    /// When the port cannot be kept.
    pub async fn refuse(&self) -> std::io::Result<()> {
        self.command(Command::Refuse).await
    }

    /// Accepts connections again.
    ///
    /// # Errors
    /// When the port cannot be listened on.
    pub async fn accept(&self) -> std::io::Result<()> {
        self.command(Command::Accept).await
    }

    async fn command(
        &self,
        command: impl FnOnce(oneshot::Sender<std::io::Result<()>>) -> Command,
    ) -> std::io::Result<()> {
        let ended = || std::io::Error::other("the interposer's runtime has ended");
        let (done, result) = oneshot::channel();
        self.commands.send(command(done)).await.map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }
}
