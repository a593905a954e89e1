//! What a person, or somebody else, does while the operator is watched: the scenarios of the matrix.

mod replacing;
mod seldom;

pub use replacing::{lose_secret, ready_to_be_replaced};
pub use seldom::LAGGING;

use futures::future::BoxFuture;
use interposer::Call;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Operation};
use testkit::{NETWORK, SOON};

use crate::end::come_to;
use crate::scene::Scene;

/// How many lists of the network the operator of the last life gets when it has ended well at once. One comes
/// every second, and an unanswered create settles within nine: what it would do late it has done by then.
pub const LATER: usize = 13;
/// The same where nothing is created: what it would do late, the lists would bring about.
const SOONER: usize = 4;

type Step = for<'a> fn(&'a Scene) -> BoxFuture<'a, ()>;

/// One scenario of the matrix.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// Brings about what it begins with; the operator runs.
    pub prepare: Step,
    /// What happens then.
    pub act: Step,
    /// How the world stands when all is done.
    pub end: &'static [&'static str],
    /// How many creates take effect after `act`, when nobody is killed.
    pub creates: usize,
    /// How many deletes do.
    pub deletes: usize,
    /// What a crash does to these numbers.
    pub toll: Toll,
}

/// What a crash does to the number of creates and deletes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Toll {
    /// Each secret that is lost with the operator costs one of both.
    PerSecret,
    /// Or less: what is created is deleted again, and after a crash the operator may see before that it would be for
    /// nothing.
    AtMost,
}

/// The scenarios that all matrices go through.
pub const OFTEN: [Scenario; 7] = [CREATE, PATCH, DELETE, RENAME, RECOVERY, RECREATION, TWINS];

/// All scenarios.
pub fn all() -> impl Iterator<Item = Scenario> {
    OFTEN.into_iter().chain(seldom::SELDOM).chain(replacing::REPLACING)
}

/// The resource is as declared.
pub const READY: &str =
    "resource hook: Ready=True/Available Synced=True/Available, a live endpoint, its secret in hook";
/// Its Secret.
pub const STORED: &str = "secret hook: the true secret of a live endpoint";
/// The network, with nothing in it.
pub const EMPTY: &str = "network: Ready=True/Available, 0 managed, 0 drifted, 0 unmanaged";
/// The network, with one endpoint.
pub const ONE: &str = "network: Ready=True/Available, 1 managed, 0 drifted, 0 unmanaged";
/// The resource's endpoint.
pub const LIVE: &str = "endpoint https://hooks.example.com/hook [ocpp.message] active, held by hook";

/// A manifest is applied.
pub const CREATE: Scenario = Scenario {
    name: "create",
    prepare: |_| Box::pin(async {}),
    act: |scene| Box::pin(declare(scene)),
    end: &[LIVE, ONE, READY, STORED],
    creates: 1,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// Events and status are changed.
pub const PATCH: Scenario = Scenario {
    name: "patch",
    prepare: |scene| Box::pin(ready(scene)),
    act: |scene| {
        Box::pin(async move {
            let spec = json!({ "spec": { "enabledEvents": ["asset.connectivity"], "status": "inactive" } });
            scene.world.change("hook", spec).await;
        })
    },
    end: &[
        "endpoint https://hooks.example.com/hook [asset.connectivity] inactive, held by hook",
        ONE,
        READY,
        STORED,
    ],
    creates: 0,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// The resource is deleted.
pub const DELETE: Scenario = Scenario {
    name: "delete",
    prepare: |scene| Box::pin(ready(scene)),
    act: |scene| Box::pin(scene.world.ask_to_delete("hook")),
    end: &[EMPTY],
    creates: 0,
    deletes: 1,
    toll: Toll::PerSecret,
};

/// The Secret gets another name.
pub const RENAME: Scenario = Scenario {
    name: "rename",
    prepare: |scene| Box::pin(ready(scene)),
    act: |scene| {
        Box::pin(async move {
            scene.world.change("hook", json!({ "spec": { "secret": { "name": "moved" } } })).await;
        })
    },
    end: &[
        LIVE,
        ONE,
        "resource hook: Ready=True/Available Synced=True/Available, a live endpoint, its secret in moved",
        "secret moved: the true secret of a live endpoint",
    ],
    creates: 0,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// The answer to the create is lost: the endpoint is there, its secret is not.
pub const RECOVERY: Scenario = Scenario {
    name: "recovery",
    prepare: |scene| {
        Box::pin(async move {
            let lost = FaultKind::status_after_effect(504, "");
            scene.world.simulator.inject(Fault::on(Operation::Create, lost));
        })
    },
    act: |scene| Box::pin(declare(scene)),
    end: &[LIVE, ONE, READY, STORED],
    creates: 2,
    deletes: 1,
    toll: Toll::PerSecret,
};

/// Somebody deletes the endpoint.
pub const RECREATION: Scenario = Scenario {
    name: "recreation",
    prepare: |scene| Box::pin(ready(scene)),
    act: |scene| {
        Box::pin(async move {
            for endpoint in scene.world.simulator.endpoints(NETWORK) {
                scene.world.simulator.delete(&endpoint.id);
            }
        })
    },
    end: &[LIVE, ONE, READY, STORED],
    creates: 1,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// Two resources with the same URL, events and status are applied, the second while the first is under
/// way.
pub const TWINS: Scenario = Scenario {
    name: "twins",
    prepare: |_| Box::pin(async {}),
    act: |scene| {
        Box::pin(async move {
            declare(scene).await;
            // Which of the two comes first should not depend on time.
            let begun = scene.gate.saw(|call| call.counted && names(call, "hook"), SOON).await;
            begun.unwrap_or_else(|error| panic!("{error}"));
            scene.world.endpoint("twin", json!({ "url": "https://hooks.example.com/hook" })).await;
        })
    },
    end: &[
        LIVE,
        "endpoint https://hooks.example.com/hook [ocpp.message] active, held by twin",
        "network: Ready=True/Available, 2 managed, 0 drifted, 0 unmanaged",
        READY,
        "resource twin: Ready=True/Available Synced=True/Available, a live endpoint, its secret in twin",
        STORED,
        "secret twin: the true secret of a live endpoint",
    ],
    creates: 2,
    deletes: 0,
    toll: Toll::PerSecret,
};

/// Declares the resource.
pub async fn declare(scene: &Scene) {
    scene.world.endpoint("hook", json!({})).await;
}

/// Declares the resource, and waits until it is as declared.
pub async fn ready(scene: &Scene) {
    ready_with(scene, json!({})).await;
}

/// Declares the resource with what is given in `spec`, and waits until it is as declared.
async fn ready_with(scene: &Scene, spec: Value) {
    scene.world.endpoint("hook", spec).await;
    stand(scene, &[LIVE, ONE, READY, STORED]).await;
}

/// Waits until the world stands so.
async fn stand(scene: &Scene, lines: &[&str]) {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    come_to(scene, &lines, 1).await.unwrap_or_else(|report| panic!("{report}"));
}

fn names(call: &Call, name: &str) -> bool {
    call.resource().is_some_and(|resource| resource.name.as_deref() == Some(name))
}

impl Scenario {
    /// How the world stands when all is done.
    pub fn end(&self) -> Vec<String> {
        self.end.iter().map(|line| (*line).to_owned()).collect()
    }

    /// How many lists an end gets that was good at once.
    pub fn looks(&self) -> usize {
        if self.creates == 0 { SOONER } else { LATER }
    }
}
