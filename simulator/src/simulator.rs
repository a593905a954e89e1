//! Starting and stopping.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::admin;
use crate::config::Config;
use crate::delivery::Sender;
use crate::handle::Handle;
use crate::server::Listener;
use crate::tls::{Certificates, TlsError};
use crate::world::{Shared, World};

/// A running simulator; it stops when dropped.
#[derive(Debug)]
pub struct Simulator {
    handle: Handle,
    tasks: Vec<JoinHandle<()>>,
}

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened at.
    #[error("the simulator cannot listen at {address}: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the machine says.
        source: io::Error,
    },
    /// There is no certificate for the TLS listener.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no client for deliveries.
    #[error("deliveries cannot be sent: {0}")]
    Delivery(#[from] reqwest::Error),
}

impl Simulator {
    /// Starts a simulator. Must be called within a tokio runtime, and lives no longer than that.
    ///
    /// # Errors
    ///
    /// When an address is taken, the certificate cannot be made, or the delivery authorities are no
    /// PEM.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let sender = Sender::new(&config.delivery)?;
        let shared = Arc::new(Shared::new(World::new(&config), sender));
        let mut tasks = Vec::new();

        let plain = listen(&shared, config.listen, None, &mut tasks).await?;
        let tls = match config.listen_tls {
            None => None,
            Some(address) => {
                let certificates = Arc::new(Certificates::new()?);
                let listener = listen(&shared, address, Some(Arc::clone(&certificates)), &mut tasks).await?;
                Some((listener, certificates))
            }
        };
        let mut handle = Handle { shared, plain, tls, admin: None };
        if let Some(address) = config.listen_admin {
            let failed = |source| StartError::Listen { address, source };
            let (address, task) = admin::start(handle.clone(), address).await.map_err(failed)?;
            handle.admin = Some(address);
            tasks.push(task);
        }
        Ok(Self { handle, tasks })
    }

    /// Steers the simulator, also from elsewhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops the simulator and waits until its ports are closed.
    pub async fn stop(mut self) {
        self.handle.shared.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            // It ends by itself once cancelled; an error means that it has already.
            let _ = task.await;
        }
    }
}

impl Deref for Simulator {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.handle.shared.stop.cancel();
    }
}

async fn listen(
    shared: &Arc<Shared>,
    address: SocketAddr,
    certificates: Option<Arc<Certificates>>,
    tasks: &mut Vec<JoinHandle<()>>,
) -> Result<Listener, StartError> {
    let (listener, task) = Listener::start(Arc::clone(shared), address, certificates)
        .await
        .map_err(|source| StartError::Listen { address, source })?;
    tasks.push(task);
    Ok(listener)
}
