//! Everything that the demo runs on, and its orderly end.

use std::fs;
use std::path::PathBuf;

use controlplane::{ControlPlane, Options, StartError};
use simulator::{Config, NetworkConfig, Simulator};

use super::audit::Writes;
use super::error::{DemoError, Problem, io};
use super::interrupt::Interrupt;
use super::kubectl::Kubectl;
use super::operator::{Operator, write_private};
use super::programs::{self, Programs};
use super::receiver::Receiver;
use super::samples::{self, Addresses};
use crate::cargo::root;

/// The simulator's name of the network.
pub(crate) const NETWORK: &str = "n_demo";
/// The credentials that the simulator takes.
const CLIENT_ID: &str = "demo-client";
const CLIENT_SECRET: &str = "demo-client-secret";

/// What runs.
pub(crate) struct Stage {
    pub(crate) operator: Option<Operator>,
    pub(crate) simulator: Simulator,
    pub(crate) receiver: Receiver,
    pub(crate) kubectl: Kubectl,
    /// Where the samples, credentials and logs are; goes away with the control plane.
    pub(crate) folder: PathBuf,
    /// What the story needs to remember.
    pub(crate) notes: Notes,
    programs: Programs,
    /// The last to go.
    pub(crate) control_plane: ControlPlane,
}

/// What one step learns and another needs.
#[derive(Default)]
pub(crate) struct Notes {
    /// The remote endpoint's id.
    pub(crate) endpoint: Option<simulator::EndpointId>,
    /// What the create cost.
    pub(crate) create: Writes,
    /// How many deliveries were verified.
    pub(crate) verified: usize,
    /// How many forged ones were refused.
    pub(crate) refused: usize,
}

impl Stage {
    /// Builds and starts everything but the operator.
    pub(crate) async fn set(interrupt: &Interrupt) -> Result<Self, DemoError> {
        let programs = programs::build(interrupt).await?;
        let control_plane = start_control_plane(&programs, interrupt).await?;
        // In the control plane's own folder, which goes away however this process ends.
        let folder = control_plane.info().state_dir.join("demo");
        fs::create_dir(&folder).map_err(io("making the demo's folder"))?;
        std::os::unix::fs::symlink(root().join("deploy"), folder.join("deploy"))
            .map_err(io("linking deploy/ into the demo's folder"))?;

        let network = NetworkConfig::new(NETWORK).client(CLIENT_ID, CLIENT_SECRET);
        let simulator = Simulator::start(Config::default().network(network).admin()).await?;
        let receiver = Receiver::start(&programs.receiver, &control_plane, &folder).await?;
        let addresses = Addresses {
            api: simulator.base_url(),
            token: simulator.token_url(),
            receiver: receiver.url.clone(),
        };
        samples::write(&folder, &addresses)?;
        write_private(&folder.join("clientId"), CLIENT_ID)?;
        write_private(&folder.join("clientSecret"), CLIENT_SECRET)?;
        let kubectl = Kubectl::new(&control_plane, folder.clone());
        Ok(Self {
            operator: None,
            receiver,
            notes: Notes::default(),
            simulator,
            kubectl,
            folder,
            programs,
            control_plane,
        })
    }

    /// Starts the operator; see [`Operator::start`].
    pub(crate) async fn start_operator(&mut self) -> Result<(), Problem> {
        let operator =
            Operator::start(&self.programs.operator, &self.control_plane, &self.kubectl, &self.folder);
        self.operator = Some(operator.await?);
        Ok(())
    }

    /// Stops and removes everything.
    pub(crate) async fn clear(self) {
        let Self { operator, simulator, receiver, control_plane, .. } = self;
        if let Some(operator) = operator {
            operator.stop().await;
        }
        drop(receiver);
        simulator.stop().await;
        drop(control_plane);
    }
}

async fn start_control_plane(programs: &Programs, interrupt: &Interrupt) -> Result<ControlPlane, DemoError> {
    let options = Options { program: Some(programs.controlplane.clone()), ..Options::with_crds() };
    let stop = interrupt.stop().clone();
    let started = tokio::task::spawn_blocking(move || ControlPlane::start_unless(&stop, &options)).await;
    match started
        .map_err(|error| DemoError::Io { what: "starting the control plane", source: error.into() })?
    {
        Err(StartError::Stopped) => Err(DemoError::Interrupted),
        started => Ok(started?),
    }
}
