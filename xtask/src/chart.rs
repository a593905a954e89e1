//! The chart, rendered by Helm.

use std::io;
use std::process::Command;

use controlplane::Stop;
use controlplane::binaries::{BinariesError, Sources, ensure_one};
use controlplane::version::Binary;

use crate::cargo::root;

/// Why the chart was not rendered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChartError {
    #[error(transparent)]
    Helm(#[from] BinariesError),
    #[error("helm can't be started: {0}")]
    Start(#[from] io::Error),
    #[error("helm can't render deploy/chart: {0}")]
    Refused(String),
}

/// The objects of the chart with its default values, but for the custom resource definitions: `crds/` has them, and
/// who deletes these objects should not delete those.
pub(crate) fn base() -> Result<String, ChartError> {
    let helm = ensure_one(&Sources::from_env()?, Binary::Helm, &Stop::new())?;
    let output = Command::new(helm)
        .args(["template", "webhook-operator", "--namespace=webhook-operator", "--set=crds.install=false"])
        .arg(root().join("deploy/chart"))
        .output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ChartError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
