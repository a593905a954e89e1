//! Keeps remote webhook endpoints as `WebhookEndpoint` manifests declare them, and each signing secret
//! in a Kubernetes Secret.

pub mod planning;
pub mod provider;
pub mod resources;
pub mod state;
