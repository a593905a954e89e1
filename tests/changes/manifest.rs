//! What is declared.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Labels or annotations.
pub type Pairs = BTreeMap<&'static str, &'static str>;

/// The keys of labels and annotations that are ever declared.
pub const KEYS: [&str; 3] = ["a", "b", "example.com/c"];

/// A `WebhookEndpoint` as it is declared.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub url: String,
    pub events: Vec<&'static str>,
    pub status: &'static str,
    pub secret: String,
    pub labels: Pairs,
    pub annotations: Pairs,
    pub deletion: &'static str,
    pub drift: &'static str,
    pub paused: bool,
    pub activate_after: &'static str,
    pub retire_after: &'static str,
    pub overlap: &'static str,
}

impl Manifest {
    /// What a resource of this name declares at first.
    pub fn new(name: &str, url: String) -> Self {
        Self {
            url,
            events: vec!["ocpp.message"],
            status: "active",
            secret: name.to_owned(),
            labels: Pairs::new(),
            annotations: Pairs::new(),
            deletion: "Delete",
            drift: "Correct",
            paused: false,
            activate_after: "0s",
            retire_after: "0s",
            overlap: "Full",
        }
    }

    /// As the `spec` of a resource.
    pub fn spec(&self, network: &str) -> Value {
        let Self { url, events, status, secret, labels, annotations, deletion, drift, paused, .. } = self;
        let Self { activate_after, retire_after, overlap, .. } = self;
        json!({
            "networkRef": { "name": network },
            "url": url,
            "enabledEvents": events,
            "status": status,
            "secret": { "name": secret, "labels": labels, "annotations": annotations },
            "deletionPolicy": deletion,
            "driftPolicy": drift,
            "paused": paused,
            "rotation": {
                "activateAfter": activate_after, "retireAfter": retire_after, "overlap": overlap,
            },
        })
    }
}
