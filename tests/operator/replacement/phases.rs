//! What there is in each phase of a rotation.

use serde_json::json;
use testkit::{Health, World, condition, endpoint_id, kstatus, message};

use super::{ask, changes, holds, kept, live, slow, status, until, until_next, until_replaced};
use crate::events::told;

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_from_its_beginning_to_its_end() {
    let world = World::new("rotation").await;
    let before = world.ready_endpoint("hook", slow()).await;
    let old = endpoint_id(&before);
    let sequence = world.simulator.ledger().last_sequence();

    ask(&world, "1").await;
    let new = until_next(&world).await;
    let waiting = world.condition("hook", "Reconciling", "True", "Replacing").await;
    assert_eq!(live(&world), [(old.clone(), "active".into()), (new.clone(), "inactive".into())]);
    holds(&world, "hook", "secret", &new).await;
    holds(&world, "hook", "previousSecret", &old).await;
    assert_eq!(endpoint_id(&waiting), old, "it counts until the other one delivers");
    assert_eq!(condition(&waiting, "Ready").unwrap().status, "True");
    assert_eq!(condition(&waiting, "Synced").unwrap().status, "False");
    assert!(message(&waiting, "Synced").contains(new.as_str()), "{waiting:?}");
    assert_eq!(kstatus(&waiting).status, Health::InProgress);
    let next = status(&waiting).replacement.unwrap();
    let (since, at) = (next.since.unwrap().0, next.takes_over_at.unwrap().0);
    assert_eq!(at.duration_since(since).as_secs(), 3600);
    world.lists(2).await;
    assert_eq!(changes(&world, sequence).len(), 1, "it waits");

    world.change("hook", json!({ "spec": kept() })).await;
    assert_eq!(until_replaced(&world, &old).await, new);
    let replaced = until(&world, "retiring the old one", |status| !status.retiring.is_empty()).await;
    assert_eq!(live(&world), [(old.clone(), "inactive".into()), (new.clone(), "active".into())]);
    holds(&world, "hook", "secret", &new).await;
    holds(&world, "hook", "previousSecret", &old).await;
    let retiring = status(&replaced).retiring;
    assert_eq!(retiring.iter().map(|old| old.id.as_str()).collect::<Vec<_>>(), [old.as_str()]);
    let kept_for = retiring[0].until.as_ref().unwrap().0.duration_since(retiring[0].since.0);
    assert_eq!(kept_for.as_secs(), 3600);
    assert_eq!(kstatus(&world.ready("hook").await).status, Health::Current);

    world.change("hook", json!({ "spec": { "rotation": { "retireAfter": "0s" } } })).await;
    let done = until(&world, "without the old one", |status| status.retiring.is_empty()).await;
    assert_eq!(live(&world), [(new.clone(), "active".into())]);
    world.check_secret(&done, "hook").await;
    assert_eq!(world.secret_value("hook", "previousSecret").await, None);
    assert_eq!(
        changes(&world, sequence),
        [
            format!("create {new} enabledEvents,status,url"),
            format!("patch {new} status"),
            format!("patch {old} status"),
            format!("delete {old}"),
        ]
    );
    assert_eq!(status(&done).handled_rotation.as_deref(), Some("1"));
    for reason in ["Replacing", "Activated", "Retiring", "DeletedRetired"] {
        assert_eq!(told(&world, "hook", reason).await, "Normal", "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_inactive_is_rotated_and_never_activated() {
    let world = World::new("rotation-off").await;
    let spec = json!({ "status": "inactive", "rotation": { "activateAfter": "0s", "retireAfter": "0s" } });
    let old = endpoint_id(&world.ready_endpoint("hook", spec).await);
    let sequence = world.simulator.ledger().last_sequence();
    ask(&world, "1").await;
    let new = until_replaced(&world, &old).await;
    until(&world, "without the old one", |status| status.retiring.is_empty()).await;
    assert_eq!(
        changes(&world, sequence),
        [format!("create {new} enabledEvents,status,url"), format!("delete {old}")]
    );
    assert_eq!(live(&world), [(new, "inactive".into())]);
}

/// Several old ones may be kept at once, and the Secret holds the secrets of all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_while_earlier_ones_retire() {
    let world = World::new("rotations").await;
    let first = endpoint_id(&world.ready_endpoint("hook", kept()).await);
    ask(&world, "1").await;
    let second = until_replaced(&world, &first).await;
    ask(&world, "2").await;
    let third = until_replaced(&world, &second).await;
    ask(&world, "3").await;
    let fourth = until_replaced(&world, &third).await;
    let retiring = until(&world, "retiring three", |status| status.retiring.len() == 3).await;
    assert!(status(&retiring).replacement.is_none());
    let keys = [
        ("secret", &fourth),
        ("previousSecret", &third),
        ("previousSecret2", &second),
        ("previousSecret3", &first),
    ];
    for (key, id) in keys {
        holds(&world, "hook", key, id).await;
    }
    assert_eq!(live(&world).iter().filter(|(_, status)| status == "active").count(), 1);

    world.change("hook", json!({ "spec": { "rotation": { "retireAfter": "0s" } } })).await;
    let done = until(&world, "without the old ones", |status| status.retiring.is_empty()).await;
    world.check_secret(&done, "hook").await;
    for key in ["previousSecret", "previousSecret2", "previousSecret3"] {
        assert_eq!(world.secret_value("hook", key).await, None, "{key}");
    }
    assert_eq!(live(&world), [(fourth, "active".into())]);
}

/// A start in whatever phase asks for nothing, and does not begin anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_each_phase_costs_no_writes() {
    let mut world = World::with_own_operator("rotation-restart").await;
    let old = endpoint_id(&world.ready_endpoint("hook", slow()).await);
    ask(&world, "1").await;
    until_next(&world).await;
    world.condition("hook", "Reconciling", "True", "Replacing").await;
    restart(&mut world).await;
    world.change("hook", json!({ "spec": kept() })).await;
    until_replaced(&world, &old).await;
    restart(&mut world).await;
    world.change("hook", json!({ "spec": { "rotation": { "retireAfter": "0s" } } })).await;
    until(&world, "without the old one", |status| status.retiring.is_empty()).await;
    restart(&mut world).await;
    assert_eq!(live(&world).len(), 1);
}

async fn restart(world: &mut World) {
    world.lists(1).await;
    assert!(world.operator().stop());
    let (mark, sequence) = (testkit::audit::Mark::now(), world.simulator.ledger().last_sequence());
    world.start_operator();
    world.lists(3).await;
    let mut writes = world.requests_since(mark);
    writes.retain(testkit::audit::Request::is_write);
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(world.simulator.ledger().since(sequence).writes(), 0);
}

/// It is down past all times, and does what is due then.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_was_away_for_long_catches_up() {
    let mut world = World::with_own_operator("rotation-away").await;
    let spec = json!({ "rotation": { "activateAfter": "3s", "retireAfter": "3s" } });
    let old = endpoint_id(&world.ready_endpoint("hook", spec).await);
    ask(&world, "1").await;
    let new = until_next(&world).await;
    world.condition("hook", "Reconciling", "True", "Replacing").await;
    world.operator().kill();
    world.simulator.advance_clock(std::time::Duration::from_hours(24));
    let sequence = world.simulator.ledger().last_sequence();
    world.start_operator();
    until_replaced(&world, &old).await;
    until(&world, "without the old one", |status| status.retiring.is_empty()).await;
    assert_eq!(
        changes(&world, sequence),
        [format!("patch {new} status"), format!("patch {old} status"), format!("delete {old}")]
    );
}
