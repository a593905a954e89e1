//! What can go wrong between the operator and the remote API.

use std::time::Duration;

use simulator::{FaultKind, Hold, Point, RetryAfter};

/// One class of trouble.
pub struct Class {
    /// What it is called.
    pub name: &'static str,
    /// How it comes about.
    pub trouble: Trouble,
}

/// How a class of trouble comes about.
pub enum Trouble {
    /// The simulator treats the call so.
    Fault(fn() -> FaultKind),
    /// Nobody listens.
    Closed,
    /// The certificate is another authority's.
    Certificate,
}

const fn fault(name: &'static str, kind: fn() -> FaultKind) -> Class {
    Class { name, trouble: Trouble::Fault(kind) }
}

/// All classes. The operator waits a second for an answer.
pub const CLASSES: [Class; 27] = [
    Class { name: "refused connection", trouble: Trouble::Closed },
    Class { name: "TLS failure", trouble: Trouble::Certificate },
    fault("reset before the effect", || FaultKind::Reset { point: Point::BeforeEffect }),
    fault("reset after the effect", || FaultKind::Reset { point: Point::AfterEffect }),
    fault("timeout before the effect", || FaultKind::Hang { point: Point::BeforeEffect }),
    fault("timeout after the effect", || FaultKind::Hang { point: Point::AfterEffect }),
    fault("late effect, then answer", || FaultKind::Latency { hold: Hold::For(Duration::from_millis(1500)) }),
    fault("reset, then late effect", || FaultKind::Deferred { hold: Hold::For(Duration::from_millis(700)) }),
    fault("slow body", || FaultKind::Drip { bytes: 1, interval: Duration::from_millis(40) }),
    fault("truncated body", || FaultKind::Truncate),
    fault("invalid JSON", || FaultKind::InvalidJson),
    fault("oversized body", || FaultKind::Oversize { bytes: 8 << 20 }),
    fault("2xx without secret", FaultKind::without_secret),
    fault("2xx without body", || FaultKind::status_after_effect(200, "")),
    fault("408", || FaultKind::status(408, "")),
    fault("409", || FaultKind::status(409, "")),
    fault("429", || FaultKind::RateLimit { retry_after: None }),
    fault("429 with Retry-After", || FaultKind::RateLimit { retry_after: Some(RetryAfter::Seconds(1)) }),
    fault("500", || FaultKind::status(500, "")),
    fault("500 after the effect", || FaultKind::status_after_effect(500, "")),
    fault("502", || FaultKind::status(502, "<html>")),
    fault("502 after the effect", || FaultKind::status_after_effect(502, "<html>")),
    fault("503", || FaultKind::status(503, "")),
    fault("504", || FaultKind::status(504, "")),
    fault("504 after the effect", || FaultKind::status_after_effect(504, "")),
    fault("redirect (302)", || FaultKind::redirect(302, "https://127.0.0.1:1/")),
    fault("redirect (307)", || FaultKind::redirect(307, "https://127.0.0.1:1/")),
];
