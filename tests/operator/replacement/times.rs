//! When things happen, where that changes half-way, and when nobody could do it in time.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;
use testkit::{World, endpoint_id};
use webhook_operator::resources::{Replacement, RetiringEndpoint};

use super::{ask, changes, live, quick, slow, status, until, until_next, until_replaced};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn between(since: &Time, until: Option<&Time>) -> SignedDuration {
    until.expect("it has an end").0.duration_since(since.0)
}

fn waits(next: &Replacement) -> SignedDuration {
    between(next.since.as_ref().expect("it has begun"), next.takes_over_at.as_ref())
}

fn stays(old: &RetiringEndpoint) -> SignedDuration {
    between(&old.since, old.until.as_ref())
}

async fn declare(world: &World, field: &str, value: &str) {
    world.change("hook", json!({ "spec": { "rotation": { field: value } } })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_change_half_way_count_from_its_beginning() {
    let world = World::new("times-change").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    ask(&world, "1").await;
    let begun = until(&world, "replacing", |status| status.replacement.is_some()).await;
    let begun = status(&begun).replacement.expect("it is replacing");
    assert_eq!(waits(&begun), HOUR);
    for (text, hours) in [("3h", 3), ("30m", 0)] {
        declare(&world, "activateAfter", text).await;
        let is_told = |next: &Replacement| waits(next).as_hours() == hours && next.since == begun.since;
        until(&world, text, |status| status.replacement.as_ref().is_some_and(is_told)).await;
    }
    declare(&world, "activateAfter", "0s").await;
    let new = until_replaced(&world, &old).await;

    let retiring = until(&world, "retiring", |status| !status.retiring.is_empty()).await;
    let retiring = status(&retiring).retiring[0].clone();
    assert_eq!((retiring.id.as_str(), stays(&retiring)), (old.as_str(), HOUR));
    for (text, hours) in [("87600h", 87_600), ("2h", 2)] {
        declare(&world, "retireAfter", text).await;
        let is_told = |old: &RetiringEndpoint| stays(old).as_hours() == hours && old.since == retiring.since;
        until(&world, text, |status| status.retiring.first().is_some_and(is_told)).await;
    }
    declare(&world, "retireAfter", "0s").await;
    let done = until(&world, "done", |status| status.retiring.is_empty()).await;
    assert_eq!(live(&world), [(new, "active".into())]);
    world.check_secret(&done, "hook").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_away_across_both_times_is_caught_up_with() {
    let world = World::new("times-away").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    let sequence = world.simulator.ledger().last_sequence();
    ask(&world, "1").await;
    let new = until_next(&world).await;
    world.simulator.suspend().await.expect("it runs");
    world.change("hook", json!({ "spec": quick() })).await;
    world.network_condition("Ready", "False", "Unreachable").await;
    assert_eq!(live(&world), [(old.clone(), "active".into()), (new.clone(), "inactive".into())]);
    world.simulator.resume().await.expect("it runs");

    assert_eq!(until_replaced(&world, &old).await, new);
    let done = until(&world, "done", |status| status.retiring.is_empty()).await;
    assert_eq!(
        changes(&world, sequence),
        [
            format!("create {new} enabledEvents,status,url"),
            format!("patch {new} status"),
            format!("patch {old} status"),
            format!("delete {old}"),
        ]
    );
    world.check_secret(&done, "hook").await;
}
