//! Keeps remote webhook endpoints as `WebhookEndpoint` manifests declare them, and each signing secret
//! in a Kubernetes Secret.

pub mod backoff;
pub mod conditions;
pub mod controller;
pub mod index;
mod kubernetes;
pub mod network;
pub mod planning;

pub mod provider;
pub mod reconcile;
pub mod resources;
