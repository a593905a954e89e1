//! Changes of mind, and what others do, while one endpoint takes the place of another.

use serde_json::json;
use simulator::{CreateAnswer, Operation};
use testkit::{World, endpoint_id};

use super::{ask, changes, holds, kept, live, quick, slow, status, until, until_next, until_replaced};

const NEW: &str = "https://hooks.example.com/new";

#[tokio::test(flavor = "multi_thread")]
async fn the_url_is_changed_again_and_back() {
    let world = World::new("url-back").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    world.change("hook", json!({ "spec": { "url": NEW } })).await;
    let second = until_next(&world).await;

    world.change("hook", json!({ "spec": { "url": "https://hooks.example.com/newer" } })).await;
    let is_other = |status: &webhook_operator::resources::WebhookEndpointStatus| {
        status.replacement.as_ref().is_some_and(|next| next.id != second.as_str())
    };
    let other = until(&world, "replacing it by another one", is_other).await;
    let third = status(&other).replacement.unwrap();
    assert_eq!(third.url, "https://hooks.example.com/newer");
    assert_eq!(live(&world).len(), 2, "nothing piles up");
    assert!(world.simulator.endpoint(&second).is_none());

    world.change("hook", json!({ "spec": { "url": "https://hooks.example.com/hook" } })).await;
    let back = until(&world, "as it was", |status| status.replacement.is_none()).await;
    let back = if endpoint_id(&back) == old { world.ready("hook").await } else { back };
    assert_eq!(endpoint_id(&back), old);
    assert_eq!(live(&world), [(old.clone(), "active".into())]);
    world.check_secret(&back, "hook").await;
    assert_eq!(world.secret_value("hook", "previousSecret").await, None);
    let patched = world.simulator.ledger();
    let patched = patched.calls(Operation::Patch).filter(|call| call.id.as_ref() == Some(&old));
    assert_eq!(patched.count(), 0, "it delivered all the time");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_status_are_followed_by_both() {
    let world = World::new("both-follow").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    ask(&world, "1").await;
    let new = until_next(&world).await;
    world.change("hook", json!({ "spec": { "enabledEvents": ["asset.connectivity"] } })).await;
    for id in [&old, &new] {
        let has = |view: &simulator::View<'_>| {
            view.endpoint(id).is_some_and(|found| found.enabled_events == ["asset.connectivity"])
        };
        world.remotely("the events", has).await;
    }
    world.change("hook", json!({ "spec": { "status": "inactive" } })).await;
    let off =
        |view: &simulator::View<'_>| view.endpoint(&old).is_some_and(|found| found.status == "inactive");
    world.remotely("an inactive endpoint", off).await;
    world.change("hook", json!({ "spec": { "status": "inactive", "rotation": quick()["rotation"] } })).await;
    until_replaced(&world, &old).await;
    until(&world, "done", |status| status.retiring.is_empty()).await;
    assert_eq!(live(&world), [(new, "inactive".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_renamed() {
    let world = World::new("renamed-half-way").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    ask(&world, "1").await;
    let new = until_next(&world).await;
    world.change("hook", json!({ "spec": { "secret": { "name": "other" } } })).await;
    world.until_gone(world.api::<k8s_openapi::api::core::v1::Secret>(), "hook").await;
    holds(&world, "other", "secret", &new).await;
    holds(&world, "other", "previousSecret", &old).await;
    world.change("hook", json!({ "spec": quick() })).await;
    until_replaced(&world, &old).await;
    let done = until(&world, "done", |status| status.retiring.is_empty()).await;
    world.check_secret(&done, "other").await;
    assert_eq!(world.secret_names().await, ["other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_half_way() {
    let world = World::new("paused-half-way").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    ask(&world, "1").await;
    let new = until_next(&world).await;
    world.change("hook", json!({ "spec": { "paused": true } })).await;
    world.condition("hook", "Synced", "False", "Paused").await;
    let sequence = world.simulator.ledger().last_sequence();
    world.change("hook", json!({ "spec": kept() })).await;
    world.lists(2).await;
    assert_eq!(changes(&world, sequence), [""; 0]);
    world.change("hook", json!({ "spec": { "paused": false } })).await;
    assert_eq!(until_replaced(&world, &old).await, new);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_keeps_what_retires() {
    let world = World::new("paused-retiring").await;
    let old = endpoint_id(&world.ready_endpoint("hook", kept()).await);
    ask(&world, "1").await;
    let new = until_replaced(&world, &old).await;
    world.change("hook", json!({ "spec": { "paused": true } })).await;
    world.condition("hook", "Synced", "False", "Paused").await;
    world.change("hook", json!({ "spec": quick() })).await;
    world.lists(2).await;
    assert_eq!(live(&world), [(old, "inactive".into()), (new.clone(), "active".into())]);
    world.change("hook", json!({ "spec": { "paused": false } })).await;
    until(&world, "done", |status| status.retiring.is_empty()).await;
    assert_eq!(live(&world), [(new, "active".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_half_way_takes_all_of_them_along() {
    let world = World::new("deleted-half-way").await;
    let first = endpoint_id(&world.ready_endpoint("hook", kept()).await);
    ask(&world, "1").await;
    until_replaced(&world, &first).await;
    world.change("hook", json!({ "spec": slow() })).await;
    ask(&world, "2").await;
    until_next(&world).await;
    assert_eq!(live(&world).len(), 3);
    world.delete("hook").await;
    assert_eq!(live(&world), []);
    assert_eq!(world.secret_names().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn retain_half_way_keeps_the_current_one_and_its_secret() {
    let world = World::new("retained-half-way").await;
    let spec = json!({ "deletionPolicy": "Retain", "rotation": slow()["rotation"] });
    let old = endpoint_id(&world.ready_endpoint("hook", spec).await);
    ask(&world, "1").await;
    until_next(&world).await;
    world.delete("hook").await;
    assert_eq!(live(&world), [(old.clone(), "active".into())]);
    holds(&world, "hook", "secret", &old).await;
    assert_eq!(world.secret_value("hook", "previousSecret").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_current_one_is_deleted_remotely_and_the_next_one_steps_in() {
    let world = World::new("current-deleted").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    ask(&world, "1").await;
    let new = until_next(&world).await;
    let sequence = world.simulator.ledger().last_sequence();
    world.simulator.delete(&old);
    assert_eq!(until_replaced(&world, &old).await, new);
    assert_eq!(live(&world), [(new.clone(), "active".into())]);
    assert_eq!(changes(&world, sequence), [format!("patch {new} status")]);
    let done = world.ready("hook").await;
    world.check_secret(&done, "hook").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_one_is_deleted_remotely_and_another_one_is_made() {
    let world = World::new("next-deleted").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    ask(&world, "1").await;
    let next = until_next(&world).await;
    world.simulator.delete(&next);
    let is_other = |status: &webhook_operator::resources::WebhookEndpointStatus| {
        status.replacement.as_ref().is_some_and(|other| other.id != next.as_str())
    };
    let other = until(&world, "replacing it by another one", is_other).await;
    let other = status(&other).replacement.unwrap().id;
    assert_eq!(live(&world), [(old.clone(), "active".into()), (other.as_str().into(), "inactive".into())]);
    holds(&world, "hook", "previousSecret", &old).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_activates_the_old_one_and_deletes_it() {
    let world = World::new("retiring-touched").await;
    let old = endpoint_id(&world.ready_endpoint("hook", kept()).await);
    ask(&world, "1").await;
    let new = until_replaced(&world, &old).await;
    world.simulator.edit(&old, |endpoint| "active".clone_into(&mut endpoint.status));
    let off = |view: &simulator::View<'_>| {
        view.ledger().calls(Operation::Patch).filter(|call| call.id.as_ref() == Some(&old)).count() == 2
    };
    world.remotely("an inactive endpoint", off).await;
    world.simulator.delete(&old);
    let done = until(&world, "without the old one", |status| status.retiring.is_empty()).await;
    assert_eq!(live(&world), [(new, "active".into())]);
    world.check_secret(&done, "hook").await;
    let dropped = world.until::<k8s_openapi::api::core::v1::Secret>("hook", "with one secret", |found| {
        found.is_some_and(|secret| !secret.data.as_ref().unwrap().contains_key("previousSecret"))
    });
    dropped.await;
}

/// The vendor sets the next one inactive right after it was activated: the old one goes on until it is active again.
#[tokio::test(flavor = "multi_thread")]
async fn a_next_one_that_is_disabled_at_once_leaves_no_gap() {
    let world = World::new("next-disabled").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    world.change("hook", json!({ "spec": { "url": NEW } })).await;
    let new = until_next(&world).await;
    let active =
        |view: &simulator::View<'_>| view.endpoint(&new).is_some_and(|found| found.status == "active");
    world.remotely("an active endpoint", active).await;
    world.simulator.disable(&new);
    world.condition("hook", "Reconciling", "True", "Deactivated").await;
    world.change("hook", json!({ "spec": quick() })).await;
    world.lists(2).await;
    assert_eq!(live(&world), [(old.clone(), "active".into()), (new.clone(), "inactive".into())]);
    world.simulator.advance_clock(std::time::Duration::from_mins(2));
    world.lists(2).await;
    let look = json!({ "metadata": { "annotations": { "webhookoperator.dev/reconcile": "now" } } });
    world.change("hook", look).await;
    until_replaced(&world, &old).await;
}

/// A secret is no use without its endpoint's: an answer without one is undone, and nothing else is touched.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_secret_leaves_the_current_one() {
    let world = World::new("next-without-secret").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    world.simulator.set_habits(|habits| habits.create_answer = CreateAnswer::Location);
    ask(&world, "1").await;
    world.remotely("a create", |view| view.ledger().count(Operation::Create) == 2).await;
    world.simulator.set_habits(|habits| habits.create_answer = CreateAnswer::Stored);
    until_next(&world).await;
    let alive = live(&world);
    assert_eq!(alive.len(), 2, "{alive:?}");
    holds(&world, "hook", "previousSecret", &old).await;
}
