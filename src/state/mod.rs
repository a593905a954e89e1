//! What is known of the cluster, kept in memory and changed synchronously: no client, no await.
//!
//! Watches feed it, and so do the answers to our own writes, which are newer than what a watch has
//! shown so far.

mod claims;
mod key;
mod secrets;

pub use claims::{Claim, Claims};
pub use key::{NetworkKey, ResourceKey};
pub use secrets::{SecretIndex, StoredMeta, TemplateKeys};

/// A resource version as a number; `None` when it is not one.
///
/// Resource versions of one resource type are comparable as of Kubernetes 1.35 (KEP-5504), and were so
/// in practice before.
pub(crate) fn version(resource_version: Option<&str>) -> Option<u64> {
    resource_version?.parse().ok()
}
