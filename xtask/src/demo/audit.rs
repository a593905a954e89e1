//! What the operator wrote to Kubernetes, from the API server's audit log.

use std::path::Path;

use testkit::audit::{By, Mark, requests};
use testkit::service_account::USER;

use super::error::{DemoError, io};

/// How much the operator wrote.
#[derive(Clone, Copy, Default)]
pub(crate) struct Writes {
    /// Of resources and Secrets.
    pub(crate) objects: usize,
    /// Of Events.
    pub(crate) events: usize,
}

impl Writes {
    /// Those in a namespace so far. A dry run writes nothing.
    pub(crate) fn in_namespace(namespace: &str, log: &Path) -> Result<Self, DemoError> {
        let mut requests =
            requests(log, Mark::default(), By::User(USER)).map_err(io("reading the audit log"))?;
        requests.retain(|request| request.namespace == namespace && request.is_write() && !request.dry_run);
        let events = requests.iter().filter(|request| request.resource == "events").count();
        Ok(Self { objects: requests.len() - events, events })
    }
}
