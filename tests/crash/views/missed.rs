//! Watch events that never come: those of the operator's own writes, which it does not need, and those of
//! what a person does, which it learns of when it lists the collection again.

use std::collections::HashMap;
use std::sync::Mutex;

use futures::future::BoxFuture;
use interposer::{Collection, Expiry, WatchEvent};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use testkit::SOON;

use super::{AT_A_TIME, Viewed};
use crate::end::come_to;
use crate::harness::Matrix;
use crate::learnt::{Effects, begin, check, learnt};
use crate::scenario::{self, EMPTY, LIVE, ONE, READY, STORED, Scenario};
use crate::scene::Scene;

/// Tells the events that say nothing about what is declared: what the operator writes comes back to it so.
fn echoes() -> impl Fn(&WatchEvent<'_>) -> bool + Send + Sync + 'static {
    let declared = Mutex::new(HashMap::<String, Value>::new());
    move |event| {
        if event.watched.resource == "secrets" {
            return event.object.pointer("/metadata/ownerReferences").is_some() && event.kind != "DELETED";
        }
        if event.watched.resource != "webhookendpoints" || event.kind == "BOOKMARK" {
            return false;
        }
        let metadata = &event.object["metadata"];
        let now = json!([metadata["uid"], metadata["generation"], metadata["deletionTimestamp"]]);
        let mut declared = declared.lock().expect("no event panicked");
        declared.insert(event.name().to_owned(), now.clone()) == Some(now)
    }
}

async fn without_echoes(scenario: Scenario) -> Result<(), String> {
    let learnt = learnt(scenario).await?;
    let mut scene = Scene::new(scenario.name).await;
    let dropped = scene.kube.drop_watch_events(echoes());
    scene.start();
    let begin = begin(&scene, &scenario).await?;
    (scenario.act)(&scene).await;
    come_to(&scene, &scenario.end(), 3).await?;
    check(&scene, &learnt, 0, &begin)?;
    if dropped.count() == 0 {
        return Err("no event was dropped".to_owned());
    }
    scene.kube.expire_watches(Collection::all(), Expiry::Event);
    come_to(&scene, &scenario.end(), 6).await?;
    check(&scene, &learnt, 0, &begin)?;
    scene.close().await;
    Ok(())
}

/// The operator's own writes need not come back.
pub fn echoes_matrix() -> Matrix {
    let mut matrix = Matrix::new("views/echoes", AT_A_TIME);
    for scenario in scenario::OFTEN {
        matrix.add([scenario.name], move || without_echoes(scenario));
    }
    matrix
}

/// Something that happens while no event of some collections comes.
#[derive(Clone, Copy)]
struct Story {
    name: &'static str,
    /// Whose events do not come.
    unseen: Viewed,
    /// What happens before.
    prepare: for<'a> fn(&'a Scene) -> BoxFuture<'a, ()>,
    /// What happens unseen.
    act: for<'a> fn(&'a Scene) -> BoxFuture<'a, ()>,
    /// How the world stands while it is unseen.
    meanwhile: &'static [&'static str],
    /// How it stands once it is seen.
    end: &'static [&'static str],
    /// What takes effect in all.
    effects: Effects,
}

const NEW_EVENTS: &str = "endpoint https://hooks.example.com/hook [asset.connectivity] active, held by hook";
const LEFT: &str = "endpoint https://hooks.example.com/hook [ocpp.message] active, held by nobody";

