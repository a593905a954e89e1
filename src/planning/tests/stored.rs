//! Whose the Secret is, and whether what it holds is believed.

use super::given::{Given, attempt, check, endpoint, holding, new, ready};
use crate::planning::Removal::{Delete, Retain};
use crate::planning::{
    Action, Answer, Finalizer, HeldSecret, Mutability, Ownership, Presence, Progress, Record, Recorded,
    Removal, SecretData, SecretState,
};
use crate::provider::Endpoint;

fn written(data: SecretData) -> HeldSecret {
    HeldSecret { data, ..holding("wh_1", 1) }
}

fn noted() -> HeldSecret {
    HeldSecret { ownership: Ownership::Note, ..holding("wh_1", 1) }
}

fn immutable() -> HeldSecret {
    HeldSecret { mutability: Mutability::Immutable, ..holding("wh_1", 1) }
}

fn finalized(given: Given, removal: Removal) -> Given {
    given.removed(removal).with(|observed| observed.finalizer = Finalizer::Set)
}

#[test]
fn case_05_values_that_somebody_altered_are_not_believed() {
    let altered = || ready().secret(written(SecretData::Altered));
    let restored = || ready().secret(written(SecretData::Restored));
    check([
        ("altered", altered(), "record attempt 2 (SecretLost), inactive"),
        (
            "and its endpoint is deleted, as the message says",
            altered().misses("wh_1", Presence::Gone),
            "record attempt 2",
        ),
        ("come back whole", restored(), "verify the Secret"),
        ("before it is moved", restored().former("old", written(SecretData::Restored)), "verify the Secret"),
        (
            "altered, and to be moved",
            ready().secret_is(SecretState::Absent).former("old", written(SecretData::Altered)),
            "record attempt 2 (SecretLost), inactive",
        ),
        (
            "whole, and it does not tell whose it is",
            new().secret(HeldSecret { endpoint: None, ..written(SecretData::Restored) }),
            "verify the Secret",
        ),
        (
            "altered, and nobody knows of an endpoint",
            new().secret(HeldSecret { endpoint: None, ..written(SecretData::Altered) }),
            "record attempt 2",
        ),
    ]);
}

#[test]
fn case_06_a_secret_that_lost_its_owner_is_owned_again() {
    let stripped = || ready().secret_is(SecretState::Ownerless(holding("wh_1", 1)));
    check([
        ("the status names its endpoint", stripped(), "sync the Secret's metadata"),
        ("which delivers elsewhere", stripped().sees(elsewhere()), "sync the Secret's metadata"),
        ("which is gone", stripped().misses("wh_1", Presence::Gone), "sync the Secret's metadata"),
        ("the finalizer first", stripped().with(|o| o.finalizer = Finalizer::Absent), "set the finalizer"),
        ("no list yet", stripped().never_listed(), "Reconciling: AwaitingList"),
        (
            "another resource holds its endpoint too",
            stripped().contested("wh_1"),
            "Stalled: EndpointContested",
        ),
        (
            "before the answer to its write was in",
            stripped().attempt(attempt(2, 90)).in_hand("wh_1", 2, Answer::WithSecret),
            "sync the Secret's metadata",
        ),
        ("deleted meanwhile", finalized(stripped(), Delete), "delete wh_1 (removed)"),
        (
            "then the Secret, which nobody else would delete",
            finalized(stripped(), Delete).misses("wh_1", Presence::Gone),
            "delete Secret charging",
        ),
        ("retained meanwhile", finalized(stripped(), Retain), "remove the finalizer"),
    ]);
}

fn elsewhere() -> Endpoint {
    Endpoint { url: "https://elsewhere.example.com".into(), ..endpoint("wh_1", 0) }
}

#[test]
fn case_09_a_secret_that_came_back_without_its_owner_is_owned_again() {
    let unowned = |state: fn(HeldSecret) -> SecretState| new().secret_is(state(holding("wh_1", 1)));
    let ownerless = || unowned(SecretState::Ownerless);
    let former = || unowned(SecretState::OfFormerResource);
    let there = |given: Given| given.sees(endpoint("wh_1", 0));
    let guarded = |given: Given| given.with(|observed| observed.finalizer = Finalizer::Set);
    check([
        ("the finalizer first", there(ownerless()), "set the finalizer"),
        ("its endpoint is there", guarded(there(ownerless())), "sync the Secret's metadata"),
        ("it has the old uid", guarded(there(former())), "sync the Secret's metadata"),
        (
            "a copied attempt is nobody's",
            guarded(
                there(ownerless())
                    .attempt(crate::planning::Attempt { uid: "old".to_owned(), ..attempt(3, 0) }),
            ),
            "sync the Secret's metadata",
        ),
        (
            "a create that is unanswered is resolved first: the number may be an earlier resource's",
            there(ownerless()).attempt(attempt(1, 90)),
            "Reconciling: ResolvingCreate until 130s",
        ),
        ("no list yet", ownerless().never_listed(), "Reconciling: AwaitingList"),
        ("its endpoint is not listed", ownerless().misses("wh_1", Presence::Unlisted), "confirm wh_1"),
        ("its endpoint is gone", ownerless().misses("wh_1", Presence::Gone), "Stalled: SecretNotOurs"),
        (
            "its endpoint is gone, and so is its owner",
            former().misses("wh_1", Presence::Gone),
            "Reconciling: SecretOfFormerResource",
        ),
        ("it delivers elsewhere", ownerless().sees(elsewhere()), "Stalled: SecretNotOurs"),
        ("another resource holds it", there(ownerless()).contested("wh_1"), "Stalled: SecretNotOurs"),
        (
            "it does not tell whose it is",
            new().secret_is(SecretState::Ownerless(HeldSecret { endpoint: None, ..holding("", 0) })),
            "Stalled: SecretNotOurs",
        ),
    ]);
}

