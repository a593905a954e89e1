//! What goes wrong while the users are at work.

use interposer::{Call, Collection, Expiry, FaultHandle, Interposer, Kind, Serve, Side, Times};
use simulator::{Fault, FaultId, FaultKind, Lag, NetworkConfig, NewEndpoint};
use testkit::{NETWORK, Operator, World, control_plane, patch, service_account_kubeconfig};

use crate::change::{Calls, Trouble};
use crate::fleet::Fleet;

/// What is between the operator and both servers, and what is wrong with it.
pub struct Troubles {
    /// Between the operator and the API server.
    kubernetes: Interposer,
    /// The faults of Kubernetes so far.
    faults: Vec<FaultHandle>,
    /// That it refuses everything.
    outage: Option<FaultHandle>,
    /// That the remote API refuses connections.
    remote_outage: Option<FaultId>,
    /// How many times the credentials were renewed.
    renewals: usize,
    strangers: usize,
    /// What the operators of earlier lives have logged.
    pub logs: Vec<String>,
}

impl Troubles {
    /// None so far; the world's operator is to reach Kubernetes through them.
    pub fn new(world: &mut World) -> Self {
        let plane = control_plane();
        let kubernetes = Interposer::start(interposer::Config {
            side: Side::Kubernetes,
            upstream: plane.server().parse().expect("the API server has a URL"),
            upstream_ca: Some(plane.ca_pem().expect("the CA can be read")),
            serve: Serve::Https,
            world: interposer::World::new(),
        });
        let kubernetes = kubernetes.expect("an interposer");
        let kubeconfig = kubernetes.kubeconfig(&service_account_kubeconfig().to_string());
        let kubeconfig = serde_yaml::from_str(&kubeconfig.expect("the token passes through"));
        world.options.kubeconfig = Some(kubeconfig.expect("a kubeconfig"));
        Self {
            kubernetes,
            faults: Vec::new(),
            outage: None,
            remote_outage: None,
            renewals: 0,
            strangers: 0,
            logs: Vec::new(),
        }
    }

    /// Makes trouble.
    pub async fn make(&mut self, trouble: Trouble, world: &mut World, fleet: &Fleet) {
        let simulator = world.simulator.handle();
        match trouble {
            Trouble::Remote(operation, kind, times) => {
                simulator.inject(Fault::on(operation, kind).times(times));
            }
            Trouble::Lag(lag) => simulator.set_lag(lag),
            Trouble::RemoteOutage => self.turn_remote(world),
            Trouble::Kubernetes(calls, fault, times) => {
                let on = move |call: &Call| are(calls, call);
                self.faults.push(self.kubernetes.inject(fault, Times::Next(times), on));
            }
            Trouble::KubernetesOutage => self.turn_kubernetes(),
            Trouble::ExpireWatches => {
                self.kubernetes.expire_watches(Collection::all(), Expiry::Event);
            }
            Trouble::RevokeTokens => simulator.revoke_tokens(NETWORK),
            Trouble::RenewCredentials => self.renew_credentials(world).await,
            Trouble::Restart => {
                let operator = world.operator();
                let stopped = tokio::task::block_in_place(|| operator.stop());
                // One that has logged nothing did not yet listen to the signal.
                assert!(
                    stopped || operator.log().is_empty(),
                    "it does not stop with success: {}",
                    operator.log()
                );
                self.start_again(world);
            }
            Trouble::Crash => {
                world.operator().kill();
                self.start_again(world);
            }
            Trouble::Habit(habit) => simulator.set_habits(habit),
            Trouble::Stranger => {
                self.strangers += 1;
                let url = format!("https://hooks.example.com/strangers/{}", self.strangers);
                fleet.add_stranger(NewEndpoint::new(url));
            }
        }
    }

    /// All trouble ends.
    pub fn end(&mut self, world: &World) {
        self.faults.drain(..).chain(self.outage.take()).for_each(|fault| fault.stop());
        self.remote_outage = None;
        world.simulator.clear_faults();
        world.simulator.set_lag(Lag::default());
        world.simulator.release();
    }

    pub fn start_again(&mut self, world: &mut World) {
        self.logs.extend(world.own.as_ref().map(Operator::log));
        world.start_operator();
    }

    fn turn_remote(&mut self, world: &World) {
        self.remote_outage = match self.remote_outage.take() {
            None => Some(world.simulator.inject(Fault::on_any(FaultKind::Refuse).until_cleared())),
            Some(outage) => {
                world.simulator.clear_fault(outage);
                None
            }
        };
    }

    fn turn_kubernetes(&mut self) {
        self.outage = match self.outage.take() {
            None => {
                let refused = self.kubernetes.inject(interposer::Fault::ResetBefore, Times::Always, |_| true);
                self.kubernetes.expire_watches(Collection::all(), Expiry::Response);
                Some(refused)
            }
            Some(outage) => {
                outage.stop();
                None
            }
        };
    }

    /// The API takes another client secret from now on, and then Kubernetes is told.
    async fn renew_credentials(&mut self, world: &World) {
        self.renewals += 1;
        let secret = format!("client-secret-{}", self.renewals);
        world.simulator.set_network(NetworkConfig::new(NETWORK).client("client-id", secret.clone()));
        let renewed = serde_json::json!({ "stringData": { "clientSecret": secret } });
        patch(&world.operators_secrets(), &world.namespace, renewed).await;
    }
}

fn are(calls: Calls, call: &Call) -> bool {
    let resource = |name: &str, subresource: Option<&str>| {
        call.kind == Kind::Mutation
            && call
                .resource()
                .is_some_and(|of| of.resource == name && of.subresource.as_deref() == subresource)
    };
    match calls {
        Calls::Any => true,
        Calls::Secrets => resource("secrets", None),
        Calls::Resources => resource("webhookendpoints", None),
        Calls::Statuses => resource("webhookendpoints", Some("status")),
        Calls::Reads => call.kind != Kind::Mutation,
    }
}
