//! Mistakes that the model in `tests/model` found, each as the one plan that was wrong.

use super::given::{at, attempt, attempted, check, endpoint, holding, new, ready};
use crate::planning::{Attempt, Presence, Progress, Step, plan};
use crate::provider::{Endpoint, EndpointStatus};

/// What is concluded from an attempt's times does not hold for what is sent long after it was recorded.
#[test]
fn an_attempt_is_sent_at_once_or_begun_anew() {
    let unsent = || attempted(Progress::Unsent);
    check([
        ("at once", unsent().at(91), "create"),
        ("at the last moment", unsent().at(100), "create"),
        ("after a refusal and a pause", unsent().at(101), "record attempt 2"),
        (
            "sent at the last moment and unanswered, it settles as late",
            unsent().progress(Progress::Unanswered(at(100))).listed(129).at(129),
            "Reconciling: ResolvingCreate until 130s",
        ),
    ]);
}
