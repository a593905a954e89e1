//! What is known, kept in memory and changed synchronously: no client, no await.
//!
//! Watches feed it, and lists of the networks, and the answers to our own calls, which are newer than what a
//! watch has shown so far. All of it is one [`Index`], so that one lock makes every look at it consistent:
//!
//! - `resources`: a record for each resource, and which of them wait for what;
//! - `endpoints`: which resource holds which remote endpoint, and which creates are unresolved;
//! - `secrets`, `namespaces`: what the watches of those have shown;
//! - `networks`: who may use each, whether it can be asked, and its inventory of remote endpoints;
//! - `identity`, `identify`: which of the vendor's networks each leads to;
//! - `lists`: what a list of a network changes;
//! - `figures`: what is counted of it;
//! - `observe`: all that planning wants to know of one resource.

mod access;
mod endpoints;
mod figures;
mod identify;
mod identity;
mod inventory;
mod key;
mod lists;
mod local;
mod lookup;
mod namespaces;
mod networks;
mod observe;
mod pace;
mod resource;
mod resources;
mod secret_meta;
mod secrets;

#[cfg(test)]
mod tests;

pub use access::Access;
pub use figures::{Figures, NetworkFigures};
pub use identity::{Claim, Origin};
pub use inventory::{Incarnation, Inventory, ListToken};
pub use key::{NetworkKey, ResourceKey};
pub use lists::Census;
pub use local::{LocalState, Pause, SecretWrite};
pub use networks::{Api, Entry, Kept, NetworkUse, Replaced};
pub use observe::{Clocks, Waits};
pub use resource::Resource;
pub use resources::{Mark, Seen};
pub use secret_meta::{Overruled, StoredMeta, TemplateKeys, previous_key};

use endpoints::Holdings;
use namespaces::Namespaces;
use networks::Networks;
use resources::Resources;
use secrets::Secrets;

/// What is known of the resources, their Secrets and namespaces, and the networks.
///
/// `N` is a handle of a network that can be asked: the index keeps it, and never uses it.
#[derive(Debug)]
pub struct Index<N> {
    resources: Resources,
    holdings: Holdings,
    secrets: Secrets,
    namespaces: Namespaces,
    networks: Networks<N>,
}

impl<N> Default for Index<N> {
    fn default() -> Self {
        Self {
            resources: Resources::default(),
            holdings: Holdings::default(),
            secrets: Secrets::default(),
            namespaces: Namespaces::default(),
            networks: Networks::default(),
        }
    }
}

/// A resource version as a number; `None` when it is not one.
///
/// Resource versions of one resource type are comparable as of Kubernetes 1.35 (KEP-5504), and were so
/// in practice before.
pub(crate) fn version(resource_version: Option<&str>) -> Option<u64> {
    resource_version?.parse().ok()
}
