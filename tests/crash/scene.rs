//! One world of the crash tests: a namespace, a simulator, and an operator of its own that reaches
//! both servers through interposers.

use std::sync::OnceLock;

use interposer::{FaultHandle, Interposer, Serve, Side};
use kube::api::ListParams;
use serde_json::json;
use testkit::service_account::token;
use testkit::{Operator, SOON, World, control_plane, service_account_kubeconfig};
use webhook_operator::resources::WebhookEndpoint;

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
    /// Between the operator and the simulator.
    pub remote: Interposer,
    /// What a scenario has go wrong on the way for a while.
    pub trouble: OnceLock<FaultHandle>,
}

impl Scene {
    /// A world with a network, and no operator yet.
    pub async fn new(name: &str) -> Self {
        let mut world = World::without_operator(name).await;
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
        world.options.kubeconfig = Some(serde_yaml::from_str(&kubeconfig).expect("a kubeconfig"));
        // No minute, for a Secret that is lost.
        world.options.arguments.extend(["--secret-recovery-grace", "1s"].map(str::to_owned));
        let scene = Self { world, gate, kube, remote, trouble: OnceLock::new() };
        scene.add_network().await;
        scene
    }

    /// Adds the network, with its credentials.
    pub async fn add_network(&self) {
        let url = self.remote.url();
        let network = json!({
            "apiUrl": format!("{url}{BASE_PATH}"),
            "auth": { "oauth2ClientCredentials": { "tokenUrl": format!("{url}{TOKEN_PATH}") } },
            // A busy machine must not lose answers that nobody took.
            "timeout": "4s",
        });
        self.world.add_network(network).await;
    }

    /// Starts the operator.
    pub fn start(&mut self) {
        self.world.start_operator();
    }

    /// The token that the operator shows to the API server.
    pub fn token(&self) -> &str {
        token(self.world.options.kubeconfig.as_ref().expect("it was made with one"))
    }

    /// Has the operator show another token from its next start on.
    pub fn show_token(&mut self, token: &str) {
        let kubeconfig = self.world.options.kubeconfig.as_mut().expect("it was made with one");
        kubeconfig["users"][0]["user"]["token"] = token.into();
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

    /// Ends the operator, and checks that nothing it had under way is left.
    pub async fn close(mut self) {
        self.kill().await;
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

/// The kubeconfig of the operator's `ServiceAccount`; one token serves all scenes.
fn service_account() -> &'static str {
    static KUBECONFIG: OnceLock<String> = OnceLock::new();
    KUBECONFIG.get_or_init(|| service_account_kubeconfig().to_string())
}
