//! What is counted of reconciliations.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::failure::Failure;
use crate::planning::Action;

/// In seconds: from one that finds nothing to do to one that is given up.
const BUCKETS: [f64; 9] = [0.0005, 0.002, 0.01, 0.05, 0.2, 1.0, 5.0, 30.0, 300.0];

/// What is counted of reconciliations. Clones are one and the same.
#[derive(Clone, Debug)]
pub struct ReconcileMetrics {
    outcomes: Family<Outcome, Counter>,
    durations: Histogram,
    steps: Family<Step, Counter>,
    events: Family<Event, Counter>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Step {
    step: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Event {
    r#type: &'static str,
    reason: String,
}

impl Default for ReconcileMetrics {
    fn default() -> Self {
        Self {
            outcomes: Family::default(),
            durations: Histogram::new(BUCKETS),
            steps: Family::default(),
            events: Family::default(),
        }
    }
}

impl ReconcileMetrics {
    /// Has them shown.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "reconciliations",
            "Reconciliations of WebhookEndpoints: ok, failed, outdated (waits for the watches), or waiting (for another one)",
            self.outcomes.clone(),
        );
        registry.register_with_unit(
            "reconciliation_duration",
            "How long reconciliations of WebhookEndpoints took",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register("steps", "Steps of reconciliations by kind: ok, or failed", self.steps.clone());
        registry.register(
            "events",
            "What happened to WebhookEndpoints and networks, as Events tell it, by type and reason",
            self.events.clone(),
        );
    }

    pub(super) fn reconciled(&self, outcome: &'static str, took: Duration) {
        self.outcomes.get_or_create(&Outcome { outcome }).inc();
        self.durations.observe(took.as_secs_f64());
    }

    pub(super) fn performed(&self, action: &Action, done: &Result<(), Failure>) {
        let step = Step { step: action.name(), outcome: if done.is_ok() { "ok" } else { "failed" } };
        self.steps.get_or_create(&step).inc();
    }

    pub(super) fn told(&self, r#type: &'static str, reason: &str) {
        self.events.get_or_create(&Event { r#type, reason: reason.to_owned() }).inc();
    }
}
