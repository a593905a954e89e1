//! What happens seldom. The operator is killed at each of their calls, and that is all: they are in no other matrix.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use interposer::{Call, RemoteOp, Target, Times};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use serde_json::json;
use simulator::{Fault, FaultKind, Hold, Lag, Operation};
use testkit::{NETWORK, SOON, delete};
use webhook_operator::resources::ClusterWebhookNetwork;

use super::{
    DELETE, EMPTY, LIVE, ONE, PATCH, READY, RECOVERY, RECREATION, STORED, Scenario, Toll, declare, ready,
    ready_with, stand,
};
use crate::end::GONE;
use crate::scene::Scene;

/// All of them.
pub const SELDOM: [Scenario; 8] =
    [RETAIN, METADATA, IN_HAND, REACTIVATION, UNANSWERED, NETWORK_CREATED, NETWORK_IN_USE, NETWORK_FREED];

/// The network waits for its endpoint.
const IN_USE: &str = "network: Ready=False/InUse Reconciling=True/InUse, 1 managed, 0 drifted, 0 unmanaged";

/// Less than the settling time of a second.
const BEHIND: Hold = Hold::For(Duration::from_millis(800));

/// The resource is deleted, and its endpoint and its Secret are to stay.
const RETAIN: Scenario = Scenario {
    name: "retain",
    prepare: |scene| Box::pin(ready_with(scene, json!({ "deletionPolicy": "Retain" }))),
    act: |scene| Box::pin(scene.world.ask_to_delete("hook")),
    end: &[
        "endpoint https://hooks.example.com/hook [ocpp.message] active, held by nobody",
        "network: Ready=True/Available, 0 managed, 0 drifted, 1 unmanaged",
        STORED,
    ],
    creates: 0,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// The Secret gets a label.
const METADATA: Scenario = Scenario {
    name: "metadata",
    prepare: |scene| Box::pin(ready(scene)),
    act: |scene| {
        Box::pin(async move {
            let labels = json!({ "spec": { "secret": { "labels": { "team": "charging" } } } });
            scene.world.change("hook", labels).await;
        })
    },
    end: &[LIVE, ONE, READY, "secret hook: the true secret of a live endpoint, team=charging"],
    creates: 0,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// While the create is under way, somebody makes a Secret of that name: the secret can't be stored.
const IN_HAND: Scenario = Scenario {
    name: "in-hand",
    prepare: |scene| {
        Box::pin(async move {
            let late = FaultKind::Latency { hold: Hold::For(Duration::from_millis(600)) };
            scene.world.simulator.inject(Fault::on(Operation::Create, late).until_cleared());
        })
    },
    act: |scene| {
        Box::pin(async move {
            let (simulator, secrets) = (scene.world.simulator.handle(), scene.world.api::<Secret>());
            tokio::spawn(async move {
                let begun = simulator.wait_until(SOON, |view| {
                    view.in_flight(Operation::Create) > 0 || view.ledger().count(Operation::Create) > 0
                });
                begun.await.expect("a create");
                let theirs = json!({ "metadata": { "name": "hook" }, "stringData": { "secret": "theirs" } });
                let theirs = serde_json::from_value(theirs).expect("a Secret");
                secrets.create(&PostParams::default(), &theirs).await.expect("a Secret of somebody else");
            });
            declare(scene).await;
        })
    },
    end: &[
        EMPTY,
        "resource hook: Ready=False/SecretNotOurs Synced=False/SecretNotOurs Stalled=True/SecretNotOurs, no endpoint, \
         no secret",
    ],
    creates: 1,
    deletes: 1,
    toll: Toll::AtMost,
};

/// The vendor sets the endpoint inactive.
const REACTIVATION: Scenario = Scenario {
    name: "reactivation",
    prepare: |scene| Box::pin(ready(scene)),
    act: |scene| {
        Box::pin(async move {
            for endpoint in scene.world.simulator.endpoints(NETWORK) {
                scene.world.simulator.disable(&endpoint.id);
            }
        })
    },
    end: &[LIVE, ONE, READY, STORED],
    creates: 0,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// The resource is deleted while it is not known yet what its create came to, since no list can be had.
const UNANSWERED: Scenario = Scenario {
    name: "unanswered",
    prepare: |scene| {
        Box::pin(async move {
            let lost = FaultKind::status_after_effect(504, "");
            scene.world.simulator.inject(Fault::on(Operation::Create, lost));
            let sent = AtomicBool::new(false);
            let after_create = move |call: &Call| match call.target {
                Target::Remote(RemoteOp::Create) => {
                    sent.store(true, Ordering::Relaxed);
                    false
                }
                Target::Remote(RemoteOp::List) => sent.load(Ordering::Relaxed),
                _ => false,
            };
            let trouble = scene.remote.inject(interposer::Fault::ResetBefore, Times::Always, after_create);
            scene.trouble.set(trouble).expect("no other trouble");
            declare(scene).await;
            scene.world.condition("hook", "Synced", "False", "ProviderError").await;
        })
    },
    act: |scene| {
        Box::pin(async move {
            let before = scene.calls();
            scene.world.ask_to_delete("hook").await;
            // It says once more that it can't go on: whether it would come to that should not depend on time.
            let told = scene.gate.saw(move |call| call.counted && call.sequence > before && says(call), SOON);
            told.await.unwrap_or_else(|error| panic!("{error}"));
            scene.trouble.get().expect("some trouble").stop();
        })
    },
    end: &[EMPTY],
    creates: 0,
    deletes: 1,
    toll: Toll::PerSecret,
};

/// Whether a call writes the resource's status.
fn says(call: &Call) -> bool {
    call.resource().is_some_and(|of| of.resource == "webhookendpoints" && of.subresource.is_some())
}

/// The network is declared.
const NETWORK_CREATED: Scenario = Scenario {
    name: "network-created",
    prepare: |scene| {
        Box::pin(async move {
            let world = &scene.world;
            delete(&world.cluster_api::<ClusterWebhookNetwork>(), &world.namespace).await;
            stand(scene, &[GONE]).await;
            delete(&world.operators_secrets(), &world.namespace).await;
        })
    },
    act: |scene| Box::pin(scene.add_network()),
    end: &[EMPTY],
    creates: 0,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// The network is deleted, which an endpoint uses.
const NETWORK_IN_USE: Scenario = Scenario {
    name: "network-in-use",
    prepare: |scene| Box::pin(ready(scene)),
    act: |scene| Box::pin(delete_network(scene)),
    end: &[LIVE, IN_USE, READY, STORED],
    creates: 0,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// The last endpoint of a network goes that is being deleted.
const NETWORK_FREED: Scenario = Scenario {
    name: "network-freed",
    prepare: |scene| {
        Box::pin(async move {
            ready(scene).await;
            delete_network(scene).await;
            stand(scene, &[LIVE, IN_USE, READY, STORED]).await;
        })
    },
    act: |scene| Box::pin(scene.world.ask_to_delete("hook")),
    end: &[GONE],
    creates: 0,
    deletes: 1,
    toll: Toll::PerSecret,
};

/// Scenarios in which lists show late what is written, from their beginning on.
pub const LAGGING: [Scenario; 4] = [
    Scenario { prepare: |scene| lagging(scene, &PATCH), ..PATCH },
    Scenario { prepare: |scene| lagging(scene, &DELETE), ..DELETE },
    Scenario { prepare: |scene| lagging(scene, &RECOVERY), ..RECOVERY },
    Scenario { prepare: |scene| lagging(scene, &RECREATION), ..RECREATION },
];

fn lagging<'a>(scene: &'a Scene, scenario: &'static Scenario) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        (scenario.prepare)(scene).await;
        scene.world.simulator.set_lag(Lag { list: Some(BEHIND), get: None });
    })
}

async fn delete_network(scene: &Scene) {
    delete(&scene.world.cluster_api::<ClusterWebhookNetwork>(), &scene.world.namespace).await;
}
