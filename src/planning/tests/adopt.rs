//! Taking an endpoint over.

use super::given::{Given, attempt, both, check, endpoint, holding, new};
use crate::planning::{Adoption, Finalizer, HeldSecret, Presence, SecretSource, SecretState};
use crate::provider::Endpoint;

fn asks(given: Given) -> Given {
    given.desired(|desired| desired.rotate = Some("1".to_owned()))
}

fn elsewhere(given: Given) -> Given {
    given.desired(|desired| desired.endpoint.url = "https://new.example.com".into())
}

#[test]
fn an_endpoint_that_exists_is_taken_over() {
    let known = Some(SecretSource { name: "known".to_owned(), key: "secret".to_owned() });
    let adopts = |source: &Option<SecretSource>| {
        let adoption = Adoption { id: "wh_7".into(), source: source.clone() };
        let given = new().desired(|d| d.adopt = Some(adoption)).sees(endpoint("wh_7", 0));
        given.with(|o| {
            o.claim = Some("wh_7".into());
            o.finalizer = Finalizer::Set;
        })
    };
    let adopted = || {
        let held = HeldSecret { endpoint: Some("wh_7".into()), ..HeldSecret::default() };
        adopts(&known).secret(held).with(|o| o.claim = None)
    };
    check([
        ("its secret is known", adopts(&known), "adopt wh_7 with known/secret"),
        (
            "the finalizer first",
            adopts(&known).with(|o| o.finalizer = Finalizer::Absent),
            "set the finalizer",
        ),
        ("it is not", adopts(&None), "Stalled: SecretUnknown"),
        (
            "and somebody asks for another one",
            asks(adopts(&None)),
            "Replacing(Different): Replacing until 100s",
        ),
        (
            "which is put on record",
            asks(adopts(&None)).recorded("wh_7").with(|o| o.claim = None),
            "record attempt 1 (Requested), inactive",
        ),
        ("another resource holds it", adopts(&known).contested("wh_7"), "Stalled: EndpointContested"),
        ("it does not exist", adopts(&known).misses("wh_7", Presence::Gone), "Stalled: EndpointNotFound"),
        ("it is not listed", adopts(&known).misses("wh_7", Presence::Unlisted), "confirm wh_7"),
        (
            "it is in another network",
            adopts(&known).with(|o| o.claimed_elsewhere = Some("another".to_owned())),
            "Stalled: EndpointInAnotherNetwork",
        ),
        (
            "the Secret's name is taken",
            adopts(&known).secret_is(SecretState::Foreign),
            "Stalled: SecretNotOurs",
        ),
        (
            "what a lost create made is found first",
            adopts(&known).attempt(attempt(1, 90)),
            "Reconciling: ResolvingCreate until 130s",
        ),
        ("then it is adopted", adopts(&known).attempt(attempt(1, 0)), "record that attempt 1 was answered"),
        ("it is as declared", adopted(), "Ready: Available"),
        (
            "its events are not",
            adopted().sees(Endpoint { enabled_events: both(), ..endpoint("wh_7", 0) }),
            "patch wh_7: events ocpp.message",
        ),
        (
            "its URL is another one",
            elsewhere(adopted()).recorded("wh_7"),
            "record attempt 1 (Url), inactive, https://new.example.com",
        ),
        (
            "a Secret that was retained with it is taken, and nothing is asked of the API",
            adopts(&known).secret_is(SecretState::Ownerless(holding("wh_7", 3))),
            "sync the Secret's metadata",
        ),
    ]);
}