#[test]
fn nobody_is_told_to_delete_the_secret_of_an_endpoint_that_is_there() {
    let given = new().secret_is(SecretState::Ownerless(holding("wh_1", 1))).sees(elsewhere());
    let crate::planning::Step::End(outcome) =
        crate::planning::plan(&given.intent, &given.observed, given.now)
    else {
        panic!("it is left alone")
    };
    assert!(!outcome.message.contains("delete"), "{}", outcome.message);
}

#[test]
fn case_07_what_is_retained_has_no_owner_that_takes_it_along() {
    let retain = |given: Given| given.desired(|desired| desired.secret.ownership = Ownership::Note);
    let gone = || finalized(ready().secret_is(SecretState::Absent), Retain);
    check([
        ("the policy is Retain now", retain(ready()), "sync the Secret's metadata"),
        ("whatever the network does", retain(ready()).never_listed(), "sync the Secret's metadata"),
        ("it is so already", retain(ready().secret(noted())), "Ready: Available"),
        ("the policy is Delete again", ready().secret(noted()), "sync the Secret's metadata"),
        ("retained", finalized(ready().secret(noted()), Retain), "release the Secret"),
        (
            "deleted: nobody else would delete it",
            finalized(ready().secret(noted()), Delete).misses("wh_1", Presence::Gone),
            "delete Secret charging",
        ),
        (
            "nor one under a former name",
            finalized(ready().former("old", noted()), Delete).misses("wh_1", Presence::Gone),
            "delete Secret old",
        ),
        (
            "it was collected before its release",
            gone(),
            "remove the finalizer, warning that the secret of wh_1 is gone",
        ),
        ("its endpoint is gone too", gone().misses("wh_1", Presence::Gone), "remove the finalizer"),
        (
            "it is under a former name, and was released",
            gone().with(|observed| observed.released = ["wh_1".into()].into()),
            "remove the finalizer",
        ),
        (
            "nothing was made",
            finalized(new(), Retain).with(|o| o.recorded = Recorded::default()),
            "remove the finalizer",
        ),
    ]);
}

#[test]
fn case_08_a_secret_that_cannot_be_written_over_makes_way() {
    let gone = || ready().secret(immutable()).misses("wh_1", Presence::Gone);
    let hand = || gone().attempt(attempt(2, 90)).in_hand("wh_2", 2, Answer::WithSecret);
    check([
        ("nothing is to be written", ready().secret(immutable()), "Ready: Available"),
        ("labels are", ready().secret(immutable()).labelled(&[("team", "a")]), "sync the Secret's metadata"),
        ("another endpoint is to be made", gone(), "delete Secret charging"),
        ("it was made immutable just now", hand(), "delete Secret charging"),
        (
            "it holds the secret in hand",
            hand().secret(HeldSecret { attempt: 2, endpoint: Some("wh_2".into()), ..immutable() }),
            "store the secret",
        ),
        ("its endpoint is there", hand().sees(endpoint("wh_1", 0)), "delete wh_2 (in hand)"),
    ]);
}

#[test]
fn case_04_what_somebody_overrules_is_accepted() {
    let labelled = || ready().labelled(&[("team", "a")]);
    let shape = || {
        let crate::planning::Intent::Converge(desired) = labelled().intent else { unreachable!() };
        desired.secret
    };
    let synced = Action::SyncSecretMetadata { shape: shape(), endpoint: Some("wh_1".into()), attempt: None };
    let after = |action: Action| labelled().with(|observed| observed.previous = Some(action));
    check([
        ("it was written to no effect", after(synced), "accept the Secret's metadata"),
        ("nor can that be marked", after(Action::AcceptSecretMetadata(shape())), "Ready: Available"),
    ]);
}

#[test]
fn a_record_that_was_removed_is_written_again_while_it_is_needed() {
    let removed = |given: Given| given.with(|observed| observed.record = Record::Removed);
    let open = || new().attempt(attempt(1, 90)).progress(Progress::Unanswered(super::given::at(90)));
    check([
        ("the create is unanswered", removed(open()), "set the finalizer, and record attempt 1"),
        ("it was answered", removed(ready()), "Ready: Available"),
    ]);
}