const STORIES: [Story; 6] = [
    Story {
        name: "a resource is made",
        unseen: Viewed::Resources,
        prepare: |_| Box::pin(async {}),
        act: |scene| Box::pin(scenario::declare(scene)),
        meanwhile: &[EMPTY, "resource hook: no status"],
        end: &[LIVE, ONE, READY, STORED],
        effects: Effects { creates: 1, patches: 0, deletes: 0 },
    },
    Story {
        name: "a resource is changed",
        unseen: Viewed::Resources,
        prepare: |scene| Box::pin(scenario::ready(scene)),
        act: |scene| {
            Box::pin(async move {
                let spec = json!({ "spec": { "enabledEvents": ["asset.connectivity"] } });
                scene.world.change("hook", spec).await;
            })
        },
        meanwhile: &[
            LIVE,
            ONE,
            "resource hook: Ready=True/Available (stale) Synced=True/Available (stale), a live endpoint, its secret \
             in hook",
            STORED,
        ],
        end: &[NEW_EVENTS, ONE, READY, STORED],
        effects: Effects { creates: 1, patches: 1, deletes: 0 },
    },
    Story {
        name: "a resource is deleted",
        unseen: Viewed::Resources,
        prepare: |scene| Box::pin(scenario::ready(scene)),
        act: |scene| Box::pin(scene.world.ask_to_delete("hook")),
        meanwhile: &[
            LIVE,
            ONE,
            "resource hook: deleting Ready=True/Available (stale) Synced=True/Available (stale), a live endpoint, \
             its secret in hook",
            STORED,
        ],
        end: &[EMPTY],
        effects: Effects { creates: 1, patches: 0, deletes: 1 },
    },
    Story {
        name: "a resource is removed by force",
        unseen: Viewed::Everything,
        prepare: |scene| Box::pin(scenario::ready(scene)),
        act: |scene| Box::pin(remove_by_force(scene)),
        // The garbage collector takes the Secret along.
        meanwhile: &[LEFT, ONE],
        end: &[LEFT, "network: Ready=True/Available, 0 managed, 0 drifted, 1 unmanaged"],
        effects: Effects { creates: 1, patches: 0, deletes: 0 },
    },
    Story {
        name: "a resource is removed by force and made again",
        unseen: Viewed::Everything,
        prepare: |scene| Box::pin(scenario::ready(scene)),
        act: |scene| {
            Box::pin(async move {
                remove_by_force(scene).await;
                scenario::declare(scene).await;
            })
        },
        meanwhile: &[LEFT, ONE, "resource hook: no status"],
        end: &[LEFT, LIVE, "network: Ready=True/Available, 1 managed, 0 drifted, 1 unmanaged", READY, STORED],
        effects: Effects { creates: 2, patches: 0, deletes: 0 },
    },
    Story {
        name: "a Secret is deleted",
        unseen: Viewed::Secrets,
        prepare: |scene| Box::pin(scenario::ready_to_be_replaced(scene)),
        act: |scene| Box::pin(scenario::lose_secret(scene)),
        meanwhile: &[LIVE, ONE, READY],
        // Nobody has the secret any more, so another endpoint takes the place of this one.
        end: &[LIVE, ONE, READY, STORED],
        effects: Effects { creates: 2, patches: 2, deletes: 1 },
    },
];

/// A person deletes the resource and takes the operator's finalizer away.
async fn remove_by_force(scene: &Scene) {
    scene.world.ask_to_delete("hook").await;
    scene.world.change("hook", json!({ "metadata": { "finalizers": null } })).await;
    scene.world.until_gone(scene.world.api::<Secret>(), "hook").await;
}

async fn unseen(story: Story, expiry: Expiry) -> Result<(), String> {
    let mut scene = Scene::new("missed").await;
    scene.start();
    come_to(&scene, &[EMPTY.to_owned()], 1).await?;
    (story.prepare)(&scene).await;
    let collection = story.unseen.collection();
    let silenced = collection.clone();
    let dropped = scene.kube.drop_watch_events(move |event| silenced.contains(event.watched));
    let begun = scene.calls();
    (story.act)(&scene).await;
    tokio::time::timeout(SOON, dropped.until(1)).await.map_err(|_| "no event was dropped")?;
    come_to(&scene, &lines(story.meanwhile), 5).await?;
    if let Some(call) = scene.gate.mutations().iter().find(|call| call.sequence > begun) {
        return Err(format!("{call} was made though nothing was seen"));
    }
    dropped.stop();
    scene.kube.expire_watches(collection, expiry);
    come_to(&scene, &lines(story.end), 9).await?;
    let effects = Effects::of(&scene.world.simulator.ledger());
    if effects != story.effects {
        return Err(format!("{effects:?} took effect, expected {:?}", story.effects));
    }
    scene.close().await;
    Ok(())
}

fn lines(lines: &[&str]) -> Vec<String> {
    let mut lines = lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    lines.sort();
    lines
}

/// What a person does unseen is done once it is seen.
pub fn matrix() -> Matrix {
    let mut matrix = Matrix::new("views/missed", AT_A_TIME);
    for story in STORIES {
        for expiry in [Expiry::Event, Expiry::Response] {
            matrix.add([story.name, &format!("{expiry:?}")], move || unseen(story, expiry));
        }
    }
    matrix
}
