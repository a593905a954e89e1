//! What is counted of the calls to the API.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::operation::Operation;

/// In seconds: from a quick answer to one that takes as long as a timeout commonly is.
const BUCKETS: [f64; 9] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// What is counted of the calls to the APIs of all networks. Clones are one and the same.
#[derive(Clone, Debug)]
pub struct ApiMetrics {
    requests: Family<Asked, Counter>,
    durations: Family<Timed, Histogram>,
    waits: Family<Of, Histogram>,
    pauses: Family<Of, Counter>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Of {
    network: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Timed {
    network: String,
    operation: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Asked {
    network: String,
    operation: &'static str,
    outcome: &'static str,
}

impl Default for ApiMetrics {
    fn default() -> Self {
        let histogram = || Histogram::new(BUCKETS);
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            waits: Family::new_with_constructor(histogram),
            pauses: Family::default(),
        }
    }
}

impl ApiMetrics {
    /// Has them shown.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "api_requests",
            "Requests to the remote API and for tokens; the outcome is ok, or a reason in one word",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "api_request_duration",
            "How long requests to the remote API took, from sending to the last byte of the answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register_with_unit(
            "api_budget_wait",
            "How long requests to the remote API waited for their turn in the network's budget",
            Unit::Seconds,
            self.waits.clone(),
        );
        registry.register(
            "api_pauses",
            "How often the remote API asked for a pause by Retry-After",
            self.pauses.clone(),
        );
    }

    /// What counts for one network.
    #[must_use]
    pub fn of(&self, network: impl Into<String>) -> Meter {
        let inner = Inner { metrics: self.clone(), network: network.into(), asked: Mutex::default() };
        Meter(Arc::new(inner))
    }
}

/// Counts for one network. What it has counted is gone once all its clones are dropped: networks come and go.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    metrics: ApiMetrics,
    network: String,
    /// What it has counted.
    asked: Mutex<BTreeSet<Asked>>,
}

/// One that nobody looks at.
impl Default for Meter {
    fn default() -> Self {
        ApiMetrics::default().of("")
    }
}

impl Meter {
    /// Takes in a request that was answered, or not; the outcome is a reason in one word.
    pub(super) fn asked(&self, operation: Operation, outcome: Option<&'static str>, took: Duration) {
        let Inner { metrics, network, asked } = &*self.0;
        let (network, operation) = (network.clone(), operation.word());
        let request = Asked { network: network.clone(), operation, outcome: outcome.unwrap_or("ok") };
        metrics.requests.get_or_create(&request).inc();
        metrics.durations.get_or_create(&Timed { network, operation }).observe(took.as_secs_f64());
        asked.lock().unwrap_or_else(PoisonError::into_inner).insert(request);
    }

    /// Takes in how long a request waited for its turn.
    pub(super) fn waited(&self, time: Duration) {
        self.0.metrics.waits.get_or_create(&self.of()).observe(time.as_secs_f64());
    }

    /// Takes in that the API asked for a pause.
    pub(super) fn paused(&self) {
        self.0.metrics.pauses.get_or_create(&self.of()).inc();
    }

    fn of(&self) -> Of {
        Of { network: self.0.network.clone() }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Self { metrics, network, asked } = self;
        let asked = asked.get_mut().unwrap_or_else(PoisonError::into_inner);
        for request in std::mem::take(asked) {
            metrics.requests.remove(&request);
            metrics.durations.remove(&Timed { network: request.network, operation: request.operation });
        }
        let of = Of { network: network.clone() };
        metrics.waits.remove(&of);
        metrics.pauses.remove(&of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_counted_for_a_network_goes_with_it() {
        let (metrics, mut registry) = (ApiMetrics::default(), Registry::default());
        metrics.register(&mut registry);
        let (stays, goes) = (metrics.of("stays"), metrics.of("goes"));
        for meter in [&stays, &goes, &goes.clone()] {
            meter.asked(Operation::Create, None, Duration::from_millis(30));
            meter.asked(Operation::List, Some("RateLimited"), Duration::ZERO);
            meter.waited(Duration::ZERO);
            meter.paused();
        }
        let text = shown(&registry);
        let line = r#"api_requests_total{network="goes",operation="create",outcome="ok"} 2"#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains(r#"api_pauses_total{network="stays"} 1"#), "{text}");
        drop(goes);
        let text = shown(&registry);
        assert!(!text.contains("goes") && text.contains("stays"), "{text}");
        drop(stays);
        assert_eq!(shown(&registry), "");
    }
}
