//! One endpoint takes the place of another, or is taken over. The operator is killed at each of their calls.

use k8s_openapi::api::core::v1::Secret;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use simulator::NewEndpoint;
use testkit::{NETWORK, delete};

use super::{LIVE, ONE, READY, STORED, Scenario, Toll, ready_with};
use crate::scene::Scene;

/// All of them.
pub const REPLACING: [Scenario; 5] = [ROTATION, ANOTHER_URL, NO_OVERLAP, LOST_SECRET, ADOPTION];

/// The resource is as declared, and its secret another one, as somebody asked.
const ROTATED: &str = "resource hook: Ready=True/Available Synced=True/Available, a live endpoint, its secret in hook, \
     rotated for request 1";

/// Somebody asks for another secret.
const ROTATION: Scenario = Scenario {
    name: "rotation",
    prepare: |scene| Box::pin(ready_to_be_replaced(scene)),
    act: |scene| Box::pin(ask(scene)),
    end: &[LIVE, ONE, ROTATED, STORED],
    creates: 1,
    deletes: 1,
    toll: Toll::PerSecret,
};

/// Another URL is declared.
const ANOTHER_URL: Scenario = Scenario {
    name: "another-url",
    prepare: |scene| Box::pin(ready_to_be_replaced(scene)),
    act: |scene| {
        Box::pin(async move {
            scene.world.change("hook", json!({ "spec": { "url": "https://hooks.example.com/new" } })).await;
        })
    },
    end: &["endpoint https://hooks.example.com/new [ocpp.message] active, held by hook", ONE, READY, STORED],
    creates: 1,
    deletes: 1,
    toll: Toll::PerSecret,
};

/// The same as a rotation, where the old endpoint is to go first.
const NO_OVERLAP: Scenario = Scenario {
    name: "no-overlap",
    prepare: |scene| Box::pin(ready_with(scene, quick("None"))),
    act: |scene| Box::pin(ask(scene)),
    end: &[LIVE, ONE, ROTATED, STORED],
    creates: 1,
    deletes: 1,
    toll: Toll::PerSecret,
};

/// Somebody deletes the Secret.
const LOST_SECRET: Scenario = Scenario {
    name: "lost-secret",
    prepare: |scene| Box::pin(ready_to_be_replaced(scene)),
    act: |scene| Box::pin(lose_secret(scene)),
    end: &[LIVE, ONE, READY, STORED],
    creates: 1,
    deletes: 1,
    toll: Toll::PerSecret,
};

/// An endpoint that somebody made by hand is taken over, with its secret.
const ADOPTION: Scenario = Scenario {
    name: "adoption",
    prepare: |scene| {
        Box::pin(async move {
            let made = NewEndpoint::new("https://hooks.example.com/hook").events(["ocpp.message"]);
            let id = scene.world.simulator.insert(NETWORK, made);
            let secret = scene.world.simulator.secret_of(&id).expect("every endpoint has a secret");
            let known = json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "by-hand" },
                "stringData": { "secret": secret.expose_secret() },
            });
            scene.world.create::<Secret>(known).await;
        })
    },
    act: |scene| {
        Box::pin(async move {
            let made = scene.world.simulator.endpoints(NETWORK);
            let id = made.first().expect("it was made").id.as_str().to_owned();
            let adopt = json!({ "endpointId": id, "secretRef": { "name": "by-hand" } });
            scene.world.endpoint("hook", json!({ "adopt": adopt })).await;
        })
    },
    end: &[LIVE, ONE, READY, STORED],
    creates: 0,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// Declares a resource whose endpoint is replaced at once when there is need, and waits until it is as declared.
pub async fn ready_to_be_replaced(scene: &Scene) {
    ready_with(scene, quick("Full")).await;
}

/// Deletes the Secret.
pub async fn lose_secret(scene: &Scene) {
    delete(&scene.world.api::<Secret>(), "hook").await;
}

/// A rotation that takes no time.
fn quick(overlap: &str) -> Value {
    json!({ "rotation": { "activateAfter": "0s", "retireAfter": "0s", "overlap": overlap } })
}

async fn ask(scene: &Scene) {
    let asked = json!({ "metadata": { "annotations": { "webhookoperator.dev/rotate": "1" } } });
    scene.world.change("hook", asked).await;
}
