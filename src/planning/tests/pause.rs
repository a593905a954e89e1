//! A pause.

use super::given::{Given, attempt, check, endpoint, new, ready};
use crate::planning::{Answer, Intent, NetworkState, Presence, Reason, Unavailable};
use crate::provider::{Endpoint, EndpointStatus};

fn paused(given: Given) -> Given {
    let Intent::Converge(desired) = given.intent else { panic!("it is declared") };
    Given { intent: Intent::Pause(desired), ..given }
}

#[test]
fn it_looks_and_changes_nothing() {
    let inactive = Endpoint { status: EndpointStatus::Inactive, ..endpoint("wh_1", 0) };
    let down = || {
        let unavailable = Unavailable { reason: Reason::NetworkNotReady, message: "down".to_owned() };
        ready().with(|observed| observed.network = NetworkState::Unavailable(unavailable))
    };
    check([
        ("as declared", paused(ready()), "Paused(AsDeclared): Paused"),
        ("set inactive", paused(ready().sees(inactive)), "Paused(Different): Paused"),
        ("nothing was made", paused(new()), "Paused(Different): Paused"),
        ("no list shows it", paused(ready().misses("wh_1", Presence::Unlisted)), "confirm wh_1"),
        ("it is gone", paused(ready().misses("wh_1", Presence::Gone)), "Paused(Different): Paused"),
        ("before the first list", paused(ready().never_listed()), "Reconciling: AwaitingList"),
        (
            "a secret is in memory only",
            paused(new().attempt(attempt(1, 90)).in_hand("wh_1", 1, Answer::WithSecret)),
            "store the secret",
        ),
        (
            "and can't be stored",
            paused(new().attempt(attempt(1, 90)).in_hand("wh_1", 1, Answer::WithoutSecret)),
            "Paused(Different): Paused",
        ),
        ("the network can't be used", paused(down()), "Paused(Nothing): Paused"),
    ]);
}
