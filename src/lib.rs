//! Keeps remote webhook endpoints as `WebhookEndpoint` manifests declare them.

pub mod provider;
