//! One world of the crash tests: a namespace, a simulator, and an operator of its own that reaches
//! both servers through interposers.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use interposer::{Interposer, Serve, Side};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use webhook_operator::resources::{ClusterWebhookNetwork, WebhookEndpoint};

use crate::support::operator::{OWN, control_plane, service_account_kubeconfig};
use crate::support::{Operator, OperatorOptions, SOON, World};

/// The path that the simulator serves its API under.
const BASE_PATH: &str = "/webhooks/v1";
/// The path of the simulator's token endpoint.
const TOKEN_PATH: &str = "/oauth/token";

/// A world whose operator can be stopped at any call.
pub struct Scene {
    /// Namespace, simulator, network and operator.
    pub world: World,
    /// Journal, plans and gate of both interposers.
    pub gate: interposer::World,
    /// Between the operator and the API server.
    pub kube: Interposer,
    /// Between the operator and the simulator; everything ends with it.
    _remote: Interposer,
    /// The label of what the operator looks after.
    own: String,
    kubeconfig: Value,
    /// What the operator is started with, beside what every test's is.
    pub arguments: Vec<String>,
}

impl Scene {
    /// A world with a network, and no operator yet.
    pub async fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let own = format!("{name}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let world = World::without_operator(name, json!({ OWN: own })).await;
        let gate = interposer::World::new();
        gate.alias(&world.namespace, "{namespace}");
        let plane = control_plane();
        let kube = Interposer::start(interposer::Config {
            side: Side::Kubernetes,
            upstream: plane.server().parse().expect("the API server has a URL"),
            upstream_ca: Some(plane.ca_pem().expect("the CA can be read")),
            serve: Serve::Https,
            world: gate.clone(),
        })
        .expect("an interposer");
        let remote = Interposer::start(interposer::Config {
            side: Side::Remote,
            upstream: world.simulator.base_url().parse().expect("the simulator has a URL"),
            upstream_ca: None,
            serve: Serve::Http,
            world: gate.clone(),
        })
        .expect("an interposer");
        let kubeconfig = kube.kubeconfig(service_account()).expect("the token passes through");
        let kubeconfig = serde_yaml::from_str(&kubeconfig).expect("a kubeconfig");
        let url = remote.url();
        let arguments = Vec::new();
        let scene = Self { world, gate, kube, _remote: remote, own, kubeconfig, arguments };
        let network = json!({
            "apiUrl": format!("{url}{BASE_PATH}"),
            "auth": { "oauth2ClientCredentials": { "tokenUrl": format!("{url}{TOKEN_PATH}") } },
            // A busy machine must not lose answers that nobody took.
            "timeout": "4s",
        });
        scene.world.add_network(network).await;
        scene
    }

    /// Starts the operator.
    pub fn start(&mut self) {
        let options = OperatorOptions {
            own: Some(self.own.clone()),
            kubeconfig: Some(self.kubeconfig.clone()),
            arguments: self.arguments.clone(),
            ..OperatorOptions::default()
        };
        self.world.own = Some(Operator::start(options));
    }

    /// The token that the operator shows to the API server.
    pub fn token(&self) -> &str {
        self.kubeconfig["users"][0]["user"]["token"].as_str().expect("a token")
    }

    /// Has the operator show another token from its next start on.
    pub fn show_token(&mut self, token: &str) {
        self.kubeconfig["users"][0]["user"]["token"] = token.into();
    }

    /// SIGKILL. What the operator still had under way reaches no server, and what had reached one is
    /// done when this returns.
    pub async fn kill(&mut self) {
        if let Some(operator) = self.world.own.take() {
            operator.kill();
        }
        self.gate.abandon();
        self.gate.settled(SOON).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Ends the operator and clears its namespace away, so that many worlds fit into one API server.
    pub async fn close(mut self) {
        self.kill().await;
        clear(&self.world).await;
    }

    /// What the operator of this life has logged.
    pub fn log(&self) -> String {
        self.world.own.as_ref().map(Operator::log).unwrap_or_default()
    }

    /// The API server's present resourceVersion, which all collections share.
    pub async fn version(&self) -> String {
        let none = ListParams::default().limit(1);
        let list =
            self.world.api::<WebhookEndpoint>().list(&none).await.expect("the resources can be listed");
        list.metadata.resource_version.expect("lists have a resourceVersion")
    }

    /// How many calls there were so far.
    pub fn calls(&self) -> u64 {
        self.gate.journal().len() as u64
    }
}

/// Clears a world away, past its operator. What is gone already is as good.
pub async fn clear(world: &World) {
    let free = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    let (patch, delete) = (PatchParams::default(), DeleteParams::default());
    let networks = Api::<ClusterWebhookNetwork>::all(world.client.clone());
    let _ = networks.delete(&world.namespace, &delete).await;
    let _ = networks.patch(&world.namespace, &patch, &free).await;
    let resources = world.api::<WebhookEndpoint>();
    for resource in world.all::<WebhookEndpoint>().await {
        let _ = resources.delete(&resource.name_any(), &delete).await;
        let _ = resources.patch(&resource.name_any(), &patch, &free).await;
    }
    let _ = Api::<Namespace>::all(world.client.clone()).delete(&world.namespace, &delete).await;
}

/// The kubeconfig of the operator's `ServiceAccount`; one token serves all scenes.
fn service_account() -> &'static str {
    static KUBECONFIG: OnceLock<String> = OnceLock::new();
    KUBECONFIG.get_or_init(|| service_account_kubeconfig().to_string())
}
